-- Summary: one activity with a page of its replies, from either end, and the way to the top
-- Cost: the page, and at most 100 activities above
-- One activity that has not expired, a page of its replies, and its ancestors, the top of the thread first.
-- %(uuid)s: the activity, or a notification; %(handle)s: the handle of the author or of the notification's actor, null: any. See
-- show_activity() in schema.sql. No row: there is no such activity, or it has expired.
-- %(newest)s: true: the newest replies first; false: the oldest first.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in home.sql.
-- %(sub)s, %(viewer)s: the viewer, by the token's subject or by the handle; both null: the request is anonymous. What the viewer did
-- with an activity is in liked and reposted, which are null for an anonymous request.
-- An activity is not shown if its author has blocked the viewer, or the viewer its author. The replies leave out muted users, too.
-- The nearest 100 ancestors are shown; reply_to_activity_uuid of the first of them leads further up.
select 'ok' as outcome, shown.body, shown.next_key
from public.show_activity(
    %(uuid)s::uuid,
    %(handle)s,
    public.viewer_uuid(%(sub)s, %(viewer)s),
    %(sub)s is not null or %(viewer)s is not null,
    %(newest)s,
    %(after_us)s,
    %(after_uuid)s,
    %(limit)s
) shown
