-- Summary: how far the purge has come
-- Cost: nothing
-- How far the purge has come, the service's own or bin/db-purge, in Prometheus's text format.
select
    'ok' as outcome,
    concat_ws(
        E'\n',
        '# HELP cruddur_purge_lag_seconds How long ago the oldest post expired that is still to be purged; 0: none is.',
        '# TYPE cruddur_purge_lag_seconds gauge',
        'cruddur_purge_lag_seconds ' || coalesce(
            (
                select round(extract(epoch from now() - min(expires_at)), 3)
                from public.activities
                where expires_at <= now()
                    and expires_at > '-infinity'
            ),
            0
        ),
        '# HELP cruddur_purged_posts_total Posts and replies that were purged.',
        '# TYPE cruddur_purged_posts_total counter',
        'cruddur_purged_posts_total ' || posts,
        '# HELP cruddur_purge_finished_timestamp_seconds When a purge last came to its end, since 1970; 0: none did.',
        '# TYPE cruddur_purge_finished_timestamp_seconds gauge',
        'cruddur_purge_finished_timestamp_seconds ' || coalesce(round(extract(epoch from finished_at), 3), 0),
        ''
    ) as body
from public.purge_progress
