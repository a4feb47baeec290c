#!/usr/bin/env bats
# rds-create, rds-start, rds-stop, rds-status and rds-connect, with Debian's own aws against an endpoint of the test that has one
# instance. aws takes a second of processor time for each call, so a test makes few.

load helpers/build
load helpers/common
load helpers/cluster

setup_file() {
  export RDS=$BATS_FILE_TMPDIR/rds
  mkdir "$RDS"
  /usr/bin/python3 -B "$BATS_TEST_DIRNAME/helpers/rds_server.py" "$RDS" >"$RDS/log" 2>&1 3>&- &
  echo $! >"$RDS/pid"
  eventually test -s "$RDS/port"
}

teardown_file() {
  kill "$(<"$RDS/pid")"
  [[ ! -e $BATS_FILE_TMPDIR/cluster ]] || CLUSTER=$(head -n 1 "$BATS_FILE_TMPDIR/cluster") cluster_stop
}

setup() {
  # Debian's aws, not another one that comes first in PATH.
  mkdir "$BATS_TEST_TMPDIR/path"
  ln -s /usr/bin/aws "$BATS_TEST_TMPDIR/path/aws"
  export PATH=$BATS_TEST_TMPDIR/path:$PATH
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=ca-central-1 AWS_MAX_ATTEMPTS=1
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
  AWS_ENDPOINT_URL=http://127.0.0.1:$(<"$RDS/port")
  export AWS_ENDPOINT_URL RDS_POLL_SECONDS=0.1 HOME=$BATS_TEST_TMPDIR
  unset RDS_INSTANCE PROD_RDS_INSTANCE DB_SG_ID DB_SUBNET_GROUP MASTER_USERNAME MASTER_USER_PASSWORD RDS_CA_FILE
  rm -f "$RDS"/{instance,errors,requests,secret}
}

# instance_is STATUS [JSON]: the endpoint has an instance that rds-create has made, with the JSON's further values.
instance_is() {
  python3 - "$1" "${2:-{\}}" >"$RDS/instance" <<'PYTHON'
import json, sys
instance = {
    "DBInstanceIdentifier": "cruddur-db-instance", "DBInstanceStatus": sys.argv[1], "DBInstanceClass": "db.t4g.micro",
    "Engine": "postgres", "EngineVersion": "17.6", "MasterUsername": "cruddurroot", "AllocatedStorage": 20, "StorageType": "gp3",
    "Endpoint": {"Address": "cruddur.c9.ca-central-1.rds.amazonaws.com", "Port": 5432},
    "MasterUserSecret": {"SecretArn": "arn:aws:secretsmanager:ca-central-1:123456789012:secret:rds!db-1", "SecretStatus": "active"},
    "MultiAZ": False, "PubliclyAccessible": False, "StorageEncrypted": True, "DeletionProtection": True,
    "BackupRetentionPeriod": 7, "IAMDatabaseAuthenticationEnabled": True, "CACertificateIdentifier": "rds-ca-rsa2048-g1",
    "TagList": [{"Key": "environment", "Value": "development"}],
}
instance.update(json.loads(sys.argv[2]))
print(json.dumps(instance))
PYTHON
}

# requests: prints the actions that arrived, in order.
requests() { sed 's/ .*//' "$RDS/requests" | paste -sd ' '; }

@test "rds-create asks for a private, encrypted, protected instance with backups, whose password Secrets Manager makes" {
  export DB_SUBNET_GROUP=cruddur-private DB_SG_ID=sg-0123456789abcdef0
  run -0 "$BIN/rds-create"
  diff <(head -n 1 "$RDS/requests" | tr ' ' '\n') - <<'FORM'
CreateDBInstance
AllocatedStorage=20
AutoMinorVersionUpgrade=true
BackupRetentionPeriod=7
CopyTagsToSnapshot=true
DBInstanceClass=db.t4g.micro
DBInstanceIdentifier=cruddur-db-instance
DBSubnetGroupName=cruddur-private
DeletionProtection=true
EnableCloudwatchLogsExports.member.1=postgresql
EnableCloudwatchLogsExports.member.2=upgrade
EnableIAMDatabaseAuthentication=true
EnablePerformanceInsights=true
Engine=postgres
EngineVersion=17
ManageMasterUserPassword=true
MasterUsername=cruddurroot
MaxAllocatedStorage=100
MultiAZ=false
PerformanceInsightsRetentionPeriod=7
Port=5432
PubliclyAccessible=false
StorageEncrypted=true
StorageType=gp3
Tags.Tag.1.Key=environment
Tags.Tag.1.Value=development
VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-0123456789abcdef0
FORM
}

@test "--like-the-bootcamp is the seeds' call, says what is unsafe, and has no password on a command line" {
  export MASTER_USER_PASSWORD='good\database$Password1' MASTER_USERNAME=andrew
  # aws with its arguments, as every user of the machine would see them.
  program aws "printf '%s ' \"\$@\" >'$BATS_TEST_TMPDIR/arguments'; exec /usr/bin/aws \"\$@\""
  run -0 "$BIN/rds-create" --like-the-bootcamp
  [[ $output == *'a public address'*'no backups'*'no protection from deletion'*'no standby'*'nothing rotates it'* ]]
  [[ $(<"$BATS_TEST_TMPDIR/arguments") == *create-db-instance* ]]
  run ! grep -F "$MASTER_USER_PASSWORD" "$BATS_TEST_TMPDIR/arguments"
  for parameter in 'MasterUserPassword=good\database$Password1' MasterUsername=andrew PubliclyAccessible=true BackupRetentionPeriod=0 DeletionProtection=false \
    DBInstanceClass=db.t3.micro StorageType=gp2 AllocatedStorage=20 StorageEncrypted=true Port=5432 MultiAZ=false; do
    tr ' ' '\n' <"$RDS/requests" | grep -xF "$parameter"
  done
  run ! grep -F ManageMasterUserPassword "$RDS/requests"
}

@test "--dry-run prints the call and makes none, without the password" {
  run -0 --separate-stderr "$BIN/rds-stop" --dry-run
  [[ $output == *"'stop-db-instance' '--db-instance-identifier' 'cruddur-db-instance'"* ]]
  run -0 --separate-stderr "$BIN/rds-start" --dry-run
  [[ $output == *"'start-db-instance'"* ]]
  run -0 --separate-stderr "$BIN/rds-status" --dry-run
  [[ $output == *"'describe-db-instances'"* ]]
  run -0 --separate-stderr "$BIN/rds-connect" --dry-run
  [[ ${#lines[@]} == 2 && ${lines[1]} == *"'get-secret-value' '--secret-id' 'SECRET'"* ]]
  run -0 --separate-stderr "$BIN/rds-connect" --iam --user ada --dry-run
  [[ ${lines[1]} == *"'generate-db-auth-token'"*"'--username' 'ada'"* ]]
  PROD_RDS_INSTANCE=cruddur-prod DB_SUBNET_GROUP=private run -0 --separate-stderr "$BIN/rds-create" prod --multi-az --dry-run
  [[ $output == *"'cruddur-prod'"*"'Key=environment,Value=production'"*"'--multi-az'"* ]]
  MASTER_USER_PASSWORD=canary-canary run -0 "$BIN/rds-create" --like-the-bootcamp --dry-run
  [[ $output != *canary* && $output == *file:///dev/stdin* ]]
  [[ ! -e $RDS/requests ]]
}

# refused MESSAGE ARGUMENT…: rds-create refuses the arguments before any call.
refused() {
  run -2 "$BIN/rds-create" "${@:2}" --dry-run
  echo "$output"
  [[ $output == *"$1"* ]]
}

@test "rds-create: what RDS would refuse is misuse, on both sides of each bound" {
  refused 'DB_SUBNET_GROUP is not set'
  export DB_SUBNET_GROUP=private
  for value in 14 14.9 8 150 17.123 x; do refused '--version is not' --version "$value"; done
  for value in 15 17.6 20; do run -0 "$BIN/rds-create" --version "$value" --dry-run; done
  for value in 19 13001 99999; do refused '--storage is not from 20' --storage "$value"; done
  for value in 100000 020 -1 x; do refused '--storage is not a number' --storage "$value"; done
  run -0 --separate-stderr "$BIN/rds-create" --storage 13000 --dry-run
  [[ $output == *"'--max-allocated-storage' '65000'"* ]]
  for value in t3.micro db.t3 'db.t3.micro x'; do refused '--class is not' --class "$value"; done
  MASTER_USERNAME='a b' refused 'MASTER_USERNAME is not'
  DB_SG_ID=sg-x refused 'DB_SG_ID is not'
  DB_SUBNET_GROUP='a,b' refused 'DB_SUBNET_GROUP is not the name'
  MASTER_USER_PASSWORD=abcdefgh refused 'Secrets Manager makes the password'
  for value in abcdefg "$(printf '%129s' '' | tr ' ' a)" 'abc/defgh' 'abc"defgh' 'abc@defgh' 'abc defgh' 'abcdéfgh'; do
    MASTER_USER_PASSWORD=$value refused 'MASTER_USER_PASSWORD is not 8 to 128' --like-the-bootcamp
  done
  for value in abcdefgh "$(printf '%128s' '' | tr ' ' a)"; do
    MASTER_USER_PASSWORD=$value run -0 "$BIN/rds-create" --like-the-bootcamp --dry-run
  done
  PROD_RDS_INSTANCE=p refused 'not for production' prod --like-the-bootcamp
  PROD_RDS_INSTANCE=p RDS_INSTANCE=P refused 'not for production' --like-the-bootcamp
}

@test "the instance's name is checked, and prod has no default" {
  run -2 "$BIN/rds-stop" prod
  [[ $output == *'PROD_RDS_INSTANCE is not set'* ]]
  for name in 1a a--b a- -a a_b "a;b" "a$(printf '%063d' 0)"; do
    RDS_INSTANCE=$name run -2 "$BIN/rds-stop" --dry-run
    [[ $output == *"RDS_INSTANCE is not an instance's name"* ]]
  done
  RDS_INSTANCE=a$(printf '%062d' 0) run -0 "$BIN/rds-stop" --dry-run
  run -2 "$BIN/rds-connect" --user ada
  run -2 "$BIN/rds-connect" --iam --url-file x
  run -2 "$BIN/rds-connect" --url-file x -- -c 'select 1'
  for port in 0 65536 123456 x 05; do run -2 "$BIN/rds-connect" --tunnel "$port" --dry-run; done
  for port in 1 65535; do run -0 "$BIN/rds-connect" --tunnel "$port" --dry-run; done
  run -2 "$BIN/rds-stop" --yes-stop
}

@test "rds-stop stops, waits, and leaves a stopped one; rds-status tells when RDS starts it" {
  instance_is available
  run -0 "$BIN/rds-stop" --wait
  [[ $(requests) == 'DescribeDBInstances StopDBInstance DescribeDBInstances' ]]
  [[ $output == *'after seven days'* ]]
  instance_is stopped '{"AutomaticRestartTime": "2026-12-06T02:35:00Z", "PubliclyAccessible": true, "BackupRetentionPeriod": 0}'
  run -0 "$BIN/rds-status"
  [[ $output == *'state        stopped'*'endpoint     cruddur.c9.ca-central-1.rds.amazonaws.com:5432'*'restarts     2026-12-06T02:35:00'* ]]
  [[ $output == *'it has a public address'*'it has no backups'* && $output != *'not encrypted'* ]]
}

@test "rds-start after throttling, and what AWS refuses is explained" {
  instance_is stopped
  echo 'StartDBInstance 400 Throttling' >"$RDS/errors"
  AWS_MAX_ATTEMPTS=2 run -0 "$BIN/rds-start"
  [[ $(requests) == 'DescribeDBInstances StartDBInstance StartDBInstance' ]]
  rm "$RDS/instance"
  run -1 "$BIN/rds-status"
  [[ $output == *'(DBInstanceNotFound)'*'there is no instance cruddur-db-instance'* ]]
}

@test "the advice for an error of aws" {
  local error
  while IFS='|' read -r error advice; do
    program aws "echo '$error' >&2; exit 254"
    run -1 "$BIN/rds-status"
    [[ $output == *"$error"*"$advice"* ]]
  done <<'ERRORS'
An error occurred (DBInstanceAlreadyExists) when calling|already, see rds-status
An error occurred (InvalidDBInstanceState) when calling|in a state in which RDS does not do that
An error occurred (Throttling) when calling|try again in a minute
An error occurred (AccessDenied) when calling|lack the right
An error occurred (ExpiredToken) when calling|valid credentials
Unable to locate credentials|valid credentials
You must specify a region|AWS_DEFAULT_REGION
Could not connect to the endpoint URL|nothing answers there
An error occurred (Whatever) when calling|see its error above
ERRORS
}

# program NAME SCRIPT: puts the program NAME, a shell script, first in PATH.
program() {
  printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/path/new"
  chmod 755 "$BATS_TEST_TMPDIR/path/new"
  mv "$BATS_TEST_TMPDIR/path/new" "$BATS_TEST_TMPDIR/path/$1"
}

# fake_aws STATUS HOST PORT ENVIRONMENT: makes an aws that has such an instance, with the columns of INSTANCE_FIELDS, and can stop it.
fake_aws() {
  local line="$1\t$2\t$3\tcruddurroot\tNone\tc\t17\t20\tgp3\tFalse\tFalse\tTrue\tTrue\t7\tTrue\tca\tNone\t$4"
  program aws "case \$* in
*stop-db*) echo stopping; touch '$BATS_TEST_TMPDIR/stopped' ;;
*generate-db*) exec /usr/bin/aws \"\$@\" ;;
*) printf '$line\\n' ;;
esac"
}

@test "production is stopped only when its name was typed: by the word, by the same name, or by the tag" {
  fake_aws available host.example 5432 development
  export PROD_RDS_INSTANCE=cruddur-prod
  for arguments in 'prod' 'prod --yes-stop cruddur' 'prod --yes-stop prod'; do
    read -ra arguments <<<"$arguments"
    run -1 "$BIN/rds-stop" "${arguments[@]}" </dev/null
    [[ $output == *PRODUCTION*'nothing was done'* && ! -e $BATS_TEST_TMPDIR/stopped ]]
  done
  RDS_INSTANCE=Cruddur-Prod run -1 "$BIN/rds-stop" </dev/null
  [[ $output == *'names the same instance as PROD_RDS_INSTANCE'* && ! -e $BATS_TEST_TMPDIR/stopped ]]
  fake_aws available host.example 5432 production
  run -1 "$BIN/rds-stop" <<<cruddur
  [[ $output == *'tag environment=production'* && ! -e $BATS_TEST_TMPDIR/stopped ]]
  run -0 "$BIN/rds-stop" <<<cruddur-db-instance
  rm "$BATS_TEST_TMPDIR/stopped"
  run -0 "$BIN/rds-stop" prod --yes-stop cruddur-prod </dev/null
  rm "$BATS_TEST_TMPDIR/stopped"
  fake_aws available host.example 5432 development
  run -0 "$BIN/rds-stop" </dev/null
  [[ -e $BATS_TEST_TMPDIR/stopped ]]
}

# database: PostgreSQL with TLS, the same for all tests. Its administrator is cruddurroot, with the password in PASSWORD, and no
# superuser, as on RDS. Its certificate is in CA.
database() {
  CA=$BATS_FILE_TMPDIR/ca.crt
  if [[ -e $CA ]]; then
    { read -r CLUSTER && read -r PORT && IFS= read -r PASSWORD; } <"$BATS_FILE_TMPDIR/cluster"
    return
  fi
  cluster_start
  printf '%s\n' "$CLUSTER" "$PORT" "$PASSWORD" >"$BATS_FILE_TMPDIR/cluster"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$CLUSTER/data/server.key" -subj /CN=localhost -days 2 \
    -addext subjectAltName=DNS:localhost -out "$CA" 2>/dev/null
  cp "$CA" "$CLUSTER/data/server.crt"
  chmod 600 "$CLUSTER/data/server.key"
  [[ $EUID != 0 ]] || chown postgres "$CLUSTER/data/"server.{key,crt}
  sql postgres "alter system set ssl = on"
  sql postgres "select pg_reload_conf()"
  sql postgres "create role cruddurroot login createdb createrole password \$\$$PASSWORD\$\$"
}

@test "rds-connect verifies the server, takes the password from Secrets Manager, and gives db-* scripts a URL" {
  database
  instance_is available "{\"Endpoint\": {\"Address\": \"localhost\", \"Port\": $PORT}}"
  python3 -c 'import json, sys; print(json.dumps({"username": "cruddurroot", "password": sys.argv[1]}))' "$PASSWORD" >"$RDS/secret"
  run -1 "$BIN/rds-connect"
  [[ $output == *'there is no '*'root.crt with the certificates of RDS: curl'* && ! -e $RDS/requests ]]
  export RDS_CA_FILE=$CA
  run -0 --separate-stderr "$BIN/rds-connect" -- -Atc 'select current_user, ssl from pg_stat_ssl where pid = pg_backend_pid()'
  [[ $output == 'cruddurroot|t' ]]
  run -0 "$BIN/rds-connect" --url-file "$BATS_TEST_TMPDIR/url"
  [[ $(stat -c %a "$BATS_TEST_TMPDIR/url") == 600 && $output != *"$PASSWORD"* ]]
  CONNECTION_URL_FILE=$BATS_TEST_TMPDIR/url run -0 "$BIN/db-connect" -- -Atc 'select current_user'
  [[ $output == *cruddurroot* ]]
  # Another certificate: no password is sent to a server that is not verified.
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null -subj /CN=localhost -days 2 \
    -out "$BATS_TEST_TMPDIR/other.crt" 2>/dev/null
  fake_aws available localhost "$PORT" None
  RDS_CA_FILE=$BATS_TEST_TMPDIR/other.crt MASTER_USER_PASSWORD=$PASSWORD run -2 "$BIN/rds-connect" -- -c 'select 1'
  [[ $output == *'certificate verify failed'* ]]
}

@test "rds-connect --iam: a token for the instance's region and the login, in psql's environment only" {
  fake_aws available cruddur.c9.eu-west-1.rds.amazonaws.com 5433 development
  program psql "printf '%s\\n' \"\$@\" >'$BATS_TEST_TMPDIR/arguments'; echo \"\$PGPASSWORD\" >'$BATS_TEST_TMPDIR/password'"
  RDS_CA_FILE=/dev/null run -0 "$BIN/rds-connect" --iam --user "o'ada" --database cruddur --tunnel 5544
  [[ $(<"$BATS_TEST_TMPDIR/password") == 'cruddur.c9.eu-west-1.rds.amazonaws.com:5433/?Action=connect&DBUser=o%27ada'*'%2Feu-west-1%2Frds-db%2F'*Signature=* ]]
  grep -F 'host=cruddur.c9.eu-west-1.rds.amazonaws.com port=5544 ' "$BATS_TEST_TMPDIR/arguments"
  grep -F ' hostaddr=127.0.0.1' "$BATS_TEST_TMPDIR/arguments"
  grep -F "user='o\\'ada' dbname='cruddur' sslmode=verify-full" "$BATS_TEST_TMPDIR/arguments"
  run ! grep Signature "$BATS_TEST_TMPDIR/arguments"
  RDS_CA_FILE=/dev/null run -1 "$BIN/rds-connect"
  [[ $output == *'Secrets Manager has no password of this instance'* ]]
  fake_aws stopped host.example 5432 development
  RDS_CA_FILE=/dev/null run -1 "$BIN/rds-connect"
  [[ $output == *'cruddur-db-instance is stopped: rds-start --wait'* ]]
  fake_aws creating None None development
  RDS_CA_FILE=/dev/null run -1 "$BIN/rds-connect"
  [[ $output == *'is creating and has no address yet'* ]]
}

@test "--wait asks again until the state is there, and gives up on one from which RDS does not come back" {
  local state=$BATS_TEST_TMPDIR/state
  fake_aws starting host.example 5432 development
  # The third call gets the last state.
  mv "$BATS_TEST_TMPDIR/path/aws" "$BATS_TEST_TMPDIR/path/asked"
  program aws "echo >>'$state'; [ \$(wc -l <'$state') -lt 3 ] || { asked \"\$@\" | sed \"s/^starting/\$(cat '$state.last')/\"; exit; }; asked \"\$@\""
  echo available >"$state.last"
  run -0 "$BIN/rds-start" --wait
  [[ $(wc -l <"$state") == 3 && $output == *'waiting until cruddur-db-instance is available'* ]]
  echo incompatible-parameters >"$state.last"
  rm "$state"
  run -1 "$BIN/rds-start" --wait
  [[ $output == *'is incompatible-parameters: see its events'* ]]
}

# recording_aws: makes an aws that writes its calls into $BATS_TEST_TMPDIR/calls. It has the instance of fake_aws, and a name for each thing
# that it creates. When a sign-up is confirmed it makes the user of event.json, as the Lambda function would.
recording_aws() {
  fake_aws available localhost "$PORT" development
  mv "$BATS_TEST_TMPDIR/path/aws" "$BATS_TEST_TMPDIR/path/instance"
  program aws "(IFS=\$(printf '\\037'); printf '%s\\n' \"\$*\") >>'$BATS_TEST_TMPDIR/calls'
case \$* in
*create-db-i*) echo creating ;;
*start-db*) echo starting ;;
*stop-db*) echo stopping ;;
*Endpoint.Address\\ *) echo localhost ;;
*describe-db-i*) instance \"\$@\" | sed 's/None/arn:aws:secretsmanager:x/' ;;
*get-secret*) cat '$BATS_TEST_TMPDIR/secret' ;;
*describe-subnets*) printf 'subnet-0123456789abcdef0\\tsubnet-0123456789abcdef1\\n' ;;
*create-security*) echo sg-0123456789abcdef0 ;;
*request-certificate* | *create-role* | *create-function*) echo arn:aws:x:ca-central-1:123456789012:made/by-aws ;;
*attach-role-policy*) ;;
*create-user-pool\\ *) printf 'ca-central-1_a\\tarn:aws:cognito-idp:ca-central-1:123456789012:userpool/ca-central-1_a\\n' ;;
*confirm-sign-up*) CONNECTION_URL_FILE=secrets/cruddur_owner-url bin/user-confirm event.json >&2 ;;
*) echo made-by-aws ;;
esac"
}

# other_programs: makes stand-ins for the other programs of the page.
other_programs() {
  local name
  for name in sudo make sam editor; do program "$name" :; done
  program terraform 'echo cruddur-db-instance'
  program curl "case \$* in *root.crt*) mkdir -p \"\$HOME/.postgresql\" && cp '$CA' \"\$HOME/.postgresql/root.crt\" ;; esac"
}

# fill_folder: makes those files of a built checkout that the page needs.
fill_folder() {
  take_build "$BATS_TEST_TMPDIR/data"
  ln -s "$BIN" "${BIN%/bin}/sql" "$BATS_TEST_TMPDIR/data/build/cruddurd" .
  ln -s /usr/bin/true autogen.sh
  ln -s /usr/bin/true configure
  mkdir -p deb infra/terraform
  touch deb/cruddur_1.0.0_amd64.deb
  { printf 'PK\5\6' && head -c 18 /dev/zero; } >cruddur-confirm.zip # an empty zip
  cp "${BIN%/bin}/infra/terraform/terraform.tfvars.example" infra/terraform
  printf '%s' '{"triggerSource": "PostConfirmation_ConfirmSignUp", "userPoolId": "ca-central-1_a", "request": {"userAttributes": {"sub": "1",
    "name": "Ada Lovelace", "preferred_username": "ada", "email": "ada@example.com"}}}' >event.json
}

# Every ```sh block of the page, in their order, as one script.
@test "the commands of doc/aws.md: from nothing to a sign-up and a post, by an administrator without superuser rights" {
  database
  printf '{"username": "cruddurroot", "password": "%s"}' "${PASSWORD//\\/\\\\}" >"$BATS_TEST_TMPDIR/secret"
  mkdir "$BATS_TEST_TMPDIR/checkout"
  cd "$BATS_TEST_TMPDIR/checkout"
  fill_folder
  recording_aws
  other_programs
  awk '/^ *```sh$/ { on = 1; next } /^ *```/ { on = 0 } on' "$BIN/../doc/aws.md" | sed "s/\b5433\b/$PORT/; s/^ *sleep 15\b.*//" >commands
  grep -q rds-create commands
  PROD_RDS_INSTANCE=cruddur-prod run -0 bash -euo pipefail commands <<<123456
  [[ $output == *"'--no-publicly-accessible'"*'endpoint     localhost:'*andrewbrown*' ada '*'Ada Lovelace'*'From the shell.'*'From the shell.'* ]]
  [[ $(stat -c %a secrets/* | sort -u) == $'600\n644' && $(stat -c '%a %n' secrets/* | grep 644) == '644 secrets/tunnel.log' ]]
  [[ $(<secrets/service) == postgresql://cruddur:*@localhost/cruddur'?sslmode=verify-full&sslrootcert=/etc/ssl/cruddur/db.pem' ]]
  [[ $(<secrets/confirm) == postgresql://cruddur_hook:*@localhost/cruddur ]]
  [[ $(python3 -c 'import json; print(json.load(open("secrets/function.json"))["Variables"]["CONNECTION_URL"])') == "$(<secrets/confirm)" ]]
  CONNECTION_URL_FILE=secrets/cruddur-url run -0 bin/db-connect -- -Atc 'select current_user, ssl from pg_stat_ssl where pid = pg_backend_pid()'
  [[ $output == *'cruddur|t'* ]]
  # No argument is a password, and the real aws accepts every call.
  run ! grep -F -f <(sed -n 's#.*://[^:]*:\([^@]*\)@.*#\1#p' secrets/admin-url secrets/confirm secrets/service) "$BATS_TEST_TMPDIR/calls"
  run -0 /usr/bin/python3 -B "$BATS_TEST_DIRNAME/helpers/aws_calls.py" "$BATS_TEST_TMPDIR/calls"
  [[ ${lines[-1]} =~ ^([0-9]+)' calls'$ && ${BASH_REMATCH[1]} -gt 50 ]]
}
