-- Summary: which server it is, its timeline, and how far its log is
-- Cost: nothing
-- seen: SYSTEM/TIMELINE/RUN/POSITION/ROLE, numbers but for ROLE, which is primary or standby.
-- SYSTEM: of the cluster of servers, the same after a failover and after a restore from a backup.
-- TIMELINE: of a primary that of what it writes now (right after a promotion pg_control_checkpoint() still has the one before).
-- Of a standby one that it has replayed something of: the control file has no later one than that, but may have an earlier one until
-- the next restartpoint.
-- RUN: another number for each server, for each of its starts, and after a crash.
-- POSITION: bytes of the log, which a primary has written to its disk, all commits that it has confirmed included, and a standby has
-- replayed. (With synchronous_commit off a commit is confirmed before that.)
select
    'ok' as outcome,
    null as body,
    null as next_key,
    null as lives_us,
    concat_ws(
        '/',
        (select system_identifier from pg_control_system()),
        case
            when is_standby then (
                select greatest(timeline_id, min_recovery_end_timeline) from pg_control_checkpoint(), pg_control_recovery()
            )
            else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
        end,
        (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint
        + (extract(epoch from coalesce(pg_stat_get_bgwriter_stat_reset_time(), 'epoch')) * 1000000)::bigint,
        pg_wal_lsn_diff(
            case
                when is_standby then pg_last_wal_replay_lsn()
                when current_setting('synchronous_commit') = 'off' then pg_current_wal_insert_lsn()
                else pg_current_wal_flush_lsn()
            end,
            '0/0'
        ),
        case when is_standby then 'standby' else 'primary' end
    ) as seen
from (select pg_is_in_recovery() as is_standby offset 0) as server
