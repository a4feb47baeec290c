-- Summary: a handle's name
-- Cost: nothing
-- A user in short. No row: there is no such handle.
select uuid, handle, display_name
from public.users
where folded_handle = public.fold_text(%(handle)s)
