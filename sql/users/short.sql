-- A user in short. No row: there is no such handle.
select uuid, handle, display_name
from public.users
where public.fold_case(handle) = public.fold_case(%(handle)s)
