-- A user's page: who it is, and the newest unexpired activities, replies left out.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql.
-- %(week4)s: whether the body is the activities alone, as the frontend of week 4 wants them.
-- No row: there is no such handle.
with author as (
    select uuid, cognito_user_id, handle, display_name, bio
    from public.users
    where lower(handle) = lower(%(handle)s)
),
page as (
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
        '[]'::json as replies
    from author
    cross join lateral (
        select
            uuid,
            message,
            replies_count,
            reposts_count,
            likes_count,
            reply_to_activity_uuid,
            expires_at,
            created_at
        from public.activities
        where user_uuid = author.uuid
            and reply_to_activity_uuid is null
            and (expires_at is null or expires_at > now())
            and (created_at, uuid) < (
                coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', 'infinity'),
                coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
        order by created_at desc, uuid desc
        limit %(limit)s::integer
    ) a
),
activities as (
    select coalesce(json_agg(page order by created_at desc, uuid desc), '[]') as list
    from page
),
profile as (
    select
        author.uuid,
        author.cognito_user_id as cognito_user_uuid,
        author.handle,
        author.display_name,
        author.bio,
        (
            select count(*)
            from public.activities
            where user_uuid = author.uuid
                and reply_to_activity_uuid is null
                and (expires_at is null or expires_at > now())
        ) as cruds_count
    from author
)
select
    'ok' as outcome,
    case
        when %(week4)s::boolean then activities.list
        else json_build_object('profile', row_to_json(profile), 'activities', activities.list)
    end as body,
    (
        select (extract(epoch from last.created_at) * 1000000)::bigint || '/' || last.uuid
        from (
            select created_at, uuid
            from page
            order by created_at desc, uuid desc
            offset %(limit)s::integer - 1
        ) last
    ) as next_key
from profile
cross join activities
