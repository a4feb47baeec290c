-- Summary: a page of what the caller was told
-- Cost: the page, and up to 1000 notifications that are hidden or have expired
-- What others did that concerns the caller, newest first: replies to what the caller posted, mentions, likes, reposts, and
-- follows; nothing from an activity that has expired. A reply that mentions the caller, too, is listed as a reply.
-- kind is the kind of event, handle and display_name are those of the user that caused it at created_at, and read is whether the caller has
-- marked the notification as read (read.sql).
-- uuid is the notification's own; for a reply or a mention it is the activity's. activities/show.sql takes both. activity_uuid is the
-- activity that was written, liked or reposted. The other columns are that activity's; message says in words what was done to it, for
-- frontends that do not know the kinds.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql. %(since_us)s, %(since_uuid)s: the newest notification of
-- an earlier answer: only later ones; null: all. The notifications of a user become visible in the order of created_at (see
-- next_notification_at in schema.sql), so none is missed. %(sub)s, %(handle)s: as in activities/create.sql.
-- Notifications of what hidden users did (hides in schema.sql) are left out.
-- Outcomes: ok, user_not_found, user_not_registered.
-- The statement walks along the primary key, over user_walk_rows notifications at most, because a hidden user may have caused any number of
-- them. The last one of such a walk is among the newest even if it is not shown: the page ends there, however short it is, and has a next_key.
with me as materialized (
    select
        caller.uuid,
        public.has_hidden(caller.uuid) as has_hidden,
        (select read_at from public.notification_reads where user_uuid = caller.uuid) as read_at
    from public.caller(%(sub)s, %(handle)s) caller
),
newest as (
    select event.*
    from me
    cross join lateral (
        select
            told.uuid,
            told.kind,
            told.actor_uuid,
            told.activity_uuid,
            told.created_at,
            told.number,
            looked.is_shown,
            a.message,
            a.replies_count,
            a.reposts_count,
            a.likes_count,
            a.reply_to_activity_uuid,
            a.expires_at
        from (
            select walked.*, row_number() over () as number, public.hides(me.uuid, me.has_hidden, walked.actor_uuid) as is_hidden
            from (
                select *
                from public.notifications
                where (user_uuid, created_at, uuid) < (
                        me.uuid, public.page_time(%(after_us)s), public.page_uuid(%(after_uuid)s))
                    and (user_uuid, created_at, uuid) > (
                        me.uuid, public.since_time(%(since_us)s), public.since_uuid(%(since_uuid)s))
                order by user_uuid desc, created_at desc, uuid desc
                limit public.user_walk_rows()
            ) walked
        ) told
        left join lateral public.activity(case when not told.is_hidden then told.activity_uuid end) a on true
        cross join lateral (select not told.is_hidden and public.is_live(a.expires_at) as is_shown) looked
        where looked.is_shown
            or told.number >= public.user_walk_rows()
        limit %(limit)s::integer
    ) event
),
page as (
    select
        newest.uuid,
        newest.kind,
        newest.activity_uuid,
        actor.display_name,
        actor.handle,
        case newest.kind
            when 'like' then 'likes: ' || newest.message
            when 'repost' then 'reposted: ' || newest.message
            when 'follow' then 'follows you'
            else newest.message
        end as message,
        coalesce(newest.replies_count, 0) as replies_count,
        coalesce(newest.reposts_count, 0) as reposts_count,
        coalesce(newest.likes_count, 0) as likes_count,
        newest.reply_to_activity_uuid,
        newest.expires_at,
        newest.created_at,
        marks.liked,
        marks.reposted,
        coalesce(newest.created_at <= me.read_at, false) as read,
        '[]'::json as replies
    from newest
    cross join me
    cross join lateral public.author(newest.actor_uuid) actor
    cross join lateral public.marks(me.uuid, true, newest.activity_uuid) marks
    where newest.is_shown
)
select
    case when exists (select from me) then 'ok' else public.missing_caller(%(sub)s) end as outcome,
    coalesce((select json_agg(page order by created_at desc, uuid desc) from page), '[]') as body,
    (
        select public.page_key(min(created_at), (array_agg(uuid order by created_at, uuid))[1])
        from newest
        having count(*) = %(limit)s::integer
            or max(number) >= public.user_walk_rows()
    ) as next_key,
    null as lives_us,
    coalesce(
        (select public.page_key(created_at, uuid) from page order by created_at desc, uuid desc limit 1),
        %(since_us)s::bigint || '/' || %(since_uuid)s::uuid,
        '0/00000000-0000-0000-0000-000000000000'
    ) as seen
