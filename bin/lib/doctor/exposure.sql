-- addresses: those that this machine finds for the name of the host. Only a superuser can read the rules of pg_hba.conf.
select has_function_privilege('pg_hba_file_rules()', 'execute') as may_read \gset
\if :may_read
select coalesce(string_agg(line_number::text, ', '), '') as lines, coalesce(bool_or(auth_method = 'trust'), false) as trusts
from pg_hba_file_rules
where type like 'host%' and (address = 'all' or netmask in ('0.0.0.0', '::'))
    and current_setting('listen_addresses') !~ '^(localhost|127\.0\.0\.1|::1|,| )*$' \gset
\else
\set lines ''
\set trusts ''
\endif
with public as (
    select string_agg(address, ', ') as addresses
    from string_to_table(nullif(:'addresses', ''), ' ') address
    where not address::inet <<= any ('{127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,100.64.0.0/10,::1,fc00::/7,fe80::/10}'::inet[])
)
select
    :'check', case when :'trusts' = 't' then 'problem' when addresses <> '' or :'lines' <> '' then 'warning' else 'ok' end,
    coalesce(
        nullif(concat_ws('; ',
            'the server has a public address: ' || addresses,
            'pg_hba.conf lets every address in, line ' || nullif(:'lines', '') || case when :'trusts' = 't' then ', without a password' else '' end
        ), ''),
        'not open to every address, as far as can be seen'
    ),
    'a private network and a security group of its own (RDS: PubliclyAccessible false); name networks in pg_hba.conf, listen_addresses one interface'
from public;
