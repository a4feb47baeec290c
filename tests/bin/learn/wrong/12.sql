-- Days without posts are missing, and they are not the days of UTC.
select to_char(created_at, 'YYYY-MM-DD') as day, count(*) as posts
from activities
where reply_to_activity_uuid is null
    and created_at > now() - interval '7 days'
group by 1
order by 1;
