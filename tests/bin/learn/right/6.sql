select application_name, count(*) as sessions, count(*) filter (where state = 'active') as active
from pg_stat_activity
where datname = current_database()
group by application_name;
