-- Summary: one activity with a page of its replies, from either end, and the way to the top
-- Cost: the page, and at most 100 activities above
-- One activity that has not expired, a page of its replies, and its ancestors, the top of the thread first.
-- %(uuid)s: the activity, or a notification of a like or a repost, which stands for its activity, or of a follow, which is shown
-- itself. %(handle)s: the handle of the author or of the notification's actor; null: any. No row: there is no such activity, or it
-- has expired. %(newest)s: true: the newest replies first; false: the oldest first.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in home.sql.
-- %(sub)s, %(viewer)s: who asks, by the token's subject or by the handle; both null: nobody knows. What that one did with an
-- activity is in liked and reposted, which are null for nobody.
-- The nearest 100 ancestors are shown; reply_to_activity_uuid of the first of them leads further up.
-- Its replies are a range in the index's own order: for an equality the planner counts on an average activity's few, and would
-- fetch and sort all of them where there are thousands. They expire with it: coalesce tells the planner not to expect that most
-- have, as most in the table, and (select …) not to expect that a whole page is needed.
with recursive me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and folded_handle = public.fold_text(%(viewer)s))
),
told as (
    select told.uuid, told.kind, told.activity_uuid, told.created_at, actor.display_name, actor.handle
    from public.notifications told
    cross join lateral (select display_name, handle from public.users where uuid = told.actor_uuid limit 1) actor
    where told.uuid = %(uuid)s::uuid
        and told.kind in ('like', 'repost', 'follow')
        and (%(handle)s::text is null or public.fold_text(actor.handle) = public.fold_text(%(handle)s))
),
wanted as (
    select
        a.uuid,
        a.user_uuid,
        a.message,
        a.replies_count,
        a.reposts_count,
        a.likes_count,
        a.reply_to_activity_uuid,
        a.expires_at,
        a.created_at
    from public.activities a
    where a.uuid = %(uuid)s::uuid
        and (
            %(handle)s::text is null
            or exists (
                select
                from public.users
                where uuid = a.user_uuid
                    and public.fold_text(handle) = public.fold_text(%(handle)s)
            )
        )
    union all
    select a.*
    from told
    cross join lateral (
        select uuid, user_uuid, message, replies_count, reposts_count, likes_count, reply_to_activity_uuid, expires_at, created_at
        from public.activities
        where uuid = told.activity_uuid
        limit 1
    ) a
),
shown as (
    select
        a.uuid,
        author.display_name,
        author.handle,
        a.message,
        a.replies_count,
        a.reposts_count,
        a.likes_count,
        a.reply_to_activity_uuid,
        a.expires_at,
        a.created_at,
        case
            when %(sub)s is not null or %(viewer)s is not null then
                coalesce((select true from public.likes where user_uuid = (select uuid from me) and activity_uuid = a.uuid), false)
        end as liked,
        case
            when %(sub)s is not null or %(viewer)s is not null then
                coalesce((select true from public.reposts where user_uuid = (select uuid from me) and activity_uuid = a.uuid), false)
        end as reposted
    from wanted a
    cross join lateral (select display_name, handle from public.users where uuid = a.user_uuid limit 1) author
    where a.expires_at is null or a.expires_at > now()
    union all
    select
        told.uuid,
        told.display_name,
        told.handle,
        'follows you',
        0,
        0,
        0,
        null,
        null,
        told.created_at,
        case when %(sub)s is not null or %(viewer)s is not null then false end,
        case when %(sub)s is not null or %(viewer)s is not null then false end
    from told
    where told.kind = 'follow'
),
above as (
    select p.*, 1 as height
    from shown
    cross join lateral (
        select uuid, user_uuid, message, replies_count, reposts_count, likes_count, reply_to_activity_uuid, expires_at, created_at
        from public.activities
        where uuid = shown.reply_to_activity_uuid
        limit 1
    ) p
    where coalesce(p.expires_at > now(), true)
    union all
    select p.*, above.height + 1
    from above
    cross join lateral (
        select uuid, user_uuid, message, replies_count, reposts_count, likes_count, reply_to_activity_uuid, expires_at, created_at
        from public.activities
        where uuid = above.reply_to_activity_uuid
        limit 1
    ) p
    where above.height < 100
        and coalesce(p.expires_at > now(), true)
),
ancestors as (
    select
        a.height,
        a.uuid,
        author.display_name,
        author.handle,
        a.message,
        a.replies_count,
        a.reposts_count,
        a.likes_count,
        a.reply_to_activity_uuid,
        a.expires_at,
        a.created_at,
        case
            when %(sub)s is not null or %(viewer)s is not null then
                coalesce((select true from public.likes where user_uuid = (select uuid from me) and activity_uuid = a.uuid), false)
        end as liked,
        case
            when %(sub)s is not null or %(viewer)s is not null then
                coalesce((select true from public.reposts where user_uuid = (select uuid from me) and activity_uuid = a.uuid), false)
        end as reposted,
        '[]'::json as replies
    from above a
    cross join lateral (select display_name, handle from public.users where uuid = a.user_uuid limit 1) author
),
page as (
    select r.*
    from shown
    cross join lateral (
        select uuid, user_uuid, message, replies_count, reposts_count, likes_count, reply_to_activity_uuid, expires_at, created_at
        from public.activities r
        where not %(newest)s::boolean
            and (r.reply_to_activity_uuid, r.created_at, r.uuid) > (
                shown.uuid,
                coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', '-infinity'),
                coalesce(%(after_uuid)s::uuid, '00000000-0000-0000-0000-000000000000')
            )
            and r.reply_to_activity_uuid <= shown.uuid
            and coalesce(r.expires_at > now(), true)
        order by r.reply_to_activity_uuid, r.created_at, r.uuid
        limit (select %(limit)s::integer)
    ) r
    union all
    select r.*
    from shown
    cross join lateral (
        select uuid, user_uuid, message, replies_count, reposts_count, likes_count, reply_to_activity_uuid, expires_at, created_at
        from public.activities r
        where %(newest)s::boolean
            and (r.reply_to_activity_uuid, r.created_at, r.uuid) < (
                shown.uuid,
                coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', 'infinity'),
                coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
            and r.reply_to_activity_uuid >= shown.uuid
            and coalesce(r.expires_at > now(), true)
        order by r.reply_to_activity_uuid desc, r.created_at desc, r.uuid desc
        limit (select %(limit)s::integer)
    ) r
),
shown_replies as (
    select
        r.uuid,
        author.display_name,
        author.handle,
        r.message,
        r.replies_count,
        r.reposts_count,
        r.likes_count,
        r.reply_to_activity_uuid,
        r.expires_at,
        r.created_at,
        case
            when %(sub)s is not null or %(viewer)s is not null then
                coalesce((select true from public.likes where user_uuid = (select uuid from me) and activity_uuid = r.uuid), false)
        end as liked,
        case
            when %(sub)s is not null or %(viewer)s is not null then
                coalesce((select true from public.reposts where user_uuid = (select uuid from me) and activity_uuid = r.uuid), false)
        end as reposted,
        '[]'::json as replies
    from page r
    cross join lateral (select display_name, handle from public.users where uuid = r.user_uuid limit 1) author
)
select
    'ok' as outcome,
    case
        when shown.reply_to_activity_uuid is null then
            json_build_object('activity', row_to_json(shown), 'replies', listed.replies)
        else
            json_build_object(
                'activity', row_to_json(shown),
                'ancestors',
                coalesce((select json_agg(to_jsonb(ancestors) - 'height' order by height desc) from ancestors), '[]'),
                'replies', listed.replies
            )
    end as body,
    case
        when (select count(*) from page) < %(limit)s::integer then null
        when %(newest)s::boolean then (
            select (extract(epoch from created_at) * 1000000)::bigint || '/' || uuid
            from page
            order by created_at, uuid
            limit 1
        )
        else (
            select (extract(epoch from created_at) * 1000000)::bigint || '/' || uuid
            from page
            order by created_at desc, uuid desc
            limit 1
        )
    end as next_key
from shown
cross join (
    select
        case
            when %(newest)s::boolean then
                coalesce((select json_agg(r order by created_at desc, uuid desc) from shown_replies r), '[]')
            else coalesce((select json_agg(r order by created_at, uuid) from shown_replies r), '[]')
        end as replies
) listed
