select a.message
from activities a
join users u on u.uuid = a.user_uuid
where u.handle = %(handle)s
order by a.created_at desc;
