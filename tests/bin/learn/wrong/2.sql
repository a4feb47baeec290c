-- Users without posts are missing.
select u.handle, count(*) as posts
from users u
join activities a on a.user_uuid = u.uuid and a.reply_to_activity_uuid is null
group by u.uuid
order by posts desc, u.handle;
