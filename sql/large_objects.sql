-- Revokes the functions for large objects from all roles but superusers, in the database in which it is run: with them, every
-- role that may connect can fill the disk. A superuser runs it once in each database. On a server without superuser access
-- (RDS) the functions stay open, see doc/security.md. A dump of the database contains the revoke.
\set ON_ERROR_STOP on
revoke execute on function
    pg_catalog.lo_creat(integer),
    pg_catalog.lo_create(oid),
    pg_catalog.lo_from_bytea(oid, bytea),
    pg_catalog.lo_get(oid),
    pg_catalog.lo_get(oid, bigint, integer),
    pg_catalog.lo_open(oid, integer),
    pg_catalog.lo_put(oid, bigint, bytea),
    pg_catalog.lo_truncate(integer, integer),
    pg_catalog.lo_truncate64(integer, bigint),
    pg_catalog.lo_unlink(oid),
    pg_catalog.loread(integer, integer),
    pg_catalog.lowrite(integer, bytea)
from public;
