-- Summary: what of home has become visible since an answer
-- Cost: the page, and up to 1000 rows written since
-- The feed for a client that polls: the activities that were not visible to an earlier answer and are visible now, the latest
-- transaction first. The snapshots are compared and not the times, so an activity whose transaction began before that answer and
-- committed after it is included.
-- %(since)s: the snapshot of the earlier answer, see current_view in schema.sql. %(limit)s, %(week4)s: as in home.sql. %(after_us)s,
-- %(after_uuid)s: written_by and uuid of the row that the page starts behind; null: the first page.
-- %(sub)s, %(viewer)s: as in home.sql.
-- Outcomes: ok, cursor_expired (the server has been restarted, or is another one).
-- The statement walks along at most 1000 rows of activities_written_idx. If it reads 1000, there is a next page, however few rows
-- this page has.
with viewer as materialized (
    select * from public.viewer(%(sub)s, %(viewer)s)
),
asked as (
    select public.snapshot_of(%(since)s) as seen
),
walked as (
    select a.uuid, a.user_uuid, a.expires_at, a.written_by
    from asked
    cross join lateral public.posts_since(asked.seen, %(after_us)s, %(after_uuid)s, 1000) a
),
page as (
    select walked.uuid, walked.written_by
    from walked
    cross join asked
    cross join viewer
    where not public.was_seen(walked.written_by, asked.seen)
        and public.is_live(walked.expires_at)
        and not public.hides(viewer.uuid, viewer.has_hidden, walked.user_uuid)
    order by walked.written_by desc, walked.uuid desc
    limit %(limit)s::integer
)
select
    case when (select seen from asked) is not null then 'ok' else 'cursor_expired' end as outcome,
    coalesce(
        (
            select json_agg(shown)
            from (
                select card.*, case when %(week4)s::boolean and a.replies_count > 0 then public.embedded_replies(a.uuid, viewer.uuid, viewer.has_hidden) else '[]' end as replies
                from page
                cross join viewer
                cross join lateral public.activity(page.uuid) a
                cross join lateral public.author(a.user_uuid) u
                cross join lateral public.card(a, u.display_name, u.handle) card
                order by page.written_by desc, page.uuid desc
            ) shown
        ),
        '[]'
    ) as body,
    coalesce(
        (select written_by || '/' || uuid from page order by written_by desc, uuid desc offset %(limit)s::integer - 1),
        (select written_by || '/' || uuid from walked order by written_by desc, uuid desc offset 999)
    ) as next_key,
    null as lives_us,
    public.current_view() as seen
