#!/usr/bin/env bats
# Each script that creates, changes or drops a database does its work once: bin/check --quick runs this file. Other files test
# everything else about the scripts.

load helpers/common
load helpers/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }

setup() {
  CONNECTION_URL=$(socket_url smoke)
  export CONNECTION_URL
}

@test "db-create, db-schema-load, db-seed, db-sessions, db-connections" {
  run -0 "$BIN/db-create"
  run -0 "$BIN/db-schema-load"
  run -0 "$BIN/db-seed"
  [[ $(sql smoke 'select count(*) from users') == 4 ]]
  run -0 "$BIN/db-sessions"
  run -0 "$BIN/db-connections"
}

@test "db-connect, growth, db-purge, user-confirm, user-export, user-suspend, reports, user-delete" {
  run -0 "$BIN/db-connect" -- --tuples-only --command 'select 6 * 7'
  [[ $output == *42* ]]
  run -0 "$BIN/growth" --tz Europe/Berlin
  [[ $output == *users* ]]
  run -0 "$BIN/db-purge"
  run -0 "$BIN/user-confirm" - <<<'{"triggerSource": "PostConfirmation_ConfirmSignUp", "userPoolId": "p", "request": {"userAttributes":
    {"sub": "sub", "name": "Delenn", "preferred_username": "delenn", "email": "delenn@example.com", "email_verified": "true"}}}'
  [[ $(sql smoke "select display_name from users where handle = 'delenn'") == Delenn ]]
  run -0 "$BIN/user-export" delenn
  [[ $output == *delenn@example.com* ]]
  run -0 "$BIN/user-suspend" delenn
  run -0 "$BIN/user-suspend" --undo delenn
  run -0 "$BIN/reports"
  [[ $output == *reasons* ]]
  run -0 "$BIN/user-delete" delenn
}

@test "db-doctor" {
  run "$BIN/db-doctor"
  [[ $output == *'postgres is a superuser'* ]]
}

@test "db-rollback and db-migrate" {
  run -0 "$BIN/db-rollback" --dry-run
  run -0 "$BIN/db-rollback"
  run -0 "$BIN/db-migrate"
  [[ $(sql smoke 'select count(*) from users') == 4 ]]
}

@test "db-roles" {
  mkdir -m 700 "$BATS_TEST_TMPDIR/secrets"
  run -0 "$BIN/db-roles" --passwords "$BATS_TEST_TMPDIR/secrets" --generate
  [[ $(sql postgres "select count(*) from pg_roles where rolname like 'cruddur%'") == 7 ]]
}

@test "db-backup and db-restore" {
  needs pg_dump
  run -0 "$BIN/db-backup" "$BATS_TEST_TMPDIR/smoke.dump"
  run -0 "$BIN/db-drop"
  run -0 "$BIN/db-create"
  run -0 "$BIN/db-restore" "$BATS_TEST_TMPDIR/smoke.dump"
  [[ $(sql smoke 'select count(*) from users') == 4 ]]
}

@test "db-setup and db-drop" {
  run -0 "$BIN/db-setup"
  run -0 "$BIN/db-drop"
  run ! database_exists smoke
}

@test "what else is in bin/ explains itself" {
  local script
  for script in bench check cluster dev-token learn quickstart rds-connect rds-create rds-start rds-status rds-stop rds-update-sg-rule db-rds-update-sg-rule; do
    run -0 "$BIN/$script" --help
    [[ $output == Usage:* ]]
  done
}

@test "no script is missing here" {
  local script
  for script in "$BIN"/*; do
    [[ -d $script ]] || grep -qw -- "${script##*/}" "$BATS_TEST_FILENAME"
  done
}
