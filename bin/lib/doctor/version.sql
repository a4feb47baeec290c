select
    :'check', case when current_setting('server_version_num')::integer < :oldest then 'problem' else 'ok' end,
    'PostgreSQL ' || current_setting('server_version'), 'Cruddur needs 15 or later: see pg_upgrade(1), or make a newer server and db-restore a backup';
