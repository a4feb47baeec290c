-- A user in short. No row: there is no such handle.
select uuid, handle, display_name
from public.users
where lower(handle) = lower(%(handle)s)
