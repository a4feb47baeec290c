-- Summary: whether a standby shows some transactions
-- Cost: the transactions, at most 64
-- What the prober asks a standby while there is no primary to compare it with.
-- %(xids)s: transactions that the primary has confirmed, an array of xid8. Those that the standby knows nothing of are above its
-- snapshot, and pg_xact_status must not be asked for them.
-- Outcomes: ok (it shows all of them), not_yet.
select
    case
        when bool_and(
            case
                when asked.xid < pg_snapshot_xmax(pg_current_snapshot()) then coalesce(pg_xact_status(asked.xid) = 'committed', false)
                else false
            end
        ) then 'ok'
        else 'not_yet'
    end as outcome
from unnest(%(xids)s::xid8[]) as asked (xid)
