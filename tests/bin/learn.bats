#!/usr/bin/env bats
# doc/learn: every command of its pages, the picture of the tables, and the check of each exercise, with a right answer and a
# wrong one. All tests use one quickstart.

load helpers/quickstart
load helpers/build

setup_file() {
  skip_wrappers
  make_room
  take_build "$CLONE/var"
}

teardown_file() { remove_room; }

setup() {
  LEARN=$CLONE/bin/learn
  OWNER_URL=$CLONE/var/secrets/owner-url
  ANSWERS=$CLONE/tests/bin/learn
}

# sql STATEMENT: as the owner.
sql() {
  CONNECTION_URL_FILE=$OWNER_URL "$CLONE/bin/db-connect" -- --tuples-only --no-align --command "$1"
}

exercises() {
  local page
  for page in "$CLONE"/doc/learn/[0-9][0-9]-*.md; do
    page=${page##*/}
    echo "$((10#${page%%-*}))"
  done
}

# The commands of the first page start a fresh quickstart with settings of their own; this test leaves it to the other tests.
# The log has a request's line only shortly after the answer.
@test "the pages' commands work" {
  local script=$BATS_TEST_TMPDIR/pages
  command -v strace >/dev/null || skip 'strace is missing'
  cd "$CLONE"
  awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on' doc/learn/README.md doc/learn/[0-9]*.md \
    | sed "s/\b8080\b/$PORT/g; s/^sleep 1\$/until grep -qs epoll_wait var\/learn\/strace; do sleep 0.1; done/
      s/^grep .*learn-1 .*/until &; do sleep 0.1; done/" >"$script"
  QUICKSTART_PORT=$PORT run -0 --separate-stderr bash -euo pipefail "$script" 3>&-
  # shellcheck disable=SC2154 # which run sets
  echo "$stderr"
  [[ $output == *'1  Follow one request'*'X-Request-Id: learn-1'*'"template":"activities/create"'*'"request_id":"learn-1"'* ]]
  [[ $output == *recvfrom*REQUEST_METHODPOST*sendto*activities/create*'Trace me.'*sendmsg*'Status: 200 OK'* ]]
  [[ $output == *'cruddurd worker 1 writing | idle '*'Follow me.'* ]]
  [[ $output == *' pasted '*'     4'*' bound '*'     0'*"'); drop table users; --"*'["user_not_found"]'*'[]'*'status 1'* ]]
  [[ $output == *'Robert'*'drop table users; --'* ]]
  [[ $(sql 'select count(*) from users') == 4 ]]
}

@test "the picture of the tables is that of the schema" {
  ensure_quickstart
  CONNECTION_URL_FILE=$OWNER_URL "$CLONE/bin/db-connect" -- --tuples-only --no-align --file "$CLONE/doc/learn/tables.sql" \
    | /usr/bin/python3 "$CLONE/doc/learn/tables.py" >"$BATS_TEST_TMPDIR/tables.svg"
  cmp "$BATS_TEST_TMPDIR/tables.svg" "$CLONE/doc/learn/tables.svg"
}

# ensure_quickstart: starts one if this test is run alone.
ensure_quickstart() {
  quickstart --status --dir "$CLONE/var" || quickstart --detach --dir "$CLONE/var" --workers 1
}

# answer_first_and_eleventh FOLDER: does what these two exercises ask for, and writes the first one's answer.
answer_first_and_eleventh() {
  [[ $(curl -fsS "http://127.0.0.1:$PORT/api/activities" -H 'Content-Type: application/json' \
    -d '{"user_handle":"londo","message":"I followed one request.","ttl":"1-hour"}') =~ \"uuid\":\"([0-9a-f-]{36})\" ]]
  printf 'uuid=%s\ntemplate=activities/create\nsession=cruddurd worker 1 writing\n' "${BASH_REMATCH[1]}" >"$1/1.txt"
  CONNECTION_URL_FILE=$OWNER_URL "$CLONE/bin/user-confirm" "$ANSWERS/right/11.json" >/dev/null
}

@test "each check passes the right answer, fails the wrong one, and changes nothing" {
  local number before
  ensure_quickstart
  answer_first_and_eleventh "$ANSWERS/right"
  sed 's/ writing$//' "$ANSWERS/right/1.txt" >"$ANSWERS/wrong/1.txt"
  before=$(sql 'select count(*) from users; select count(*) from activities')
  for number in $(exercises); do
    run -0 "$LEARN" check "$number" --answers "$ANSWERS/right"
    [[ $output == *"exercise $number: right"* && -e $ANSWERS/right/$number.done ]]
    run -1 "$LEARN" check "$number" --answers "$ANSWERS/wrong"
    [[ $output == *"not yet: "* || $output == *'could not be run'* ]]
    [[ ! -e $ANSWERS/wrong/$number.done ]]
  done
  [[ $(sql 'select count(*) from users; select count(*) from activities') == "$before" ]]
  run -0 "$LEARN" list --answers "$ANSWERS/right"
  ((${#lines[@]} == number))
  [[ $output != *'[ ]'* ]]
}

@test "an answer that worsens takes its mark away" {
  mkdir "$BATS_TEST_TMPDIR/answers"
  cp "$ANSWERS"/right/10.txt "$BATS_TEST_TMPDIR/answers"
  ensure_quickstart
  run -0 "$LEARN" check 10 --answers "$BATS_TEST_TMPDIR/answers"
  cp "$ANSWERS"/wrong/10.txt "$BATS_TEST_TMPDIR/answers"
  run -1 "$LEARN" check 10 --answers "$BATS_TEST_TMPDIR/answers"
  run -0 "$LEARN" --answers "$BATS_TEST_TMPDIR/answers"
  [[ $output != *'[x]'* ]]
}

@test "what is no answer is refused with the reason, before it is run" {
  local answers=$BATS_TEST_TMPDIR/answers
  ensure_quickstart
  mkdir "$answers"
  run -1 "$LEARN" check 2 --answers "$answers"
  [[ $output == *"there is no answer yet: write it into $answers/2.sql"* ]]
  for text in 'select 1; commit' $'delete from users;\nCOMMIT ;' $'\\! touch x' 'begin; select 1' 'rollback' \
    'end' $'select 1;\nEnd ;' $'select 1;end\nwork' $'select 1; -- x\n/* y */ end and chain' $'-- x\nend transaction'; do
    printf '%s\n' "$text" >"$answers/2.sql"
    run -1 "$LEARN" check 2 --answers "$answers"
    [[ $output == *'2.sql begins or ends a transaction'* || $output == *'2.sql has a command of psql'* ]]
  done
  run -1 "$LEARN" check 2 --answers "$BATS_TEST_TMPDIR/nowhere"
  [[ $output == *'there is no folder'* ]]
  [[ $(sql 'select count(*) > 0 from users') == t ]]
}

@test "the end of a CASE may be the first word of a line" {
  local answers=$BATS_TEST_TMPDIR/answers text
  ensure_quickstart
  mkdir "$answers"
  for text in end 'end,' 'end and true' 'end -- x'; do
    printf "select handle, case when true\nthen 1\n%s as posts from users" "$text" >"$answers/2.sql"
    run -1 "$LEARN" check 2 --answers "$answers"
    [[ $output != *'begins or ends a transaction'* ]]
  done
  cat >"$answers/2.sql" <<'SQL'
select handle,
  case
    when count(a.uuid) > 0
    then count(a.uuid)
    else 0
  end
  as posts
from users u
left join activities a on a.user_uuid = u.uuid and a.reply_to_activity_uuid is null
group by u.uuid
order by 2 desc, handle;
SQL
  run -0 "$LEARN" check 2 --answers "$answers"
}

own_sessions() { sql "select count(*) from pg_stat_activity where application_name like 'learn-6%'"; }
own_sessions_are() { [[ $(own_sessions) == "$1" ]]; }

@test "two checks of sessions at a time are both right, and one that is ended leaves no session" {
  local answers=$BATS_TEST_TMPDIR/answers first
  ensure_quickstart
  mkdir "$answers"
  # both have begun their sessions before either counts them
  printf 'with waited as materialized (select pg_sleep(4) as nothing) select s.* from waited cross join lateral (%s) s\n' \
    "$(sed 's/;$//' "$ANSWERS/right/6.sql" | sed "s/^where .*/& and waited.nothing is not null/")" >"$answers/6.sql"
  "$LEARN" check 6 --answers "$answers" >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  first=$!
  run -0 "$LEARN" check 6 --answers "$answers"
  wait "$first"
  own_sessions_are 0
  printf 'select pg_sleep(30)::text as application_name\n' >"$answers/6.sql"
  "$LEARN" check 6 --answers "$answers" >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  first=$!
  eventually own_sessions_are 2
  kill "$first"
  wait "$first" || true
  eventually own_sessions_are 0
}

@test "misuse is status 2; production is left alone" {
  run -2 "$LEARN" check
  run -2 "$LEARN" check 99
  run -2 "$LEARN" check 0
  run -2 "$LEARN" check two
  run -2 "$LEARN" check 2 3
  run -2 "$LEARN" list 2
  run -2 "$LEARN" 2
  run -2 "$LEARN" --answers
  ensure_quickstart
  sql "insert into environment (name) values ('production')"
  run -1 "$LEARN" check 10 --answers "$ANSWERS/right"
  sql 'delete from environment'
  [[ $output == *'is production: answers are not tried there'* ]]
}

@test "quickstart's database is meant, whatever libpq's variables say" {
  ensure_quickstart
  PGPORT=1 PGUSER=x PGHOSTADDR=127.0.0.1 PGSERVICE=none run -0 "$LEARN" check 10 --answers "$ANSWERS/right"
  # The owner's URL has everything that names the server.
  CONNECTION_URL_FILE=$OWNER_URL PGPORT=1 PGUSER=x run -0 "$CLONE/bin/db-sessions"
}

@test "without a database it says how to get one" {
  run -0 "$CLONE/bin/quickstart" --stop
  run -1 "$LEARN" check 10 --answers "$ANSWERS/right"
  [[ $output == *'bin/quickstart --detach starts it'* ]]
  mv "$CLONE/var/secrets" "$BATS_TEST_TMPDIR"
  run -1 "$LEARN" check 10 --answers "$ANSWERS/right"
  mv "$BATS_TEST_TMPDIR/secrets" "$CLONE/var"
  [[ $output == *'bin/quickstart --detach makes one'* ]]
}
