-- Creates the roles of a server. A superuser or another role that may create roles (RDS) runs it, with bin/db-roles. cruddur_owner
-- makes and owns the database. The daemon logs in as cruddur, and for the hook as cruddur_hook. cruddur_reader reads (backups,
-- reports). Run it before the database is made. It may be run again at any time: existing roles stay, and the passwords and limits
-- that are given are set.
-- Passwords come from the environment: CRUDDUR_OWNER_PASSWORD, CRUDDUR_APP_PASSWORD, CRUDDUR_HOOK_PASSWORD,
-- CRUDDUR_READER_PASSWORD; or with --set passwords_on_stdin=1 from standard input, a line "ROLE PASSWORD" for each of the four.
-- A password that is not given or is empty stays as it is; a role without a password cannot log in by password. Only printable ASCII
-- characters are allowed. The passwords are sent as COPY data and stored as SCRAM verifiers, so that no statement, and so no log of
-- the server, contains a password.
-- --set app_connections=N and hook_connections=N set how many sessions cruddur and cruddur_hook may have: four for each worker of
-- every host, and a few more (new roles may have 80 and 20). A reload usually needs those of one worker more on each host, and up to
-- twice as many while old workers finish long requests. cruddur_reader may have 5.
\set ON_ERROR_STOP on
\if :{?app_connections}
\else
\set app_connections ''
\endif
\if :{?hook_connections}
\else
\set hook_connections ''
\endif
begin;
set local client_min_messages = warning;
create temporary table given_passwords (line text) on commit drop;
-- Each line is "ROLE PASSWORD"; the password is empty if none is given. Unprintable characters become DEL, so that neither delimiter
-- nor quote can occur and no error message quotes the line (bin/db-roles refuses such characters). printf is a builtin of the shell,
-- so no process has a password among its arguments.
\if :{?passwords_on_stdin}
\copy given_passwords from pstdin with (format csv, delimiter E'\x01', quote E'\x02')
\else
\copy given_passwords from program 'printf "%s %s\n" cruddur_owner "$CRUDDUR_OWNER_PASSWORD" cruddur "$CRUDDUR_APP_PASSWORD" cruddur_hook "$CRUDDUR_HOOK_PASSWORD" cruddur_reader "$CRUDDUR_READER_PASSWORD" | LC_ALL=C tr -c "\n -~" "\177"' with (format csv, delimiter E'\x01', quote E'\x02')
\endif

-- HMAC-SHA-256 (RFC 2104).
create function pg_temp.pad(key bytea, filler integer) returns bytea
    language plpgsql
    immutable
as $$
declare
    padded bytea := case when length(key) > 64 then sha256(key) else key end;
begin
    padded := padded || decode(repeat('00', 64 - length(padded)), 'hex');
    for i in 0..63 loop
        padded := set_byte(padded, i, get_byte(padded, i) # filler);
    end loop;
    return padded;
end
$$;

create function pg_temp.hmac(key bytea, message bytea) returns bytea
    language sql
    immutable
as $$
    select sha256(pg_temp.pad(key, 92) || sha256(pg_temp.pad(key, 54) || message))
$$;

-- The SCRAM verifier of a password as PostgreSQL stores it (RFC 5802, RFC 7677), with its default of 4096 iterations.
create function pg_temp.scram_verifier(password text) returns text
    language plpgsql
as $$
declare
    key       constant bytea := convert_to(password, 'UTF8');
    inner_pad constant bytea := pg_temp.pad(key, 54);
    outer_pad constant bytea := pg_temp.pad(key, 92);
    salt      constant bytea := uuid_send(gen_random_uuid());
    block              bytea := salt || '\x00000001';
    sum                bit(256) := repeat('0', 256)::bit(256);
    salted             bytea := '';
begin
    for iteration in 1..4096 loop
        block := sha256(outer_pad || sha256(inner_pad || block));
        sum := sum # ('x' || encode(block, 'hex'))::bit(256);
    end loop;
    for i in 0..31 loop
        salted := salted || decode(lpad(to_hex(substring(sum from i * 8 + 1 for 8)::integer), 2, '0'), 'hex');
    end loop;
    return format(
        'SCRAM-SHA-256$4096:%s$%s:%s', encode(salt, 'base64'),
        encode(sha256(pg_temp.hmac(salted, 'Client Key')), 'base64'), encode(pg_temp.hmac(salted, 'Server Key'), 'base64')
    );
end
$$;

do $$
begin
    if (select count(*) <> 4 or bool_or(line ~ '[^ -~]') from given_passwords) then
        raise exception 'a password in the environment has other than printable ASCII characters'
            using hint = 'Give another one: openssl rand -hex 24 prints one.';
    end if;
end
$$;

-- Creates the role unless schema.sql or an earlier run has created it.
create function pg_temp.ensure_role(role text, attributes text) returns void
    language plpgsql
as $$
begin
    if to_regrole(quote_ident(role)) is null then
        execute format('create role %I %s', role, attributes);
    end if;
end
$$;

-- From PostgreSQL 16 on, an administrator may not grant a role that another administrator made.
create function pg_temp.ensure_member(login text, role text) returns void
    language plpgsql
as $$
begin
    if not exists (select from pg_auth_members where roleid = role::regrole and member = login::regrole) then
        execute format('grant %I to %I', role, login);
    end if;
end
$$;

create function pg_temp.set_login(role text, sessions text) returns void
    language plpgsql
as $$
declare
    password text := (select substr(line, length(role) + 2) from given_passwords where starts_with(line, role || ' '));
begin
    if password <> '' then
        execute format('alter role %I login password %L', role, pg_temp.scram_verifier(password));
    end if;
    if sessions <> '' then
        execute format('alter role %I connection limit %s', role, sessions::integer);
    end if;
exception
    when insufficient_privilege then -- its message contains the statement, and so the verifier
        raise exception 'permission denied to alter role %', role
            using hint = 'From PostgreSQL 16 on it takes the administrator that made it, or a superuser.', errcode = 'insufficient_privilege';
end
$$;

do $$
begin
    perform pg_temp.ensure_role('cruddur_owner', 'login createdb');
    perform pg_temp.ensure_role('cruddur_app', 'nologin'); -- schema.sql grants it what the service's statements need
    perform pg_temp.ensure_role('cruddur_confirmation', 'nologin'); -- schema.sql lets it execute only confirm_user
    perform pg_temp.ensure_role('cruddur', 'login connection limit 80');
    perform pg_temp.ensure_role('cruddur_hook', 'login connection limit 20');
    perform pg_temp.ensure_role('cruddur_readonly', 'nologin'); -- readonly.sql lets it read every table
    perform pg_temp.ensure_role('cruddur_reader', 'login connection limit 5');
    perform pg_temp.ensure_member('cruddur', 'cruddur_app');
    perform pg_temp.ensure_member('cruddur_hook', 'cruddur_confirmation');
    perform pg_temp.ensure_member('cruddur_reader', 'cruddur_readonly');
end
$$;
\o /dev/null
select pg_temp.set_login('cruddur_owner', '');
select pg_temp.set_login('cruddur', :'app_connections');
select pg_temp.set_login('cruddur_hook', :'hook_connections');
select pg_temp.set_login('cruddur_reader', '');
\o
commit;
