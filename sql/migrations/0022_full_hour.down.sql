drop function full_hour(text, uuid, integer);

create function full_hour(author uuid, most integer) returns table (retry_after_s integer)
    language sql
    stable
    rows 1
as $$
    select greatest(ceil(extract(epoch from nth.created_at + interval '1 hour' - now())), 1)::integer
    from (
        select created_at
        from public.activities
        where user_uuid = author
            and reply_to_activity_uuid is null
            and created_at > now() - interval '1 hour'
            and created_at <= now()
        union all
        select created_at
        from public.activities
        where user_uuid = author
            and (reply_to_activity_uuid is null) is false
            and created_at > now() - interval '1 hour'
            and created_at <= now()
        order by created_at desc
        offset greatest(most - 1, 0)
        limit 1
    ) nth
    where most > 0
$$;

create function full_message_hour(sender uuid, most integer) returns table (retry_after_s integer)
    language sql
    stable
    rows 1
as $$
    select greatest(ceil(extract(epoch from nth.created_at + interval '1 hour' - now())), 1)::integer
    from (
        select created_at
        from public.messages
        where user_uuid = sender
            and created_at > now() - interval '1 hour'
            and created_at <= now() + interval '2 seconds' -- see place_message
        order by created_at desc
        offset greatest(most - 1, 0)
        limit 1
    ) nth
    where most > 0
$$;

create function full_report_hour(reporter uuid, most integer) returns table (retry_after_s integer)
    language sql
    stable
    rows 1
as $$
    select greatest(ceil(extract(epoch from nth.created_at + interval '1 hour' - now())), 1)::integer
    from (
        select created_at
        from public.reports
        where reporter_uuid = reporter
            and created_at > now() - interval '1 hour'
            and created_at <= now()
        order by created_at desc
        offset greatest(most - 1, 0)
        limit 1
    ) nth
    where most > 0
$$;
revoke all on function full_hour(uuid, integer), full_message_hour(uuid, integer), full_report_hour(uuid, integer) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function full_hour(uuid, integer), full_message_hour(uuid, integer), full_report_hour(uuid, integer) to cruddur_app;
    end if;
end
$$;
