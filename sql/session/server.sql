-- Summary: which server it is, its timeline, and how far its log is
-- Cost: nothing
-- seen: SYSTEM/TIMELINE/RUN/POSITION/ROLE. All are numbers except ROLE, which is primary or standby.
-- SYSTEM: identifies a primary and its standbys; it is the same after a failover and after a restore from a backup.
-- TIMELINE: on a primary, the timeline that it writes now (right after a promotion pg_control_checkpoint() still has the previous
-- one). On a standby, a timeline of which it has replayed a part: the control file has no later one, but may have an earlier one
-- until the next restartpoint.
-- RUN: a number that differs for each server and for each of its starts, and changes after a crash.
-- POSITION: how many bytes of the log a primary has written to its disk, which include all commits that it has confirmed, or a
-- standby has replayed. (With synchronous_commit off a commit is confirmed before that; then the position includes what is
-- not on the disk yet.)
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
