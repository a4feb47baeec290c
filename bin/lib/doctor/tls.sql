-- HOST and sslmode are those of the client; a path is a unix socket.
with link as (
    select
        (select ssl from pg_stat_ssl where pid = pg_backend_pid()) as is_encrypted,
        :'HOST' ~ '^[/@]' as is_local,
        :'HOST' ~ '^(localhost|127\.[0-9.]+|::1)$' as is_loopback
)
select
    :'check',
    case
        when is_local or is_encrypted and :'sslmode' = 'verify-full' then 'ok'
        when is_encrypted or is_loopback then 'warning'
        else 'problem'
    end,
    case
        when is_local then 'a unix socket needs none'
        when is_encrypted and :'sslmode' = 'verify-full' then 'encrypted, and the server is verified'
        when is_encrypted then 'encrypted, but any server could have answered (sslmode=' || :'sslmode' || ')'
        else 'not encrypted' || case when is_loopback then ', on the loopback interface' else ', so all that is sent can be read' end
    end,
    'set sslmode=verify-full and sslrootcert=FILE in the URL (doc/security.md)'
from link;
