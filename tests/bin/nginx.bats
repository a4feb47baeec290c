#!/usr/bin/env bats
# The shared include of bin/quickstart's nginx and of the production site, without a pool at the socket: the answers of nginx itself,
# and that both configurations are accepted.

load helpers/common
load helpers/ports

setup_file() {
  TOP=${BIN%/bin}
  FOLDER=$(mktemp -d "${CHECK_FOLDER:-/tmp}/cruddur-nginx.XXXXXX")
  chmod 755 "$FOLDER"
  cp -r "$TOP/nginx" "$FOLDER/shipped"
  sed -i 's/\(_timeout\) [0-9]*s;/\1 300s;/' "$FOLDER/shipped/cruddur.conf" # long enough for a slow machine
  { read -r PORT && read -r TLS_PORT && read -r REDIRECT_PORT && read -r METRICS_PORT; } < <(free_ports 4)
  export TOP FOLDER PORT TLS_PORT REDIRECT_PORT METRICS_PORT
  start_quickstart
  start_site
}

teardown_file() {
  local file
  for file in "$FOLDER"/*.pid; do
    kill "$(<"$file")"
  done
  rm -rf "$FOLDER"
}

start_quickstart() {
  mkdir -p "$FOLDER/quickstart/tmp" "$FOLDER/quickstart/log"
  cp "$FOLDER"/shipped/{cruddur,docs,events,metrics,web}.conf "$FOLDER/quickstart"
  sed "s/@PORT@/$PORT/g" "$TOP/nginx/quickstart.conf.in" >"$FOLDER/quickstart/nginx.conf"
  start_nginx "$FOLDER/quickstart/nginx.conf" "$FOLDER/quickstart/"
}

# The site as shipped, except for the paths and names that the administrator sets, the ports, and the rate of requests: a slow
# machine could not exceed the shipped rate. This site has the React frontend; tests/bin/install.bats tests it with the web client.
start_site() {
  mkdir -p "$FOLDER/www/static" "$FOLDER/site"
  echo '<html>the app</html>' >"$FOLDER/www/index.html"
  echo 'let a' >"$FOLDER/www/static/a.js"
  mkdir "$FOLDER/docs"
  echo '<html>the API</html>' >"$FOLDER/docs/api.html"
  echo 'openapi: 3.1.0' >"$FOLDER/docs/openapi.yaml"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=cruddur.example -days 2 \
    -keyout "$FOLDER/privkey.pem" -out "$FOLDER/fullchain.pem" 2>/dev/null
  sed -e "s#/etc/ssl/cruddur/#$FOLDER/#; s#/usr/local/share/cruddur/nginx/#$FOLDER/shipped/#; s#/var/www/cruddur#$FOLDER/www#" \
    -e "s#/var/log/nginx/#$FOLDER/site/#; s#/run/cruddur/#$FOLDER/#; /listen \[::\]/d" \
    -e 's/# \(set \$cruddur_docs .*\|include .*docs.conf;\)$/\1/' -e "s#/usr/local/share/doc/cruddur#$FOLDER/docs#" \
    -e "s/listen 443/listen 127.0.0.1:$TLS_PORT/; s/listen 80/listen 127.0.0.1:$REDIRECT_PORT/" \
    -e "s/127\.0\.0\.1:8080/127.0.0.1:$METRICS_PORT/" \
    -e 's#rate=20r/s#rate=1r/m#' -e 's#/web.conf;#/react.conf;#' \
    "$TOP/nginx/site.conf" >"$FOLDER/site.conf"
  cat >"$FOLDER/site/nginx.conf" <<CONF
daemon off;
pid $FOLDER/site/pid;
error_log $FOLDER/site/error.log;
events {}
http {
  access_log off;
  include /etc/nginx/mime.types;
  client_body_temp_path $FOLDER/site/body;
  fastcgi_temp_path $FOLDER/site/fastcgi;
  proxy_temp_path $FOLDER/site/proxy;
  scgi_temp_path $FOLDER/site/scgi;
  uwsgi_temp_path $FOLDER/site/uwsgi;
  include $FOLDER/site.conf;
}
CONF
  start_nginx "$FOLDER/site/nginx.conf" "$FOLDER/site/"
}

# start_nginx CONF PREFIX
start_nginx() {
  local nginx name
  nginx=$(PATH=$PATH:/usr/sbin command -v nginx)
  name=$(basename "$2")
  "$nginx" -t -q -p "$2" -c "$1" -e stderr
  (cd "$2" && exec "$nginx" -p "$2" -c "$1" -e stderr) 3>&- >"$FOLDER/$name.log" 2>&1 &
  echo $! >"$FOLDER/$name.pid"
  eventually grep -qs . "$2/pid" "$2/tmp/nginx.pid"
}

# request LINE…: sends the lines as they are, each with CRLF, and leaves nginx's whole answer, without CRs, in `output`. The request
# is sent in one piece: if nginx closed with unread bytes, the kernel would discard the answer.
request() {
  local line length=0 LC_ALL=C
  printf '%s\r\n' "$@" '' >"$BATS_TEST_TMPDIR/request"
  exec 4<>"/dev/tcp/127.0.0.1/$PORT"
  cat "$BATS_TEST_TMPDIR/request" >&4
  output=''
  while read -rt "$PATIENCE" -u 4 line && [[ $line != $'\r' ]]; do
    output+=${line%$'\r'}$'\n'
    [[ $line != Content-Length:* ]] || length=${line//[!0-9]/}
  done
  read -rt "$PATIENCE" -N "$length" -u 4 line || true # a HEAD's answer has no body
  output+=$'\n'$line
  exec 4>&-
}

# answered STATUS CODE: `output` has a JSON array with only this code, and the headers of every answer.
answered() {
  [[ $output == "HTTP/1.1 $1"* ]]
  [[ ${output##*$'\n'} == "[\"$2\"]" ]]
  [[ $output == *$'\nContent-Type: application/json\n'* ]]
  [[ $output =~ $'\nX-Request-Id: '[A-Za-z0-9._-]{1,64}$'\n' ]]
  [[ $output == *$'\nX-Content-Type-Options: nosniff\n'* ]]
  [[ $output == *$'\nCache-Control: no-store\n'* ]]
}

site() {
  curl --silent --insecure --resolve "cruddur.example:$TLS_PORT:127.0.0.1" "$@"
}

letters() {
  local text
  printf -v text "%$1s" ''
  printf '%s' "${text// /a}"
}

readonly CLOSE=$'Host: localhost\r\nConnection: close'

@test "a request line that is none, or with a bad path or header: 400" {
  for line in 'GE T / x' $'\x16\x03\x01' 'get / HTTP/1.1' 'GET /%00 HTTP/1.1' 'GET /../x HTTP/1.1' 'CONNECT a:80 HTTP/1.1'; do
    request "$line" "$CLOSE"
    answered 400 malformed_request
  done
  request 'GET / HTTP/1.1' 'Connection: close'
  answered 400 malformed_request
  request 'POST /api/x HTTP/1.1' "$CLOSE" 'Content-Length: -1'
  answered 400 malformed_request
  request 'POST /api/x HTTP/1.1' "$CLOSE" 'Content-Length: 1' 'Transfer-Encoding: chunked'
  answered 400 malformed_request
}

@test "a path that nobody has: 404; the error pages themselves are no path either" {
  for path in / /apis /nowhere /.error/generic_500 /.error/document.problem; do
    request "GET $path HTTP/1.1" "$CLOSE"
    answered 404 not_found
  done
}

@test "TRACE and CONNECT: 405 with Allow" {
  for method in TRACE CONNECT; do
    request "$method /api/activities/home HTTP/1.1" "$CLOSE"
    answered 405 method_not_allowed
    [[ $output == *$'\nAllow: GET, HEAD, POST, PUT, DELETE, OPTIONS\n'* ]]
  done
}

@test "a body over 16k, announced or chunked: 413, and one of 16k is let through" {
  request 'POST /api/x HTTP/1.1' "$CLOSE" 'Content-Length: 16385' '' ''
  answered 413 body_too_large
  request 'POST /api/x HTTP/1.1' "$CLOSE" 'Transfer-Encoding: chunked' '' 4001 "$(letters 16385)" 0 ''
  answered 413 body_too_large
  request 'POST /api/x HTTP/1.1' "$CLOSE" 'Content-Length: 16384' '' "$(letters 16384)"
  answered 503 service_unavailable
}

@test "a path or a header over 8k: 414, 431" {
  request "GET /$(letters 8200) HTTP/1.1" "$CLOSE"
  answered 414 uri_too_long
  request 'GET / HTTP/1.1' "$CLOSE" "X-Long: $(letters 8200)"
  answered 431 headers_too_large
}

@test "an unknown transfer coding, an unknown HTTP version: 501, 505" {
  request 'POST /api/x HTTP/1.1' "$CLOSE" 'Transfer-Encoding: gzip'
  answered 501 not_implemented
  request 'GET /api/x HTTP/3.0' "$CLOSE"
  answered 505 http_version_unsupported
}

@test "nobody at the pool's socket: 503 with Retry-After on every path of the service" {
  for path in /api /api/activities/home /api/health-check /livez /readyz; do
    request "GET $path HTTP/1.1" "$CLOSE"
    answered 503 service_unavailable
    [[ $output == *$'\nRetry-After: 1\n'* ]]
  done
}

@test "problem+json where Accept asks for it, with the request's id" {
  request 'POST /api/x HTTP/1.1' "$CLOSE" 'Accept: application/problem+json' 'X-Request-Id: a.B_c-1'
  [[ $output == *$'\nContent-Type: application/problem+json\n'* && $output == *$'\nX-Request-Id: a.B_c-1\n'* ]]
  [[ ${output##*$'\n'} == '{"type":"about:blank","title":"Service Unavailable","status":503,"codes":["service_unavailable"],"request_id":"a.B_c-1"}' ]]
}

@test "an id that is not well-formed is replaced, never echoed" {
  for id in 'a b' 'a"b' "$(letters 65)" 'ä' 'a,b'; do
    request 'GET /x HTTP/1.1' "$CLOSE" "X-Request-Id: $id"
    answered 404 not_found
    [[ $output != *"$id"* ]]
  done
}

@test "HEAD gets the headers alone" {
  request 'HEAD /x HTTP/1.1' "$CLOSE"
  [[ $output == 'HTTP/1.1 404'* && $output == *$'\nContent-Length: 13\n'* ]]
  [[ $output != *not_found* ]]
}

@test "the server's version stays its own" {
  request 'GET /x HTTP/1.1' "$CLOSE"
  [[ $output == *$'\nServer: nginx\n'* ]]
}

@test "production: HTTP leads to HTTPS" {
  run -0 curl --silent --output /dev/null --write-out '%{http_code} %{redirect_url}' "http://127.0.0.1:$REDIRECT_PORT/a?b=c"
  [[ $output == '301 https://cruddur.example/a?b=c' ]]
}

@test "production: every path of the app is its index.html, its files are kept, a missing one is 404" {
  for path in / /messages/@bayko /static/a.js; do
    run -0 site --fail --dump-header - "https://cruddur.example:$TLS_PORT$path"
    [[ $output == *strict-transport-security* && $output == *nosniff* ]]
  done
  [[ $output == *immutable* ]]
  run -0 site "https://cruddur.example:$TLS_PORT/static/b.js"
  [[ $output == '["not_found"]' ]]
}

@test "production: every answer over TLS has the headers that protect, errors and redirects too" {
  local path url=https://cruddur.example:$TLS_PORT
  for path in / /static/a.js /static/b.js /nowhere/%00 /api/x /livez /readyz /metrics /api/docs /api/docs/openapi.yaml /messages; do
    run -0 site --dump-header - --output /dev/null "$url$path"
    (($(grep -ci '^strict-transport-security: max-age=63072000' <<<"$output") == 1)) || {
      printf '%s: %s\n' "$path" "$output"
      false
    }
    (($(grep -ci '^x-content-type-options: nosniff' <<<"$output") == 1))
  done
  for path in / /static/a.js; do
    run -0 site --dump-header - --output /dev/null "$url$path" --header 'If-Match: "x"'
    [[ $output == 'HTTP/2 412'* && $output == *strict-transport-security* && $output == *nosniff* ]]
  done
  run -0 site --dump-header - --output /dev/null --request TRACE "$url/"
  [[ $output == 'HTTP/2 405'* && $output == *strict-transport-security* && $output == *nosniff* ]]
}

@test "quickstart: nothing is said of TLS" {
  request 'GET / HTTP/1.1' "$CLOSE"
  [[ $output != *Strict-Transport* ]]
}

@test "production: the metrics are for this machine" {
  local url=https://cruddur.example:$TLS_PORT/metrics
  run -0 site "$url"
  [[ $output == '["service_unavailable"]' ]]
  run -0 site --interface 127.0.0.2 --write-out '%{http_code}' "$url"
  [[ $output == '["generic_403"]403' ]]
  run -0 site --interface 127.0.0.2 --write-out '%{http_code}' "$url" --header 'X-Forwarded-For: 127.0.0.1'
  [[ $output == '["generic_403"]403' ]]
}

@test "production: a page about the API, for those who want it" {
  grep -q '^ *# include .*docs.conf;$' "$TOP/nginx/site.conf"
  run -0 site --fail --dump-header - "https://cruddur.example:$TLS_PORT/api/docs"
  [[ $output == *'the API'* && $output == *"default-src 'none'"* && $output == *$'\ncontent-type: text/html'* ]]
}

@test "production: the frontend's pages may read nginx's own errors, no other origin's may" {
  local origin url=https://cruddur.example:$TLS_PORT/api/x
  run -0 site --dump-header - --header 'Origin: https://cruddur.example' "$url"
  [[ $output == *'["service_unavailable"]'* ]]
  [[ $output == *$'\naccess-control-allow-origin: https://cruddur.example\r\n'* ]]
  [[ $output == *$'\naccess-control-expose-headers: X-Request-Id, Retry-After\r\n'* && $output == *$'\nvary: Origin\r\n'* ]]
  for origin in null http://cruddur.example https://cruddur.example.evil.example https://evil.example \
    https://cruddur.example:8443 https://cruddur.example/; do
    run -0 site --dump-header - --header "Origin: $origin" "$url"
    [[ $output == *'["service_unavailable"]'* && $output != *access-control* && $output == *$'\nvary: Origin\r\n'* ]]
  done
  run -0 site --dump-header - --header 'Origin: https://CRUDDUR.example' "$url"
  [[ $output != *CRUDDUR* ]]
}

@test "quickstart: no other origin's page may read them" {
  request 'GET /api/x HTTP/1.1' "$CLOSE" "Origin: http://127.0.0.1:$PORT"
  answered 503 service_unavailable
  [[ $output != *Access-Control* ]]
}

# The flood comes from an address of its own, since nginx counts the requests of an address over all tests.
@test "production: one client's flood gets 429 with Retry-After, the frontend's files do not" {
  local url=https://cruddur.example:$TLS_PORT flood=(site --interface 127.0.0.3)
  grep -q 'rate=20r/s' "$TOP/nginx/site.conf"
  run -0 "${flood[@]}" --output /dev/null --write-out '%{http_code}\n' "$url/static/a.js?[1-150]"
  [[ $(sort -u <<<"$output") == 200 ]]
  run -0 "${flood[@]}" --output /dev/null --write-out '%{http_code}\n' "$url/api/x?[1-150]"
  [[ $(sort -u <<<"$output") == $'429\n503' && ${lines[*]:0:101} != *429* ]]
  run -0 "${flood[@]}" --dump-header - "$url/api/x"
  [[ $output == *'retry-after: 1'* && $output == *'["too_many_requests"]'* ]]
}
