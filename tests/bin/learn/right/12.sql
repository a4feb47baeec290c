select to_char(d.day, 'YYYY-MM-DD') as day, count(a.uuid) as posts
from (
    select (now() at time zone 'UTC')::date - n as day
    from generate_series(0, 6) n
) d
left join activities a
    on a.reply_to_activity_uuid is null
    and (a.created_at at time zone 'UTC')::date = d.day
group by d.day
order by d.day;
