-- Summary: what of home has become visible since an answer
-- Cost: the page, and up to 1000 rows written since
-- The feed for a client that polls: the activities that were not visible to an earlier answer and are visible now, the latest
-- transaction first. The snapshots are compared and not the times, so an activity whose transaction began before that answer and
-- committed after it is included.
-- %(since)s: the snapshot of the earlier answer, see current_view in schema.sql. %(limit)s, %(week4)s: as in home.sql. %(after_us)s,
-- %(after_uuid)s: written_by and uuid of the row that the page starts behind; null: the first page.
-- Outcomes: ok, cursor_expired (the server has been restarted, or is another one).
-- The statement walks along at most 1000 rows of activities_written_idx. If it reads 1000, there is a next page, however few rows
-- this page has.
with asked as (
    select
        split_part(%(since)s, '/', 2)::pg_snapshot as seen,
        split_part(%(since)s, '/', 1) = split_part(public.current_view(), '/', 1) as is_of_this_server
),
walked as (
    select a.*
    from asked
    cross join lateral (
        select
            uuid,
            user_uuid,
            message,
            replies_count,
            reposts_count,
            likes_count,
            reply_to_activity_uuid,
            expires_at,
            created_at,
            written_by
        from public.activities
        where reply_to_activity_uuid is null
            and written_by >= pg_snapshot_xmin(asked.seen)
            and written_by < pg_snapshot_xmax(pg_current_snapshot())
            and (written_by, uuid) < (
                coalesce(%(after_us)s::xid8, '18446744073709551615'),
                coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
        order by written_by desc, uuid desc
        limit 1000
    ) a
    where asked.is_of_this_server
),
page as (
    select
        walked.uuid,
        u.display_name,
        u.handle,
        walked.message,
        walked.replies_count,
        walked.reposts_count,
        walked.likes_count,
        walked.reply_to_activity_uuid,
        walked.expires_at,
        walked.created_at,
        walked.written_by
    from walked
    cross join asked
    cross join lateral (select display_name, handle from public.users where uuid = walked.user_uuid limit 1) u
    where not public.was_seen(walked.written_by, asked.seen)
        and coalesce(walked.expires_at > now(), true)
    order by walked.written_by desc, walked.uuid desc
    limit %(limit)s::integer
)
select
    case when is_of_this_server then 'ok' else 'cursor_expired' end as outcome,
    coalesce(
        (
            select json_agg(shown)
            from (
                select
                    uuid,
                    display_name,
                    handle,
                    message,
                    replies_count,
                    reposts_count,
                    likes_count,
                    reply_to_activity_uuid,
                    expires_at,
                    created_at,
                    case
                        when %(week4)s::boolean and replies_count > 0 then public.embedded_replies(uuid)
                        else '[]'
                    end as replies
                from page
                order by written_by desc, uuid desc
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
from asked
