#!/usr/bin/env bats
# bin/quickstart's folders, users and settings.

load helpers/quickstart
load helpers/build

setup_file() {
  skip_wrappers
  make_room
  take_build "$DATA"
}

teardown_file() { remove_room; }

# unprivileged COMMAND…: runs it as the user nobody, if the tests run as root.
unprivileged() {
  if ((EUID == 0)); then
    setpriv --reuid nobody --regid nogroup --clear-groups env HOME="$ROOM/other" "$@"
  else
    "$@"
  fi
}

@test "in a folder with a finished build nothing is compiled" {
  run -0 quickstart --detach
  run ! grep ' CC ' "$DATA/log/build.log"
  [[ $(post 'from bats') == *'"uuid"'* ]]
}

@test "as a user in a folder with blanks and a long name, beside another one, workers and identity as asked for" {
  local other
  other="$ROOM/other/ä b, c $(printf '%070d' 0)"
  mkdir "$ROOM/other"
  take_build "$other"
  ((EUID != 0)) || chown -R nobody "$ROOM/other"
  local port
  port=$(free_ports 1)
  run -0 unprivileged "$CLONE/bin/quickstart" --no-install --detach --dir "$other" --port "$port" --workers 2 \
    --identity token 3>&-
  [[ $(home "$port") == *seed* && $(home) == *'from bats'* ]]
  PORT=$port run ! post 'without a token'
  [[ $output == *401* ]]
  [[ $(processes "$other/" | grep -c -- '--workers 2') -ge 2 ]]
  run -0 unprivileged "$CLONE/bin/quickstart" --stop --dir="$other"
  [[ -z $(processes "$other/") && $(home) == *seed* ]]
}

@test "as root in a folder that only root can enter: it lies in /var/lib" {
  ((EUID == 0)) || return 0
  mkdir -m 700 "$ROOM/hidden"
  local port
  port=$(free_ports 1)
  run -1 quickstart --detach --dir "$ROOM/hidden/data" # fails: the port is taken; but the folder exists now
  take_build "$ROOM/hidden/data"
  run -0 quickstart --detach --dir "$ROOM/hidden/data" --port "$port"
  [[ $(home "$port") == *seed* && $(readlink "$ROOM/hidden/data") == /var/lib/cruddur.* ]]
  run -0 quickstart --stop --dir "$ROOM/hidden/data"
  rm -rf "$(readlink "$ROOM/hidden/data")"
}

@test "--fresh forgets the data" {
  run -0 quickstart --stop
  run -0 quickstart --detach --fresh
  [[ $(home) == *seed* && $(home) != *'from bats'* ]]
  run -0 quickstart --stop
}

# signs_in HANDLE NAME: dev-token --browser prints one line, whose entries are those that Amplify reads, and whose token the API
# accepts.
signs_in() {
  run -0 --separate-stderr "$CLONE/bin/dev-token" --dir "$DATA" --browser "$1"
  [[ -z $stderr && ${#lines[@]} == 1 ]]
  /usr/bin/python3 - "$output" "$1" "$2" "http://127.0.0.1:$PORT/api/message_groups" <<'PYTHON'
import json, re, sys, urllib.request

line, handle, name, url = sys.argv[1:]
form = r'\(token => Object\.entries\((.*)\)\.forEach\(\(\[key, value\]\) => localStorage\.setItem\(key, value \?\? token\)\)\)\("([\w.-]+)"\)'
entries, token = re.fullmatch(form, line).groups()
entries = json.loads(entries)
pool, sub = "CognitoIdentityServiceProvider.cruddur-quickstart", f"mock-{handle}"
data = json.loads(entries.pop(f"{pool}.{sub}.userData"))
assert {row["Name"]: row["Value"] for row in data["UserAttributes"]} == {"sub": sub, "name": name, "preferred_username": handle}
assert entries == {
    "access_token": None, f"{pool}.LastAuthUser": sub, f"{pool}.{sub}.accessToken": None, f"{pool}.{sub}.idToken": None,
}
assert urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})).status == 200
PYTHON
}

@test "for a frontend: settings from the environment, and dev-token --browser signs a page in" {
  FRONTEND_URL=http://localhost:3000 CRUDDUR_COMPAT=week4 run -0 quickstart --detach
  run -0 curl --fail --silent --include --header 'Origin: http://localhost:3000' \
    "http://127.0.0.1:$PORT/api/activities/@andrewbrown"
  [[ $output == *'Access-Control-Allow-Origin: http://localhost:3000'* && ${lines[-1]} == '[{'* ]]
  # this origin, and no other, may read nginx's own errors too
  run -0 curl --silent --include --header 'Origin: http://localhost:3000' "http://127.0.0.1:$PORT/web/nothing.js"
  [[ $output == *' 404 '*'Access-Control-Allow-Origin: http://localhost:3000'* ]]
  run -0 curl --silent --include --header 'Origin: http://localhost:3001' "http://127.0.0.1:$PORT/web/nothing.js"
  [[ $output == *' 404 '* && $output != *Access-Control* ]]
  signs_in andrewbrown 'Andrew Brown'
  CONNECTION_URL_FILE=$DATA/secrets/owner-url "$CLONE/bin/db-connect" -- --quiet \
    --command "update users set display_name = E'O\\'Br\"\\\\ien é</b>' where handle = 'londo'"
  signs_in londo $'O\'Br"\\ien é</b>'
  run -1 --separate-stderr "$CLONE/bin/dev-token" --dir "$DATA" --browser nobody
  [[ -z $output && $stderr == *'no user nobody'* ]]
  run -0 quickstart --stop
}

# workspace_command KIND: prints the workspace's command that starts bin/quickstart, with the function quickstart in its place.
workspace_command() {
  /usr/bin/python3 - "$1" "$CLONE" <<'PYTHON'
import json, pathlib, sys, yaml

folder = pathlib.Path(sys.argv[2])
commands = {
    "gitpod": yaml.safe_load((folder / ".gitpod.yml").read_text())["tasks"][0]["command"],
    "devcontainer": json.loads((folder / ".devcontainer/devcontainer.json").read_text())["postStartCommand"],
}
print(commands[sys.argv[1]].replace("bin/quickstart", "quickstart"))
PYTHON
}

@test "behind what forwards the port, in a workspace: the issuer has that name, and nginx answers to it" {
  local name=x-8080.workspace.example
  run -0 quickstart --stop
  for url in "$name" "https://$name/" 'https://a b' 'https://x|.*' 'ftp://x'; do
    QUICKSTART_URL=$url run -2 quickstart --detach
    [[ $output == *'QUICKSTART_URL is no origin'* ]]
  done
  # by the commands of the workspaces
  gp() { [[ $* == 'url 8080' ]] && echo "https://$name"; }
  # shellcheck disable=SC2317 # eval calls it
  [[ $(quickstart() { echo "$QUICKSTART_URL $*"; } && eval "$(workspace_command gitpod)") == "https://$name " ]]
  CODESPACE_NAME=x GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN=workspace.example run -0 eval "$(workspace_command devcontainer)"
  [[ $output == *"open https://$name/ and sign in"* ]]
  # status HOST PATH
  status() { curl --silent --output /dev/null --write-out '%{http_code}' --max-time "$PATIENCE" --header "Host: $1" "http://127.0.0.1:$PORT$2"; }
  [[ $(status "$name" /) == 200 && $(status 127.0.0.1 /) == 200 ]]
  [[ $(status "${name/./-}" /) == 421 && $(status "x$name" /) == 421 && $(status "$name.example" /) == 421 ]]
  [[ $(curl --silent "http://127.0.0.1:$PORT/web/config.json") == *"\"https://$name/cruddur-issuer\""* ]]
  [[ $(curl --silent "http://127.0.0.1:$PORT/cruddur-issuer/.well-known/openid-configuration") == *"\"https://$name/cruddur-issuer\""* ]]
  [[ $(curl --fail --silent --show-error "http://127.0.0.1:$PORT/api/activities" --header 'Content-Type: application/json' \
    --header "Authorization: Bearer $("$CLONE/bin/dev-token" --dir "$DATA" bayko)" --data '{"message":"From afar.","ttl":"1-hour"}') == *'"handle":"bayko"'* ]]
}
