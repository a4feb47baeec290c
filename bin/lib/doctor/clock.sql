-- The server's clock is read between two readings of this machine's. A server's time between these two is no difference.
\set before `date +%s.%N`
select extract(epoch from clock_timestamp()) as server \gset
\set after `date +%s.%N`
select
    :'check', case when abs(skew) > :clock_problem_s then 'problem' when abs(skew) > :clock_warning_s then 'warning' else 'ok' end,
    case
        when skew = 0 then 'this machine''s and the server''s agree'
        else 'the server''s is ' || round(abs(skew), 1) || ' s ' || case when skew > 0 then 'ahead of' else 'behind' end || ' this machine''s'
    end,
    'have both synchronized (timedatectl): tokens are judged by this machine''s, expiry by the server''s'
from (select greatest(:server - :after, 0) - greatest(:before - :server, 0) as skew) clocks;
