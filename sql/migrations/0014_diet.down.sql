create or replace function embedded_replies(top uuid) returns json
    language plpgsql
    stable
as $$
declare
    reply    record;
    children jsonb := '{}';
    own      jsonb;
    parent   text;
begin
    for reply in
        with recursive thread as (
            (
                select a.uuid, a.user_uuid, a.message, a.replies_count, a.reposts_count, a.likes_count, a.reply_to_activity_uuid,
                    a.expires_at, a.created_at, 1 as depth
                from public.activities a
                where (a.reply_to_activity_uuid, a.created_at, a.uuid) < (top, 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                    and a.reply_to_activity_uuid >= top
                    and coalesce(a.expires_at > now(), true)
                order by a.reply_to_activity_uuid desc, a.created_at desc, a.uuid desc
                limit 30
            )
            union all
            select below.*, thread.depth + 1
            from thread
            cross join lateral (
                select a.uuid, a.user_uuid, a.message, a.replies_count, a.reposts_count, a.likes_count, a.reply_to_activity_uuid,
                    a.expires_at, a.created_at
                from public.activities a
                where (a.reply_to_activity_uuid, a.created_at, a.uuid)
                        < (thread.uuid, 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                    and a.reply_to_activity_uuid >= thread.uuid
                    and coalesce(a.expires_at > now(), true)
                order by a.reply_to_activity_uuid desc, a.created_at desc, a.uuid desc
                limit 10
            ) below
            where thread.replies_count > 0
                and thread.depth < 5
        ),
        found as (
            select * from thread limit 50
        )
        select f.uuid, u.display_name, u.handle, f.message, f.replies_count, f.reposts_count, f.likes_count, f.reply_to_activity_uuid,
            f.expires_at, f.created_at
        from found f
        join public.users u on u.uuid = f.user_uuid
        order by f.depth desc, f.created_at, f.uuid
    loop
        own := to_jsonb(reply) || jsonb_build_object('replies', coalesce(children -> reply.uuid::text, '[]'));
        parent := reply.reply_to_activity_uuid::text;
        children := children || jsonb_build_object(parent, coalesce(children -> parent, '[]') || jsonb_build_array(own));
    end loop;
    return coalesce(children -> top::text, '[]');
end
$$;

drop function page_time(bigint), page_uuid(uuid), since_time(bigint), since_uuid(uuid), page_key(timestamptz, uuid),
    clock_us(), is_timely(bigint), caller(text, text), missing_caller(text), is_live(timestamptz), activity(uuid),
    author(uuid), card(activities, text, text), marks(uuid, boolean, uuid),
    event_card(uuid, uuid, uuid, timestamptz, uuid[]), posts_before(bigint, uuid, integer),
    posts_since(pg_snapshot, xid8, uuid, integer), replies(uuid, boolean, bigint, uuid, integer),
    full_hour(uuid, integer), live_posts(uuid, bigint, uuid, integer), profile(text, uuid, boolean),
    snapshot_of(text), full_message_hour(uuid, integer), conversations(uuid, timestamptz, uuid),
    settle(uuid, integer);
