# shellcheck shell=bash
# The checks of the exercises in doc/learn: check_N for page N, which returns if the answer in $answers is right, and stops with a
# message about the error if it is not. Sourced by bin/learn, never run. `work` is a folder for a check's files.

work=''
sessions=() # the processes of the sessions that a check began

# wrong TEXT: the answer is not right.
wrong() {
  die "exercise ${FUNCNAME[1]#check_}: not yet: $1"
}

# answer NAME: leaves the path of that answer in REPLY.
# shellcheck disable=SC2154 # `answers` is bin/learn's
answer() {
  REPLY=$answers/$1
  [[ -f $REPLY && -s $REPLY ]] || die "there is no answer yet: write it into $REPLY"
}

# has_transaction SQL: whether it begins or ends a transaction. The end of a CASE may begin a line, too, so `end` counts only where a
# statement begins, whatever the lines, and comments are left out for that.
has_transaction() {
  grep -qiE '(^|;)[[:space:]]*(begin|start[[:space:]]+transaction|commit|rollback|abort)\b' <<<"$1" \
    || printf '%s\n' "$1" | sed 's:/[*][^*]*[*]/: :g; s/--.*//' | tr '\n' ' ' \
    | grep -qiE '(^|;)[[:space:]]*end[[:space:]]*(;|$|\b(work|transaction|and)\b)'
}

# sql_answer NAME: leaves the text of an answer in SQL in REPLY. It runs in a transaction that is rolled back, and must not end that.
sql_answer() {
  answer "$1"
  local text
  text=$(<"$REPLY")
  ! has_transaction "$text" \
    || die "$1 begins or ends a transaction: leave that to the check"
  ! grep -qE '^[[:space:]]*[\]' <<<"$text" || die "$1 has a command of psql (a line that begins with a backslash): write SQL only"
  REPLY=$text
}

# statement_answer NAME: the same for an answer that is one statement, without its semicolon.
statement_answer() {
  sql_answer "$1"
  REPLY=${REPLY%"${REPLY##*[!;[:space:]]}"}
}

# trial [ARGUMENT…]: runs the SQL of stdin in a transaction that is rolled back; prints rows without decoration.
trial() {
  { printf "\\\\set VERBOSITY terse\nset client_min_messages = warning;\nbegin;\nset local search_path = public, pg_temp;\n" && cat && printf ';\nrollback;\n'; } \
    | run_psql '' --tuples-only --no-align "$@" || die 'the answer could not be run: the error is above'
}

# rows STATEMENT: SQL that gives all of its rows as one JSON array.
rows() {
  printf "with answer as (\n%s\n)\nselect coalesce(jsonb_agg(to_jsonb(answer)), '[]') from answer;\n" "$1"
}

# same EXPECTED FOUND: whether two results are equal; prints both if they are not.
same() {
  [[ $1 == "$2" ]] && return
  printf 'expected: %s\nyours:    %s\n' "$1" "$2" >&2
  return 1
}

# These rows are inserted before an answer runs, so that an answer that was copied from today's rows is wrong.
readonly PRACTICE_ROWS="
  insert into users (display_name, handle, email, cognito_user_id) values
    ('Lennier', 'learn_lennier', 'lennier@learn.example', 'learn-lennier'), ('Vir', 'learn_vir', 'vir@learn.example', 'learn-vir');
  insert into activities (user_uuid, message, expires_at, created_at)
    select u.uuid, v.message, now() + interval '1 day', now() - v.age
    from users u
    cross join (values ('The \"older\" one', interval '2 hours'), ('The newer one', interval '1 hour')) v (message, age)
    where u.handle = 'learn_lennier';"

# attempt(statement): runs it and returns its SQLSTATE; 00000 if it succeeds.
readonly ATTEMPT="
  create function pg_temp.attempt(statement text) returns text language plpgsql as \$\$
  begin
    execute statement;
    return '00000';
  exception when others then
    return sqlstate;
  end
  \$\$;"

# Follow one request: lines uuid=…, template=…, session=….
check_1() {
  local uuid template session found
  answer 1.txt
  uuid=$(sed -n 's/^uuid=//p' "$REPLY")
  template=$(sed -n 's/^template=//p' "$REPLY")
  session=$(sed -n 's/^session=//p' "$REPLY")
  [[ $uuid =~ ^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$ ]] || wrong 'uuid= is to be the uuid of your post'
  found=$(trial --set uuid="$uuid" <<<"select u.handle, a.message from activities a join users u on u.uuid = a.user_uuid where a.uuid = :'uuid'")
  [[ $found == 'londo|I followed one request.' ]] || wrong 'there is no post of londo with that uuid and the message "I followed one request."'
  [[ $template == activities/create ]] || wrong 'template= is to be what the line of the statement in the log names'
  [[ $session =~ ^cruddurd\ worker\ [0-9]+\ writing$ ]] || wrong 'session= is to be the application_name of the session that ran it'
}

# Posts for each user.
check_2() {
  local query expected found
  statement_answer 2.sql
  query=$REPLY
  expected="select u.handle, count(a.uuid) as posts
    from users u left join activities a on a.user_uuid = u.uuid and a.reply_to_activity_uuid is null
    group by u.uuid order by count(a.uuid) desc, u.handle"
  expected=$(trial <<<"$PRACTICE_ROWS $(rows "$expected")")
  found=$(trial <<<"$PRACTICE_ROWS $(rows "$query")")
  same "$expected" "$found" || wrong 'the rows differ: columns handle and posts, users without posts too, most posts first, then by handle'
}

# Two tables in third normal form.
check_3() {
  local found
  sql_answer 3.sql
  found=$(
    trial <<SQL
create schema learn;
$REPLY;
$PRACTICE_ROWS
$ATTEMPT
select string_agg(what, ', ') from (
  select what from (values
    (1, '00000', 'a tag can be inserted', \$\$insert into learn.hashtags (tag) values ('#c')\$\$),
    (2, '23505', 'a tag is there once', \$\$insert into learn.hashtags (tag) values ('#c')\$\$),
    (3, '23502', 'a tag is not null', \$\$insert into learn.hashtags (tag) values (null)\$\$),
    (4, '00000', 'an activity has a tag', \$\$insert into learn.activity_hashtags (activity_uuid, tag) select uuid, '#c' from activities where message = 'The newer one'\$\$),
    (5, '23505', 'an activity has a tag once', \$\$insert into learn.activity_hashtags (activity_uuid, tag) select uuid, '#c' from activities where message = 'The newer one'\$\$),
    (6, '23503', 'the activity exists', \$\$insert into learn.activity_hashtags (activity_uuid, tag) values (gen_random_uuid(), '#c')\$\$),
    (7, '23503', 'the tag exists', \$\$insert into learn.activity_hashtags (activity_uuid, tag) select uuid, '#none' from activities where message = 'The newer one'\$\$),
    (8, '23503', 'a tag that is used stays', \$\$delete from learn.hashtags where tag = '#c'\$\$),
    (9, '00000', 'an activity takes its tags along', \$\$delete from activities where message = 'The newer one'\$\$)
  ) probe (number, expected, what, statement)
  where pg_temp.attempt(statement) <> expected
  order by number
) broken
SQL
  )
  [[ -z $found ]] || wrong "this does not hold: $found"
}

# An insert that can be sent twice.
check_4() {
  local found again='0d6a1f8e-52c1-4b8e-9f27-3a1c5d0b8e64' other='0d6a1f8e-52c1-4b8e-9f27-3a1c5d0b8e65'
  statement_answer 4.sql
  found=$(
    trial --set message='Twice' --set handle=londo <<SQL
\\set uuid $again
$(rows "$REPLY")
$(rows "$REPLY")
\\set uuid $other
$(rows "$REPLY")
select count(*) from activities where uuid in ('$again', '$other') and message = 'Twice'
SQL
  )
  same "[{\"uuid\": \"$again\"}]"$'\n'"[{\"uuid\": \"$again\"}]"$'\n'"[{\"uuid\": \"$other\"}]"$'\n'2 "$found" \
    || wrong 'each run is to return the uuid, and one uuid is to be one row'
}

# A script for the database.
check_5() {
  local count found status=0
  answer 5.sh
  [[ -x $REPLY ]] || wrong "5.sh cannot be run: chmod +x $REPLY"
  found=$(readlink -f "$REPLY")
  count=$(run_psql '' --tuples-only --no-align <<<'select count(*) from users')
  same "$count" "$(cd / && "$found")" || wrong 'it is to print the number of users and nothing else, from any folder'
  [[ -z $("$found" PROD 2>/dev/null) ]] || wrong 'a word that it does not know is not to print the number'
  "$found" PROD >"$work/out" 2>&1 || status=$?
  ((status == 2)) || wrong "for a word that it does not know its exit status is to be 2, not $status"
  if env --unset=CONNECTION_URL_FILE CONNECTION_URL=postgresql://x@127.0.0.1:1/x "$found" >"$work/out" 2>&1; then
    wrong 'without a database it is to fail'
  fi
}

# end_sessions: ends the sessions that a check began, if it did. A server does not notice that the client of a statement is gone.
end_sessions() {
  ((${#sessions[@]})) || return 0
  kill "${sessions[@]}" 2>/dev/null || true
  wait "${sessions[@]}" 2>/dev/null || true
  sessions=()
  run_psql '' --set name="learn-6-$$" >/dev/null <<<"select pg_terminate_backend(pid) from pg_stat_activity where application_name = :'name'" || true
}

# Sessions and what they do. Two sessions of the check's own are among them, with a name that no other check has at the same time.
check_6() {
  local query found name=learn-6-$$ deadline=$((SECONDS + 30))
  statement_answer 6.sql
  query=$REPLY
  (PGAPPNAME=$name exec_psql '' --no-password --quiet) <<<'select pg_sleep(100)' >/dev/null 2>&1 &
  sessions+=("$!")
  (PGAPPNAME=$name exec_psql '' --no-password --quiet) <<<'select 1 \watch 100' >/dev/null 2>&1 &
  sessions+=("$!")
  until found=$(trial --set name="$name" <<<"select string_agg(state, ' ' order by state) from pg_stat_activity where application_name = :'name'") \
    && [[ $found == 'active idle' ]]; do
    ((SECONDS < deadline)) || die 'the sessions of the check did not begin'
    sleep 0.1
  done
  found=$(trial --set name="$name" <<<"$(rows "select * from ($query) sessions where application_name = :'name'")") || true
  end_sessions
  same "[{\"active\": 1, \"sessions\": 2, \"application_name\": \"$name\"}]" "$found" \
    || wrong 'columns application_name, sessions and active; one row for each application_name of this database'
}

# A template that no value can change.
check_7() {
  local template value found
  statement_answer 7.sql
  [[ $REPLY == *'%(handle)s'* ]] || wrong 'the template has no parameter %(handle)s'
  template=${REPLY//%(handle)s/:\'handle\'}
  found=$(trial --set handle=learn_lennier <<<"$PRACTICE_ROWS $(rows "$template")")
  same '[{"message": "The newer one"}, {"message": "The \"older\" one"}]' "$found" || wrong 'the messages of the user, newest first, in a column message'
  for value in learn_vir "x' or 'x' = 'x" "learn_lennier'; drop table users; --" '%' ''; do
    found=$(trial --set handle="$value" <<<"$PRACTICE_ROWS $(rows "$template")")
    same '[]' "$found" || wrong "the handle <$value> has no messages"
  done
}

# JSON that PostgreSQL makes.
check_8() {
  local found
  statement_answer 8.sql
  [[ $(trial --set handle=learn_nobody <<<"$PRACTICE_ROWS $(rows "$REPLY")") == '[]' ]] || wrong 'for a handle that there is not: no row'
  found=$(trial --set handle=learn_vir <<<"$PRACTICE_ROWS $(rows "$REPLY")")
  same '[{"body": {"posts": [], "handle": "learn_vir"}}]' "$found" || wrong 'for a user without posts: "posts" is []'
  found=$(trial --set handle=learn_lennier <<<"$PRACTICE_ROWS $(rows "$REPLY")")
  same '[{"body": {"posts": [{"message": "The newer one"}, {"message": "The \"older\" one"}], "handle": "learn_lennier"}}]' "$found" \
    || wrong 'one row, one column body: {"handle": …, "posts": [{"message": …}, …]}, newest first'
}

# The SQLSTATE of each statement in errors.sql, as the server reports it.
check_9() {
  local number statement state given=0
  answer 9.txt
  while IFS='|' read -r number statement; do
    state=$(trial --set statement="$statement" <<<"$ATTEMPT $PRACTICE_ROWS select pg_temp.attempt(:'statement')")
    [[ $(sed -n "s/^${number}[ =:]*//p" "$REPLY") == "$state" ]] || wrong "statement $number of errors.sql fails with another SQLSTATE"
    given=$((given + 1))
  done < <(sed -nE 's/^([0-9]+)\. (.*);$/\1|\2/p' "$PAGES/errors.sql")
  ((given > 0)) || die "$PAGES/errors.sql has no statement"
}

# The quiz about RDS and its security: a letter for each question.
check_10() {
  local number right=0
  local -r letters=cbadbc
  answer 10.txt
  for ((number = 1; number <= ${#letters}; number++)); do
    if [[ $(sed -nE "s/^${number}[ =:.]*([a-dA-D])[[:space:]]*\$/\\1/p" "$REPLY" | tr '[:upper:]' '[:lower:]') == "${letters:number-1:1}" ]]; then
      right=$((right + 1))
    fi
  done
  ((right == ${#letters})) || wrong "$right of ${#letters} are right"
}

# The user of an event, made once.
check_11() {
  local found
  answer 11.json
  found=$(
    CRUDDUR_EVENT=$(<"$REPLY") trial <<'SQL'
\getenv event CRUDDUR_EVENT
select :'event'::json ->> 'triggerSource' = 'PostConfirmation_ConfirmSignUp' as is_sign_up, :'event'::json #>> '{request,userAttributes,sub}' as sub,
  :'event'::json #>> '{request,userAttributes,preferred_username}' as handle \gset
select case when :'is_sign_up' <> 't' then 'the event is of another trigger' when lower(:'handle') <> 'grace' then 'the handle is not grace' end;
select case when not exists (select from users where cognito_user_id = :'sub' and handle = :'handle') then 'there is no such user: give the event to bin/user-confirm' end;
select confirm_user(gen_random_uuid(), :'event', null) as outcome \gset
select case when :'outcome' <> 'ok' then 'a second delivery is answered with ' || :'outcome' end;
select case when count(*) <> 1 then 'there are ' || count(*) || ' users with this sub' end from users where cognito_user_id = :'sub'
SQL
  )
  found=$(sed '/^$/d' <<<"$found")
  [[ -z $found ]] || wrong "${found%%$'\n'*}"
}

# New posts for each of seven days.
check_12() {
  local query posts expected found
  statement_answer 12.sql
  query=$REPLY
  posts="$PRACTICE_ROWS
    set local timezone = 'Etc/GMT+11';
    insert into activities (user_uuid, message, expires_at, created_at)
      select u.uuid, 'x', now() + interval '1 day', date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - v.age
      from users u cross join (values (interval '1 second'), (interval '6 days'), (interval '6 days 1 second'), (interval '3 days'), (interval '3 days')) v (age)
      where u.handle = 'learn_vir';"
  expected="select to_char(d.day, 'YYYY-MM-DD') as day,
      (select count(*) from activities a where a.reply_to_activity_uuid is null and (a.created_at at time zone 'UTC')::date = d.day) as posts
    from (select (now() at time zone 'UTC')::date - n as day from generate_series(0, 6) n) d order by d.day"
  expected=$(trial <<<"$posts $(rows "$expected")")
  found=$(trial <<<"$posts $(rows "$query")")
  same "$expected" "$found" || wrong "columns day ('YYYY-MM-DD', of UTC) and posts; the last seven days, today last, days without posts too"
}
