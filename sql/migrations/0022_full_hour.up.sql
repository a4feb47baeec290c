-- One function says whether an hour is full, where there was one each for activities, messages and reports.
drop function full_hour(uuid, integer), full_message_hour(uuid, integer), full_report_hour(uuid, integer);

create function full_hour(what text, author uuid, most integer) returns table (retry_after_s integer)
    language sql
    stable
    rows 1
as $$
    select greatest(ceil(extract(epoch from nth.created_at + interval '1 hour' - now())), 1)::integer
    from (
        select created_at
        from (
            select user_uuid, created_at from public.activities where what = 'activities' and reply_to_activity_uuid is null
            union all
            select user_uuid, created_at from public.activities where what = 'activities' and (reply_to_activity_uuid is null) is false
            union all
            select user_uuid, created_at from public.messages where what = 'messages'
            union all
            select reporter_uuid, created_at from public.reports where what = 'reports'
        ) made
        where user_uuid = author
            and created_at > now() - interval '1 hour'
            and created_at <= now() + interval '2 seconds' -- see place_message
        order by created_at desc
        offset greatest(most - 1, 0)
        limit 1
    ) nth
    where most > 0
$$;
revoke all on function full_hour(text, uuid, integer) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function full_hour(text, uuid, integer) to cruddur_app;
    end if;
end
$$;
