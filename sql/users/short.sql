-- Summary: a handle's name
-- Cost: nothing
-- A user's uuid, handle and name. %(sub)s, %(viewer)s: the viewer, as in activities/show.sql. No row: there is no such handle, or its
-- user has blocked the viewer.
select u.uuid, u.handle, u.display_name
from public.users u
cross join public.viewer(%(sub)s, %(viewer)s) viewer
where u.folded_handle = public.fold_text(%(handle)s)
    and (select true from public.blocks where user_uuid = u.uuid and blocked_uuid = viewer.uuid) is null
