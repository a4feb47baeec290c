-- Summary: a page of what the caller was told
-- Cost: the page, and what of it expired since the last purge
-- What others did that concerns the caller, newest first: replies to what the caller posted, mentions, likes, reposts, and who
-- follows; nothing from an activity that has expired. A reply that mentions the caller too is a reply.
-- kind says what, handle and display_name who, created_at when, and read whether the caller has said since that it is known.
-- uuid is the notification's own; for a reply or a mention it is the activity's. activities/show.sql takes both. activity_uuid is the
-- activity that was written, liked or reposted. The other columns are that activity's; message says in words what was done to it, for
-- frontends that do not know the kinds.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql. %(since_us)s, %(since_uuid)s: the newest notification of
-- an earlier answer: only later ones; null: all. The notifications of a user become visible in the order of created_at (see
-- next_notification_at in schema.sql), so none is missed. %(sub)s, %(handle)s: as in activities/create.sql.
-- Outcomes: ok, user_not_found, user_not_registered.
-- A walk along the primary key, which steps over what expired since the last purge.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and folded_handle = public.fold_text(%(handle)s))
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
            a.message,
            a.replies_count,
            a.reposts_count,
            a.likes_count,
            a.reply_to_activity_uuid,
            a.expires_at
        from public.notifications told
        left join lateral (
            select message, replies_count, reposts_count, likes_count, reply_to_activity_uuid, expires_at
            from public.activities
            where uuid = told.activity_uuid
            limit 1
        ) a on true
        where (told.user_uuid, told.created_at, told.uuid) < (
                me.uuid,
                coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', 'infinity'),
                coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
            and (told.user_uuid, told.created_at, told.uuid) > (
                me.uuid,
                coalesce('epoch'::timestamptz + %(since_us)s::bigint * interval '1 microsecond', '-infinity'),
                coalesce(%(since_uuid)s::uuid, '00000000-0000-0000-0000-000000000000')
            )
            and coalesce(a.expires_at > now(), true)
        order by told.user_uuid desc, told.created_at desc, told.uuid desc
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
        coalesce(
            (select true from public.likes where user_uuid = (select uuid from me) and activity_uuid = newest.activity_uuid),
            false
        ) as liked,
        coalesce(
            (select true from public.reposts where user_uuid = (select uuid from me) and activity_uuid = newest.activity_uuid),
            false
        ) as reposted,
        coalesce(
            newest.created_at <= (select read_at from public.notification_reads where user_uuid = (select uuid from me)),
            false
        ) as read,
        '[]'::json as replies
    from newest
    cross join lateral (select display_name, handle from public.users where uuid = newest.actor_uuid limit 1) actor
)
select
    case
        when exists (select from me) then 'ok'
        when %(sub)s is null then 'user_not_found'
        else 'user_not_registered'
    end as outcome,
    coalesce((select json_agg(page order by created_at desc, uuid desc) from page), '[]') as body,
    (
        select (extract(epoch from last.created_at) * 1000000)::bigint || '/' || last.uuid
        from (
            select created_at, uuid
            from page
            order by created_at desc, uuid desc
            offset %(limit)s::integer - 1
        ) last
    ) as next_key,
    null as lives_us,
    coalesce(
        (
            select (extract(epoch from created_at) * 1000000)::bigint || '/' || uuid
            from page
            order by created_at desc, uuid desc
            limit 1
        ),
        %(since_us)s::bigint || '/' || %(since_uuid)s::uuid,
        '0/00000000-0000-0000-0000-000000000000'
    ) as seen
