-- A second run returns nothing.
insert into activities as a (uuid, user_uuid, message, expires_at)
select :'uuid', uuid, :'message', now() + interval '1 day'
from users
where handle = :'handle'
on conflict (uuid) do nothing
returning a.uuid;
