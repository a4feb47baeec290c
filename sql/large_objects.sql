-- Takes the functions for large objects from everyone but superusers, in the database it is run in: PostgreSQL lets every role
-- that may connect fill the disk with them. For a superuser, once for each database; a server that has none for you (RDS) keeps
-- them open, see doc/security.md. A dump of the database has it.
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
