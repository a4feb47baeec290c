-- One activity that has not expired, and its replies, oldest first, at most 200.
-- %(handle)s: its author's, or null for anyone's. No row: there is none, or it has expired.
-- %(sub)s, %(viewer)s: who asks, by the token's subject or by the handle; both null: nobody knows. What that one did with an
-- activity is in liked and reposted, which are null for nobody.
-- Its replies are a range in the index's own order: for an equality the planner counts on an average activity's few, and would
-- fetch and sort all of them where there are thousands. They expire with it: coalesce tells the planner not to expect that most
-- have, as most in the table, and (select …) not to expect to need all 200.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and folded_handle = public.fold_text(%(viewer)s))
)
select
    row_to_json(shown) as activity,
    coalesce(
        (
            select json_agg(reply)
            from (
                select
                    r.uuid,
                    ru.display_name,
                    ru.handle,
                    r.message,
                    r.replies_count,
                    r.reposts_count,
                    r.likes_count,
                    r.reply_to_activity_uuid,
                    r.expires_at,
                    r.created_at,
                    case
                        when coalesce(%(sub)s, %(viewer)s) is not null then
                            coalesce(
                                (
                                    select true
                                    from public.likes
                                    where user_uuid = (select uuid from me)
                                        and activity_uuid = r.uuid
                                ),
                                false
                            )
                    end as liked,
                    case
                        when coalesce(%(sub)s, %(viewer)s) is not null then
                            coalesce(
                                (
                                    select true
                                    from public.reposts
                                    where user_uuid = (select uuid from me)
                                        and activity_uuid = r.uuid
                                ),
                                false
                            )
                    end as reposted,
                    '[]'::json as replies
                from public.activities r
                cross join lateral (select display_name, handle from public.users where uuid = r.user_uuid limit 1) ru
                where (r.reply_to_activity_uuid, r.created_at, r.uuid)
                        > (shown.uuid, '-infinity', '00000000-0000-0000-0000-000000000000')
                    and r.reply_to_activity_uuid <= shown.uuid
                    and coalesce(r.expires_at > now(), true)
                order by r.reply_to_activity_uuid, r.created_at, r.uuid
                limit (select 200)
            ) reply
        ),
        '[]'
    ) as replies
from (
    select
        a.uuid,
        u.display_name,
        u.handle,
        a.message,
        a.replies_count,
        a.reposts_count,
        a.likes_count,
        a.reply_to_activity_uuid,
        a.expires_at,
        a.created_at,
        case
            when coalesce(%(sub)s, %(viewer)s) is not null then
                coalesce(
                    (
                        select true
                        from public.likes
                        where user_uuid = (select uuid from me)
                            and activity_uuid = a.uuid
                    ),
                    false
                )
        end as liked,
        case
            when coalesce(%(sub)s, %(viewer)s) is not null then
                coalesce(
                    (
                        select true
                        from public.reposts
                        where user_uuid = (select uuid from me)
                            and activity_uuid = a.uuid
                    ),
                    false
                )
        end as reposted
    from public.activities a
    join public.users u on u.uuid = a.user_uuid
    where a.uuid = %(uuid)s::uuid
        and (%(handle)s::text is null or public.fold_text(u.handle) = public.fold_text(%(handle)s))
        and (a.expires_at is null or a.expires_at > now())
) shown
