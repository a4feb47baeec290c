-- Summary: the tags of the last day
-- Cost: the newest 2000 activities with tags
-- The tags that most users used within the last day, in activities that have not expired. Only the newest 2000 activities
-- with tags are read, none that are deleted or hidden (expired ones are soon purged), and the first ten tags of each.
select substring(tag from 2) as hashtag, count(*) as count
from (
    select user_uuid, tags[:10] as tags, expires_at
    from public.activities
    where tags is not null
        and (expires_at is null or expires_at > '-infinity')
        and created_at > now() - interval '1 day'
    order by created_at desc, uuid desc
    limit 2000
) newest
cross join unnest(tags) tag
where expires_at is null or expires_at > now()
group by tag
order by count(distinct user_uuid) desc, count(*) desc, tag
limit 10
