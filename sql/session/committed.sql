-- Summary: whether a standby shows some transactions
-- Cost: the transactions, at most 64
-- What the prober asks a standby while there is no primary to compare it with.
-- %(xids)s: transactions that the primary has confirmed, an array of xid8. Those that the standby knows nothing of are above its
-- snapshot, and pg_xact_status must not be asked for them.
-- Outcomes: ok (it shows all of them), not_yet, promoted (it is no standby any more, and has transactions of its own by such numbers).
select
    case
        when not bool_and(
            case
                when asked.xid < pg_snapshot_xmax(pg_current_snapshot()) then coalesce(pg_xact_status(asked.xid) = 'committed', false)
                else false
            end
        ) then 'not_yet'
        when pg_is_in_recovery() then 'ok'
        else 'promoted'
    end as outcome,
    null as body
from unnest(%(xids)s::xid8[]) as asked (xid)
