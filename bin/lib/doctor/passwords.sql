select
    :'check', case when current_setting('password_encryption') = 'scram-sha-256' then 'ok' else 'warning' end,
    'new passwords are stored as ' || current_setting('password_encryption'), 'set password_encryption = scram-sha-256, then each password again';
