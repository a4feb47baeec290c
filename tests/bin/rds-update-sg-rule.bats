#!/usr/bin/env bats
# rds-update-sg-rule, with Debian's own aws against an endpoint of the test that stores the requests.

load helpers/common

setup_file() {
  local kind
  cd "$BATS_FILE_TMPDIR" || return
  mkdir http https
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls.key -subj /CN=localhost -days 2 \
    -addext subjectAltName=DNS:localhost -out tls.crt 2>/dev/null
  cat tls.key tls.crt >tls.pem
  serve http
  serve https tls.pem
  for kind in http https; do
    eventually test -s "$kind/port"
  done
}

# serve FOLDER [CERTIFICATE]: starts the endpoint, or the service that answers with the caller's address.
serve() {
  /usr/bin/python3 -B "$BATS_TEST_DIRNAME/helpers/http_answer.py" "$@" >"$1/log" 2>&1 3>&- &
  echo $! >"$1/pid"
}

teardown_file() { kill "$(<"$BATS_FILE_TMPDIR/http/pid")" "$(<"$BATS_FILE_TMPDIR/https/pid")"; }

setup() {
  # Debian's aws, not another one that comes first in PATH.
  mkdir "$BATS_TEST_TMPDIR/path"
  ln -s /usr/bin/aws "$BATS_TEST_TMPDIR/path/aws"
  export PATH=$BATS_TEST_TMPDIR/path:$PATH
  export DB_SG_ID=sg-0123456789abcdef0 DB_SG_RULE_ID=sgr-0fedcba9876543210 GITPOD_IP=203.0.113.7
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=ca-central-1 AWS_MAX_ATTEMPTS=1
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
  export AWS_ENDPOINT_URL=http://127.0.0.1:1
}

# answer_with STATUS BODY: sets the answer of the endpoint at the port ENDPOINT; the file REQUEST has the last request to it.
answer_with() {
  ENDPOINT=$(<"$BATS_FILE_TMPDIR/http/port")
  REQUEST=$BATS_FILE_TMPDIR/http/request
  rm -f "$REQUEST"
  printf '%s\n%s' "$@" >"$BATS_FILE_TMPDIR/http/answer"
}

# return_of TEXT: prints EC2's answer.
return_of() {
  printf '<ModifySecurityGroupRulesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
  printf '<return>%s</return></ModifySecurityGroupRulesResponse>' "$1"
}

# address_service BODY: sets IP_SERVICE_URL to a service that answers BODY, with a certificate that curl trusts here.
address_service() {
  printf '200\n%s' "$1" >"$BATS_FILE_TMPDIR/https/answer"
  SERVICE_PORT=$(<"$BATS_FILE_TMPDIR/https/port")
  export IP_SERVICE_URL=https://localhost:$SERVICE_PORT/ CURL_CA_BUNDLE=$BATS_FILE_TMPDIR/tls.crt
}

@test "the request that reaches EC2 names the group, the rule, the address and nothing else" {
  answer_with 200 "$(return_of true)"
  AWS_ENDPOINT_URL=http://127.0.0.1:$ENDPOINT run -0 "$BIN/rds-update-sg-rule"
  diff <(tr '&' '\n' <"$REQUEST" | LC_ALL=C sort) - <<'FORM'
Action=ModifySecurityGroupRules
GroupId=sg-0123456789abcdef0
SecurityGroupRule.1.SecurityGroupRule.CidrIpv4=203.0.113.7%2F32
SecurityGroupRule.1.SecurityGroupRule.Description=GITPOD
SecurityGroupRule.1.SecurityGroupRule.FromPort=5432
SecurityGroupRule.1.SecurityGroupRule.IpProtocol=tcp
SecurityGroupRule.1.SecurityGroupRule.ToPort=5432
SecurityGroupRule.1.SecurityGroupRuleId=sgr-0fedcba9876543210
Version=2016-11-15
FORM
}

@test "a refusal, an answer that is not true, and an endpoint that is not there are failures" {
  answer_with 200 "$(return_of false)"
  AWS_ENDPOINT_URL=http://127.0.0.1:$ENDPOINT run -1 "$BIN/rds-update-sg-rule"
  [[ $output == *'aws did not confirm the change: False'* ]]
  answer_with 400 '<Response><Errors><Error><Code>InvalidGroup.NotFound</Code><Message>no</Message></Error></Errors></Response>'
  AWS_ENDPOINT_URL=http://127.0.0.1:$ENDPOINT run -1 "$BIN/rds-update-sg-rule"
  [[ $output == *InvalidGroup.NotFound*'aws did not change the rule'* ]]
  run -1 "$BIN/rds-update-sg-rule"
  [[ $output == *'aws did not change the rule'* ]]
}

@test "--dry-run prints the call, which is the one that would be made, and makes none" {
  answer_with 200 "$(return_of true)"
  AWS_ENDPOINT_URL=http://127.0.0.1:$ENDPOINT run -0 --separate-stderr "$BIN/db-rds-update-sg-rule" --dry-run
  [[ ! -e $REQUEST ]]
  [[ $output == *'CidrIpv4=203.0.113.7/32'* ]]
  eval "$output" | grep -x True
  grep -q 'CidrIpv4=203.0.113.7%2F32' "$REQUEST"
}

@test "addresses: four numbers up to 255, and nothing else" {
  for address in 1.2.3.4 255.255.255.255 10.0.0.1 192.168.100.200 8.8.8.0; do
    GITPOD_IP=$address run -0 --separate-stderr "$BIN/rds-update-sg-rule" --dry-run
    [[ $output == *"CidrIpv4=$address/32"* ]]
  done
  for address in 0.0.0.0 256.1.1.1 1.256.1.1 1.1.1.999 1.2.3 1.2.3.4.5 01.2.3.4 1.2.3.04 1.2.3.4/32 ' 1.2.3.4' '1.2.3.4 ' \
    $'1.2.3.4\n' 1.2.3.4x ::1 2001:db8::1 localhost 0x7f.1.1.1 1..2.3 -1.2.3.4 '1.2.3.4,Description=x' 1,2,3,4; do
    GITPOD_IP=$address run -2 "$BIN/rds-update-sg-rule" --dry-run
    [[ $output == *'GITPOD_IP is not an IPv4 address'* ]]
  done
}

@test "the group and the rule must be named, and look like what they are" {
  for variable in DB_SG_ID DB_SG_RULE_ID; do
    (
      unset "$variable"
      run -2 "$BIN/rds-update-sg-rule" --dry-run
      [[ $output == *"$variable is not set"* ]]
      for value in x sg- sgr- sg-XYZ 'sg-0123456789abcdef0 ' 'sgr-0123456789abcdef0,SecurityGroupRule={}' sg-0123456789abcdef01; do
        export "$variable=$value"
        run -2 "$BIN/rds-update-sg-rule" --dry-run
        [[ $output == *"$variable is not an identifier"* ]]
      done
    )
  done
  DB_SG_ID=$DB_SG_RULE_ID run -2 "$BIN/rds-update-sg-rule" --dry-run
  DB_SG_RULE_ID=$DB_SG_ID run -2 "$BIN/rds-update-sg-rule" --dry-run
  DB_SG_ID=sg-1a2b3c4d run -0 "$BIN/rds-update-sg-rule" --dry-run
}

@test "without GITPOD_IP an HTTPS service is asked, and its answer is checked like a setting" {
  unset GITPOD_IP
  address_service $'198.51.100.23\n'
  run -0 --separate-stderr "$BIN/rds-update-sg-rule" --dry-run
  [[ $output == *CidrIpv4=198.51.100.23/32* ]]
  for answer in '' '<html>' 198.51.100.256 '198.51.100.23 x' $'198.51.100.23\n198.51.100.24\n' 0.0.0.0; do
    address_service "$answer"
    run -1 "$BIN/rds-update-sg-rule" --dry-run
    [[ $output == *'did not answer with an IPv4 address'* ]]
  done
}

@test "the service must be HTTPS with a certificate that holds" {
  unset GITPOD_IP
  IP_SERVICE_URL=http://127.0.0.1:1/ run -2 "$BIN/rds-update-sg-rule" --dry-run
  [[ $output == *'IP_SERVICE_URL does not begin with https://'* ]]
  address_service 198.51.100.23
  CURL_CA_BUNDLE=/dev/null run -1 "$BIN/rds-update-sg-rule" --dry-run
  [[ $output == *"no answer from $IP_SERVICE_URL"* ]]
  IP_SERVICE_URL=https://127.0.0.1:$SERVICE_PORT/ run -1 "$BIN/rds-update-sg-rule" --dry-run
}
