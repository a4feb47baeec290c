-- Summary: whether a standby shows some transactions
-- Cost: the transactions, at most 64
-- The prober's query to a standby while there is no primary to compare the standby with.
-- %(xids)s: transactions that the primary has confirmed, an array of xid8. Transactions that the standby does not know are above its
-- snapshot, and pg_xact_status must not be called for them.
-- Outcomes: ok (it shows all of them), not_yet, promoted (it is no standby any more, and has its own transactions by such numbers).
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
