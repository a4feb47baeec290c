# shellcheck shell=bash
# What the scripts about one user share, beside database.sh. Sourced, never run.

# take_one WHAT ARGUMENT…: leaves the one argument that is neither an option nor prod in `taken`, and passes the rest to parse_arguments.
take_one() {
  local what=$1 others=()
  shift
  taken=''
  while (($#)); do
    case $1 in
      --yes-drop)
        others+=("${@:1:2}")
        (($# == 1)) || shift
        ;;
      prod | -*) others+=("$1") ;;
      *)
        [[ -z $taken ]] || usage_error "one $what only"
        taken=${1#@}
        ;;
    esac
    shift
  done
  parse_arguments --yes-drop "${others[@]}"
  [[ -n $taken ]] || usage_error "which $what?"
}

# find_user HANDLE: leaves the user's UUID in `user_uuid` and the handle in `user_handle`; stops if there is no such user. Two handles from
# before migration 11 can be equal by fold_text, which finds only the older user: the one with exactly this handle goes first.
find_user() {
  local found
  found=$(
    run_psql "$DATABASE" --tuples-only --no-align --field-separator ' ' --set handle="$1" <<'SQL'
select uuid, handle
from public.users
where handle = :'handle'
    or folded_handle = public.fold_text(:'handle')
order by (handle = :'handle') desc
limit 1;
SQL
  ) || exit 1
  [[ -n $found ]] || die "there is no user $1 on $(place)"
  # shellcheck disable=SC2034 # for the scripts
  read -r user_uuid user_handle <<<"$found"
}

# suspend_user UUID: suspends the user, whose writes are then refused, and hides the user's posts; prints `ok` or `missing`. The lock on
# the user's row waits for posts that are being written; the second pass hides those that were still being written in the first.
suspend_user() {
  run_psql "$DATABASE" --tuples-only --no-align --set uuid="$1" <<'SQL'
\o /dev/null
set client_min_messages = warning;
set statement_timeout = 0;
select set_config('suspended.user', coalesce((select uuid::text from public.users where uuid = :'uuid'), ''), false);
do $$
declare
    suspended constant uuid := nullif(current_setting('suspended.user'), '');
begin
    for pass in 1..2 loop
        perform from public.users where uuid = suspended for update;
        update public.users set suspended_at = coalesce(suspended_at, now()) where uuid = suspended;
        commit;
        while public.hide_activities(suspended, 500) > 0 loop
            commit;
        end loop;
        commit;
    end loop;
end
$$;
\o
select case when current_setting('suspended.user') = '' then 'missing' else 'ok' end;
SQL
}

# restore_user UUID: takes the suspension back. Posts that would have expired meanwhile stay invisible.
restore_user() {
  run_psql "$DATABASE" --tuples-only --no-align --set uuid="$1" <<'SQL'
\o /dev/null
set client_min_messages = warning;
set statement_timeout = 0;
select set_config('suspended.user', coalesce((select uuid::text from public.users where uuid = :'uuid'), ''), false);
do $$
declare
    restored constant uuid := nullif(current_setting('suspended.user'), '');
    hidden   uuid[];
begin
    update public.users set suspended_at = null where uuid = restored;
    commit;
    loop
        hidden := array(
            select uuid
            from public.activities
            where user_uuid = restored
                and hidden_expires_at is not null
            limit 500
        );
        exit when hidden = '{}';
        perform public.show_activities(hidden);
        commit;
    end loop;
end
$$;
\o
select case when current_setting('suspended.user') = '' then 'missing' else 'ok' end;
SQL
}
