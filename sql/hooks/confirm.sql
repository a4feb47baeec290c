-- Summary: a new user, by the function `confirm_user`, unless a newer event has made it
-- Cost: nothing
-- Makes the user of an event of Cognito's PostConfirmation trigger. The answer is the event, byte for byte.
-- %(event)s: the event's JSON. %(pool)s: the user pool that the event must be of; null: any. %(uuid)s: the uuid of a new user.
-- A repeated statement writes the same again; confirm_user in schema.sql has the rules.
-- %(signed_at)s: when the event was signed, in seconds since 1970. An event that is older than the last one, or was applied already,
-- changes nothing, and the outcome is ok.
-- %(not_after)s: as in activities/create.sql. An advisory lock of class 1668445543 serializes the events of one user.
-- Outcomes: ok, trigger_source_blank, user_pool_mismatch, cognito_user_id_blank, cognito_user_id_invalid,
-- user_handle_blank, user_handle_invalid, display_name_blank, display_name_exceed_max_chars, display_name_invalid,
-- email_blank, email_invalid, handle_taken, email_taken (another user has it).
with held as materialized (
    select pg_advisory_xact_lock(1668445543, hashtext(%(event)s::json #>> '{request,userAttributes,sub}'))
),
timely as materialized (
    select
    from held
    where clock_timestamp() < 'epoch'::timestamptz + %(not_after)s::bigint * interval '1 microsecond'
)
select
    coalesce((select public.confirm_user(%(uuid)s::uuid, %(event)s::json, %(pool)s, to_timestamp(%(signed_at)s::bigint)) from timely), 'late') as outcome,
    %(event)s::json as body,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_us,
    pg_current_xact_id_if_assigned() as xid
