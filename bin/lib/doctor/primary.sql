-- Whether the server takes writes.
select
    :'check', case when pg_is_in_recovery() or current_setting('transaction_read_only')::boolean then 'problem' else 'ok' end,
    case
        when pg_is_in_recovery() then 'this is a replica, which takes no writes'
        when current_setting('transaction_read_only')::boolean then 'sessions of this login are read only'
        else 'the server takes writes'
    end,
    case
        when pg_is_in_recovery() then 'name the primary in the URL, or all servers and target_session_attrs=read-write'
        else 'reset default_transaction_read_only of the server, the database or the role'
    end;
