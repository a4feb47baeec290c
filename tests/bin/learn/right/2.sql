select u.handle, count(a.uuid) as posts
from users u
left join activities a on a.user_uuid = u.uuid and a.reply_to_activity_uuid is null
group by u.uuid
order by posts desc, u.handle;
