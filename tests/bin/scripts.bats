#!/usr/bin/env bats
# What holds for every script: how it is installed, its help, its answer to misuse. These tests need no server.

load helpers/common

SCRIPTS='db-connect db-create db-doctor db-drop db-migrate db-purge db-roles db-rollback db-schema-load db-seed db-sessions db-connections db-setup
  growth rds-connect rds-create rds-start rds-status rds-stop rds-update-sg-rule db-rds-update-sg-rule'
EVERY_SCRIPT="$SCRIPTS db-backup db-restore learn reports user-confirm user-delete user-export user-suspend" # the added ones take a name

setup() {
  # No server listens there: a script that goes on after misuse fails with 1 and not with 2.
  export CONNECTION_URL=postgresql://u@127.0.0.1:1/x PROD_CONNECTION_URL=postgresql://u@127.0.0.1:1/y
}

@test "the program, the package, the description of the API and the list of changes have one version" {
  local top=$BIN/.. version
  version=$(sed -n 's/^AC_INIT(\[cruddur\], \[\(.*\)\])$/\1/p' "$top/configure.ac")
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]
  [[ $(head -n 1 "$top/debian/changelog") == "cruddur ($version) "* ]]
  [[ $(sed -n 's/^  version: //p' "$top/doc/openapi.yaml") == "$version" ]]
  [[ $(sed -n 's/^## //p' "$top/CHANGELOG.md" | head -n 1) == "$version" ]]
}

@test "every script is executable and finds bash by way of env" {
  for script in $EVERY_SCRIPT; do
    [[ -x $BIN/$script ]]
    read -r line <"$BIN/$script"
    [[ $line == '#!/usr/bin/env bash' ]]
  done
}

@test "--help goes to stdout with status 0, under the name that was called" {
  for script in $EVERY_SCRIPT; do
    run -0 --separate-stderr "$BIN/$script" --help
    [[ ${lines[0]} == "Usage: $script "* ]]
    [[ -z $stderr ]]
  done
}

# misused SCRIPT ARGUMENT
misused() {
  run -2 --separate-stderr "$BIN/$1" "$2"
  [[ -z $output ]]
  [[ $stderr == *"unknown argument: $2"*"Try '$1 --help'."* ]]
}

# The first loop has one script for each way in which scripts read arguments.
@test "misuse is status 2, on stderr, with a hint" {
  for script in db-drop db-migrate db-purge growth rds-stop rds-update-sg-rule; do
    for argument in PROD production local dev --prod --yes-dorp '' ' ' 'prod --if-exists' 'cruddur'; do
      misused "$script" "$argument"
    done
  done
  for script in $SCRIPTS; do
    misused "$script" --force
  done
}

@test "too many arguments are misuse" {
  for script in $SCRIPTS; do
    run -2 "$BIN/$script" prod prod
    run -2 "$BIN/$script" prod extra
  done
}

@test "an option of another script is misuse" {
  run -2 "$BIN/db-create" --yes-drop x
  run -2 "$BIN/db-create" --if-exists
  run -2 "$BIN/db-drop" --if-not-exists
  run -2 "$BIN/db-sessions" --if-exists
  run -2 "$BIN/db-seed" -- -c 'select 1'
}

@test "--yes-drop without a name is misuse" {
  for script in db-drop db-purge db-schema-load db-seed db-setup; do
    run -2 "$BIN/$script" prod --yes-drop
  done
}

@test "sourcing a script does nothing and leaves the shell as it was" {
  for script in $EVERY_SCRIPT; do
    run -0 bash -c 'source "$1" prod; echo "status $? options $-"' bash "$BIN/$script"
    [[ ${lines[0]} == 'Run this script, do not source it.' ]]
    [[ ${lines[1]} == "status 2 options "* && ${lines[1]##* } != *[eu]* ]]
  done
}

@test "no CONNECTION_URL, or an empty one, is named" {
  for script in db-connect db-create db-drop db-purge db-schema-load db-seed db-sessions db-setup growth; do
    unset CONNECTION_URL PROD_CONNECTION_URL
    run -2 "$BIN/$script"
    [[ $output == *'CONNECTION_URL is not set'* ]]
    CONNECTION_URL='' run -2 "$BIN/$script"
    export CONNECTION_URL=postgresql://u@127.0.0.1:1/x
    run -2 "$BIN/$script" prod
    [[ $output == *'PROD_CONNECTION_URL is not set'* ]]
  done
}

@test "a server that is not there is status 1" {
  for script in db-create db-drop db-purge db-schema-load db-seed db-sessions db-setup growth; do
    run -1 "$BIN/$script" </dev/null
    [[ $output == *'Connection refused'* ]]
    [[ $output == *"$script: no connection to x on 127.0.0.1, port 1"*'that CONNECTION_URL has the right host'* ]]
    PROD_CONNECTION_URL=$CONNECTION_URL run -1 "$BIN/$script" prod </dev/null
    [[ $output == *'that PROD_CONNECTION_URL has the right host'* || $output == *'nothing was done'* ]]
  done
}

@test "called by a symbolic link from another folder, a script finds its library" {
  ln -s "$BIN/db-sessions" "$BATS_TEST_TMPDIR/sessions"
  cd /
  run -1 "$BATS_TEST_TMPDIR/sessions"
  [[ $output == *'Connection refused'* ]]
}

@test "colours only on a terminal, and not with NO_COLOR" {
  red=$'\033[1;31m'
  run -1 script -qec "$BIN/db-sessions prod" /dev/null
  [[ $output == *"$red== PRODUCTION"* ]]
  NO_COLOR=1 run -1 script -qec "$BIN/db-sessions prod" /dev/null
  [[ $output == *'== PRODUCTION'* && $output != *$'\033'* ]]
  run -1 "$BIN/db-sessions" prod
  [[ $output == *'== PRODUCTION'* && $output != *$'\033'* ]]
}
