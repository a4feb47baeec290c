select
    :'check', case when current_setting('timezone') in ('UTC', 'Etc/UTC', 'GMT', 'Etc/GMT') then 'ok' else 'warning' end,
    'sessions begin with ' || current_setting('timezone'),
    'the service sets UTC for itself, but psql and reports show other times: alter database … set timezone = ''UTC''';
