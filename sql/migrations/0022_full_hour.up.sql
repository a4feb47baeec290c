-- One function says whether an hour is full, where there was one each for activities, messages and reports.
drop function full_hour(uuid, integer), full_message_hour(uuid, integer), full_report_hour(uuid, integer);

create function full_hour(what text, author uuid, most integer) returns table (retry_after_s integer)
    language plpgsql
    stable
    rows 1
as $$
declare
    nth timestamptz;
begin
    if most = 0 then
        return;
    elsif what = 'activities' then
        nth := (
            select created_at
            from (
                select user_uuid, created_at from public.activities where reply_to_activity_uuid is null
                union all
                select user_uuid, created_at from public.activities where (reply_to_activity_uuid is null) is false
            ) made
            where user_uuid = author
                and created_at > now() - interval '1 hour'
                and created_at <= now()
            order by created_at desc
            offset most - 1
            limit 1
        );
    elsif what = 'messages' then
        nth := (
            select created_at
            from public.messages
            where user_uuid = author
                and created_at > now() - interval '1 hour'
                and created_at <= now() + interval '2 seconds' -- see place_message
            order by created_at desc
            offset most - 1
            limit 1
        );
    else
        nth := (
            select created_at
            from public.reports
            where reporter_uuid = author
                and created_at > now() - interval '1 hour'
                and created_at <= now()
            order by created_at desc
            offset most - 1
            limit 1
        );
    end if;
    return query
    select greatest(ceil(extract(epoch from nth + interval '1 hour' - now())), 1)::integer
    where nth is not null;
end
$$;
revoke all on function full_hour(text, uuid, integer) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function full_hour(text, uuid, integer) to cruddur_app;
    end if;
end
$$;
