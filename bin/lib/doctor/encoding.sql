select
    :'check', case when current_setting('server_encoding') = 'UTF8' then 'ok' else 'problem' end,
    'the database is in ' || current_setting('server_encoding'), 'db-create makes one in UTF8, and db-restore fills it';
