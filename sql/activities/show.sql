-- Summary: one activity with a page of its replies, from either end, and the way to the top
-- Cost: the page, and at most 100 activities above
-- One activity that has not expired, a page of its replies, and its ancestors, the top of the thread first.
-- %(uuid)s: the activity, or a notification; %(handle)s: the handle of the author or of the notification's actor, null: any. See
-- shown_activity() in schema.sql. No row: there is no such activity, or it has expired.
-- %(newest)s: true: the newest replies first; false: the oldest first.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in home.sql.
-- %(sub)s, %(viewer)s: the viewer, by the token's subject or by the handle; both null: the request is anonymous. What the viewer did
-- with an activity is in liked and reposted, which are null for an anonymous request.
-- An activity of a user that has blocked the viewer, or that the viewer has blocked, is not there. The replies leave out muted users, too.
-- The nearest 100 ancestors are shown; reply_to_activity_uuid of the first of them leads further up.
-- The executor starts every step of a plan, also those that are never run. So what few requests need is in functions.
with viewer as materialized ( -- looked up once
    select public.viewer_uuid(%(sub)s, %(viewer)s) as uuid, %(sub)s is not null or %(viewer)s is not null as is_asked
)
select
    'ok' as outcome,
    case
        when shown.reply_to_activity_uuid is null then
            json_build_object('activity', row_to_json(shown), 'replies', page.list)
        else
            json_build_object(
                'activity', row_to_json(shown),
                'ancestors', public.ancestors(shown.reply_to_activity_uuid, viewer.uuid, viewer.is_asked),
                'replies', page.list
            )
    end as body,
    page.next_key
from viewer
cross join lateral public.shown_activity(%(uuid)s::uuid, %(handle)s::text, viewer.uuid, viewer.is_asked) shown
cross join lateral public.replies_page(
    shown.uuid, %(newest)s, %(after_us)s, %(after_uuid)s, %(limit)s, viewer.uuid, viewer.is_asked
) page
