-- A server of READ_CONNECTION_URL: ok for a replica that can be used, warning for one that cannot, and other for a primary.
select
    case
        when system_identifier::text <> :'system' then 'warning'
        when not pg_is_in_recovery() then 'other'
        when behind > :lag_max_mb * 1048576 then 'warning'
        else 'ok'
    end
    || chr(31)
    || case
        when system_identifier::text <> :'system' then 'a server of another cluster, which has other data'
        when not pg_is_in_recovery() then 'a primary, which is no replica'
        else format('a replica, %s MB behind', round(behind / 1048576))
    end
from
    pg_control_system(),
    lateral (
        select case when pg_is_in_recovery() then greatest(pg_wal_lsn_diff(:'position', pg_last_wal_replay_lsn()), 0) end as behind
    ) as log;
