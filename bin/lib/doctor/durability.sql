with unsafe as (
    select name || ' is off' as text from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'
    union all
    select relname || ' is unlogged' from pg_class where relnamespace = to_regnamespace('public') and relkind = 'r' and relpersistence = 'u'
)
select
    :'check', case when count(*) > 0 then 'problem' else 'ok' end, coalesce(string_agg(text, ', '), 'a commit is on the disk'),
    'after a crash what was acknowledged is lost, or the whole cluster: set it on; alter table … set logged'
from unsafe;
