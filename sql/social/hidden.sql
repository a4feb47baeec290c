-- Summary: whether the caller's home page is not the shared one
-- Cost: nothing
-- Whether any user is hidden from the caller (has_hidden in schema.sql), and for which version of visibility that is.
-- %(sub)s, %(viewer)s: as in activities/show.sql.
select
    'ok' as outcome,
    viewer.has_hidden::text as body,
    null as next_key,
    null as lives_us,
    null as seen,
    null as clock_us,
    (select version from public.visibility) as visibility
from public.viewer(%(sub)s, %(viewer)s) viewer
