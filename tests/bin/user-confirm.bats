#!/usr/bin/env bats
# bin/user-confirm: it follows the hook's rules without the hook, with a role that may do nothing else.

load helpers/common
load helpers/cluster

setup_file() {
  cluster_start
  CONNECTION_URL=$(socket_url users) "$BIN/db-setup"
  sql users 'create role confirmer login in role cruddur_confirmation'
}

teardown_file() { cluster_stop; }

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  export CONNECTION_URL="postgresql://confirmer@/users?host=$CLUSTER&port=$PORT"
  NAME=user-$BATS_TEST_NUMBER
  write_event
}

# write_event [SED-EXPRESSION]: writes event.json, a sign-up of NAME, changed by the expression.
write_event() {
  sed "${1:-}" >event.json <<JSON
{
  "version": "1", "region": "us-east-1", "userPoolId": "us-east-1_tests", "userName": "sub-of-$NAME",
  "callerContext": {"awsSdkVersion": "3", "clientId": "client"},
  "triggerSource": "PostConfirmation_ConfirmSignUp",
  "request": {"userAttributes": {"sub": "sub-of-$NAME", "email_verified": "true", "name": "Ünï ' \" \\\\ :'x' \$y",
    "preferred_username": "$NAME", "email": "$NAME@example.com"}},
  "response": {}
}

JSON
}

confirm() { "$BIN/user-confirm" "$@"; }

# prints_the_event ARGUMENT…: succeeds with exactly event.json on stdout.
prints_the_event() {
  confirm "$@" <event.json >printed
  cmp printed event.json
}

# refuses CODE: nothing goes to stdout, no user is made, and no e-mail address is printed.
refuses() {
  local before
  before=$(users)
  run -1 --separate-stderr confirm event.json
  echo "$stderr"
  [[ -z $output && $stderr == *"no user was made: $1 (doc/user-pool.md has "* && $stderr != *@* ]]
  [[ $(users) == "$before" ]]
}

users() { sql users 'select * from users order by uuid'; }

# known: prints the display name of the only user with NAME's sub.
known() { sql users "select display_name from users where cognito_user_id = 'sub-of-$NAME' and handle = '$NAME'"; }

@test "an event makes a user, and is printed byte for byte" {
  prints_the_event event.json
  [[ $(known) == "Ünï ' \" \\ :'x' \$y" ]]
}

@test "- is standard input" {
  prints_the_event -
  [[ -n $(known) ]]
}

@test "given again, ten times at once, it is one user" {
  local pids=() pid
  for _ in {1..10}; do
    confirm event.json >/dev/null 3>&- &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid"
  done
  [[ -n $(known) ]]
}

@test "an event of another trigger is printed, and that is all" {
  local before
  before=$(users)
  write_event 's/ConfirmSignUp/ConfirmForgotPassword/'
  prints_the_event event.json
  [[ $(users) == "$before" ]]
}

@test "a handle or address of another user is refused, in whatever case" {
  write_event 's/"preferred_username": "[^"]*"/"preferred_username": "AndrewBrown"/'
  refuses handle_taken
  write_event 's/"email": "[^"]*"/"email": "Londo@Example.com"/'
  refuses email_taken
}

@test "what is missing or against the schema is refused" {
  local row
  for row in trigger_source_blank:triggerSource cognito_user_id_blank:sub user_handle_blank:preferred_username \
    display_name_blank:name email_blank:email; do
    write_event "s/\"${row#*:}\"/\"another\"/"
    refuses "${row%:*}"
  done
  write_event 's/@example//'
  refuses email_invalid
  write_event 's/"preferred_username": "/&@/'
  refuses user_handle_invalid
}

@test "an event of another pool is refused, where the pool is known" {
  AWS_COGNITO_USER_POOL_ID=us-east-1_other refuses user_pool_mismatch
  AWS_COGNITO_USER_POOL_ID=us-east-1_tests prints_the_event event.json
}

@test "what is no JSON, no UTF-8, or not there, is refused" {
  local text
  for text in '' '{' 'nonsense' '{"a":"\xff"}' '{"a":"b\0"}'; do
    printf '%b' "$text" >event.json
    run -1 --separate-stderr confirm event.json
    [[ -z $output && -n $stderr ]]
  done
  for text in '"text"' '[]' null 1; do
    printf '%s' "$text" >event.json
    refuses trigger_source_blank
  done
  run -1 confirm nowhere.json
  [[ $output == *'cannot read nowhere.json'* ]]
  run -1 confirm .
  [[ $output == *'cannot read .'* ]]
  printf '%70000s' '' >event.json
  run -1 confirm event.json
  [[ $output == *'larger than'* ]]
}

@test "SQL in an event stays text, whatever the locale" {
  write_event "s/\"name\": \"[^,]*,/\"name\": \"'; drop table users; -- \\\\\\\\ :event é\",/"
  LC_ALL=C prints_the_event event.json
  [[ $(known) == "'; drop table users; -- \\ :event é" ]]
}

@test "the event is on no command line" {
  # A psql that writes down its arguments.
  mkdir bin
  printf '#!/bin/sh\nprintf "%%s\\n" "$@" >>%q\nexec %q/psql "$@"\n' "$PWD/seen" "$PROGRAMS" >bin/psql
  chmod +x bin/psql
  PATH=$PWD/bin:$PATH run -0 confirm event.json
  [[ -s seen ]]
  run -1 grep -e "$NAME" -e ConfirmSignUp seen
}

@test "prod is production's database, and says so" {
  export PROD_CONNECTION_URL=$CONNECTION_URL CONNECTION_URL=postgresql://u@127.0.0.1:1/x
  run -0 --separate-stderr confirm prod event.json
  [[ $stderr == *PRODUCTION* && -n $(known) ]]
}

@test "misuse is status 2" {
  local arguments
  for arguments in '' 'event.json event.json' 'prod' 'prod prod event.json' '--force event.json' '--yes-drop users event.json'; do
    # shellcheck disable=SC2086 # several words
    run -2 --separate-stderr confirm $arguments
    [[ -z $output && $stderr == *--help* ]]
  done
  [[ -z $(known) ]]
}

@test "a server that is not there is status 1" {
  CONNECTION_URL=postgresql://u@127.0.0.1:1/x run -1 --separate-stderr confirm event.json
  [[ -z $output && $stderr == *'Connection refused'* ]]
}
