-- Only members of pg_monitor can see the details of standbys. On a replica no distance is computed.
with standby as (
    select
        application_name, sync_state,
        case when not pg_is_in_recovery() then pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(replay_lsn, flush_lsn, write_lsn, sent_lsn)) end as behind
    from pg_stat_replication
),
slot as (
    select slot_name, case when not pg_is_in_recovery() then pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) end as kept
    from pg_replication_slots
    where not active
),
found as (
    select 'problem' as level, 'synchronous_standby_names is set and no such standby is there, so commits wait for ever' as text
    where current_setting('synchronous_standby_names') <> '' and not pg_is_in_recovery()
        and not exists (select from standby where coalesce(sync_state in ('sync', 'quorum'), true))
    union all
    select 'warning', format('standby %s is %s MB behind', application_name, round(behind / 1048576))
    from standby
    where behind > :lag_max_mb * 1048576
    union all
    select 'warning', format('slot %s has no reader and keeps %s MB of WAL', slot_name, round(coalesce(kept, 0) / 1048576))
    from slot
)
select
    :'check', coalesce(min(level), 'ok'),
    coalesce(string_agg(text, '; '), (select count(*) from standby) || ' standbys, none far behind'),
    'see the standby''s log and its network; pg_drop_replication_slot() where its reader will not come back'
from found;
