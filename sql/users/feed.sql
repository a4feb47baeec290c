-- Summary: a user's page, and how many unexpired activities there are
-- Cost: the page; the count ends at 1000
-- A user's page: who it is, how many unexpired activities there are (1000 stands for more, too), and the newest of them,
-- replies left out.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql.
-- %(week4)s: whether the body is the activities alone, with their replies in them, as the frontend of week 4 wants them.
-- %(sub)s, %(viewer)s: who asks, by the token's subject or by the handle; both null: nobody knows. What that one did with an
-- activity is in liked and reposted, which are null for nobody.
-- So is profile.followed, whether that one follows the user.
-- No row: there is no such handle.
--
-- Both are made of the newest of each lifetime, see lifetime_key in schema.sql: whatever has expired costs nothing.
-- coalesce and (select 1000) are for the planner, as in activities/show.sql.
with viewer as (
    select (select uuid from public.caller(%(sub)s, %(viewer)s)) as uuid, coalesce(%(sub)s, %(viewer)s) is not null as is_asked
),
page as (
    select
        card.*,
        marks.*,
        case when %(week4)s::boolean and a.replies_count > 0 then public.embedded_replies(a.uuid) else '[]' end as replies
    from (
        select found.uuid
        from (select uuid from public.users where folded_handle = public.fold_text(%(handle)s)) u
        cross join lateral public.live_posts(u.uuid, %(after_us)s, %(after_uuid)s, %(limit)s) found
        order by found.created_at desc, found.uuid desc
        limit %(limit)s::integer
    ) found
    cross join viewer
    cross join lateral public.activity(found.uuid) a
    cross join lateral public.author(a.user_uuid) u
    cross join lateral public.card(a, u.display_name, u.handle) card
    cross join lateral public.marks(viewer.uuid, viewer.is_asked, a.uuid) marks
),
activities as (
    select coalesce(json_agg(page order by created_at desc, uuid desc), '[]') as list
    from page
)
select
    'ok' as outcome,
    case
        when %(week4)s::boolean then activities.list
        else json_build_object('profile', row_to_json(profile), 'activities', activities.list)
    end as body,
    (select public.page_key(created_at, uuid) from page order by created_at desc, uuid desc offset %(limit)s::integer - 1) as next_key
from viewer
cross join lateral public.profile(%(handle)s, viewer.uuid, viewer.is_asked) profile
cross join activities
