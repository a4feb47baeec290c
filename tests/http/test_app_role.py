"""What a client with the service's database password cannot do: one statement for each thing. doc/security.md says what it can do."""

import contextlib
import re

import psycopg2
import psycopg2.errors
import pytest

from cluster import APP_PASSWORD, HOOK_PASSWORD, OWNER_PASSWORD, Database
from daemon import run_once
from places import SQL
from plans import statements
from service import Service

DENIED = "42501"  # insufficient_privilege
SOMEBODY = "(select uuid from users limit 1)"
POST = "(select uuid from activities limit 1)"

REFUSED = [
    # Users.
    "select email from users",
    "select updated_at from users",
    "insert into users (display_name, handle, email, cognito_user_id) values ('x', 'x', 'x@example.com', 'x')",
    "update users set handle = 'x'",
    "update users set email = 'x@example.com'",
    "update users set cognito_user_id = 'x'",
    "update users set created_at = now()",
    "delete from users",
    """select confirm_user(gen_random_uuid(), '{"triggerSource": "PostConfirmation_ConfirmSignUp"}', null)""",
    # Times.
    f"insert into activities (user_uuid, message, created_at) values ({SOMEBODY}, 'x', now() + interval '50 years')",
    "update activities set created_at = now()",
    f"insert into likes (user_uuid, activity_uuid, created_at) values ({SOMEBODY}, {POST}, now())",
    "update likes set created_at = now()",
    f"insert into reposts (user_uuid, activity_uuid, created_at) values ({SOMEBODY}, {POST}, now())",
    "update reposts set created_at = now()",
    f"insert into follows (follower_uuid, followed_uuid, created_at) values ({SOMEBODY}, {SOMEBODY}, now())",
    "update follows set created_at = now()",
    "insert into messages (message_group_uuid, user_uuid, message, created_at) values (gen_random_uuid(), gen_random_uuid(), 'x', now())",
    "update messages set created_at = now()",
    "insert into message_groups (first_user_uuid, second_user_uuid, last_message_at) values (gen_random_uuid(), gen_random_uuid(), now())",
    "update message_groups set created_at = now()",
    # Texts and their authors.
    "update activities set message = 'x'",
    "update activities set user_uuid = gen_random_uuid()",
    "update activities set reply_to_activity_uuid = null",
    "update activities set search = ''",
    "update activities set tags = null",
    f"insert into activities (user_uuid, message, likes_count) values ({SOMEBODY}, 'x', 1000000)",
    f"insert into activities (user_uuid, message, replies_count) values ({SOMEBODY}, 'x', 1000000)",
    f"insert into activities (user_uuid, message, reposts_count) values ({SOMEBODY}, 'x', 1000000)",
    "update likes set user_uuid = gen_random_uuid()",
    "update reposts set user_uuid = gen_random_uuid()",
    "update follows set follower_uuid = gen_random_uuid()",
    "update messages set message = 'x'",
    "update messages set user_uuid = gen_random_uuid()",
    "update messages set message_group_uuid = gen_random_uuid()",
    "delete from messages",
    "update messages set expires_at = now()",
    f"insert into messages (message_group_uuid, user_uuid, message, deleted_at) values (gen_random_uuid(), {SOMEBODY}, 'x', now())",
    "update message_groups set first_user_uuid = gen_random_uuid()",
    "update message_groups set second_user_uuid = gen_random_uuid()",
    "delete from message_groups",
    # Notifications.
    f"insert into notifications (user_uuid, created_at, uuid, kind, actor_uuid) values ({SOMEBODY}, now(), {POST}, 'follow', {SOMEBODY})",
    "update notifications set created_at = now()",
    "delete from notifications",
    "update notification_reads set user_uuid = gen_random_uuid()",
    "delete from notification_reads",
    "update conversation_reads set user_uuid = gen_random_uuid()",
    "update conversation_reads set message_group_uuid = gen_random_uuid()",
    "delete from conversation_reads",
    # Suspensions and reports.
    "update users set suspended_at = null",
    "update activities set hidden_expires_at = null",
    "select message from reports",
    "select resolved_at from reports",
    "update reports set reason = 'x'",
    "update reports set resolved_at = now()",
    "delete from reports",
    f"select hide_activities({SOMEBODY}, 1)",
    f"select show_activities(array[{POST}])",
    # Departures.
    "select cognito_user_id from departures",
    "update departures set due_at = now()",
    "delete from departures",
    f"select withdraw_activities({SOMEBODY}, 1)",
    f"select forget_user({SOMEBODY}, 1)",
    f"select take_back_marks({SOMEBODY}, 1)",
    # Blocks and mutes.
    "update blocks set user_uuid = gen_random_uuid()",
    "update mutes set user_uuid = gen_random_uuid()",
    f"insert into blocks (user_uuid, blocked_uuid, created_at) values ({SOMEBODY}, {SOMEBODY}, now())",
    f"insert into mutes (user_uuid, muted_uuid, created_at) values ({SOMEBODY}, {SOMEBODY}, now())",
    "update visibility set version = 0",
    "delete from visibility",
    # Statistics, and the progress of the purge.
    "insert into growth (at) values (now())",
    "update growth set posts = 0",
    "delete from growth",
    "update growth_closed set until = 'infinity'",
    "delete from growth_closed",
    "update purge_progress set posts = 0",
    "delete from purge_progress",
    # Whole tables.
    *(
        f"truncate {table}"
        for table in ("users", "activities", "likes", "reposts", "follows", "notifications", "notification_reads", "message_groups",
                      "messages", "conversation_reads", "reports", "blocks", "mutes", "visibility", "departures", "growth", "growth_closed", "purge_progress", "applied_migrations", "environment")
    ),
    "select * from applied_migrations",
    "insert into applied_migrations (number, name, checksum) values (1000, 'x', 'x')",
    "insert into environment (name) values ('test')",
    "update environment set name = 'test'",
    "delete from environment",
    # The schema.
    "create table x (x integer)",
    "create temporary table x (x integer)",
    "create schema x",
    "create function x() returns integer language sql as 'select 1'",
    "create extension pg_trgm",
    "alter table users add x integer",
    "drop table likes",
    "create index on activities (message)",
    "alter table activities disable trigger all",
    "create trigger x before insert on likes for each row execute function suppress_redundant_updates_trigger()",
    "vacuum full users",
    "begin; lock table users in access exclusive mode",
    "comment on table users is 'x'",
    "alter function confirm_user(uuid, json, text, timestamptz) reset search_path",
    "select set_updated_at()",
    "select tell_of_follow()",
    "select note_growth()",
    # Files, programs, other roles, the server.
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('/')",
    "copy users (handle) to '/tmp/x'",
    "copy users (handle) to program 'cat'",
    "copy likes from program 'echo'",
    "set role cruddur_owner",
    "set role postgres",
    "set role cruddur_confirmation",
    "create role x",
    "alter role cruddur connection limit -1",
    "alter role cruddur createdb",
    "create database x",
    "alter system set work_mem = '1GB'",
    "select pg_reload_conf()",
    "set session_replication_role = replica",
    "select rolpassword from pg_authid",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
    # Large objects.
    "select lo_create(0)",
    "select lo_creat(-1)",
    "select lo_from_bytea(0, 'x')",
    "select lo_import('/etc/passwd')",
    "select lo_put(1, 0, 'x')",
    "select lo_get(1)",
    "select lo_open(1, 131072)",
    "select lowrite(0, 'x')",
    "select lo_unlink(1)",
    "select lo_export(1, '/tmp/x')",
]  # fmt: skip

MORE = {
    "vacuum full users": "WARNING",  # PostgreSQL skips the table, with a warning
}


@pytest.fixture(scope="module")
def service(cluster):
    """Its database is not made as a copy, because a copy does not have the rights that are granted on the database itself."""
    cluster.sql("create database loaded owner cruddur_owner template template0")
    for file in ("schema.sql", "seed.sql"):
        cluster.psql(SQL / file, "cruddur_owner", "loaded", OWNER_PASSWORD)
    cluster.psql(SQL / "large_objects.sql", "postgres", "loaded")
    database = Database(cluster, "template0")
    cluster.sql(f"drop database {database.name}")
    cluster.sql(f"alter database loaded rename to {database.name}")
    with Service(cluster, database=database, workers=1) as service:
        service.create()
        yield service
    database.remove()


@pytest.fixture
def session(service):
    connection = psycopg2.connect(service.database.url())
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.mark.parametrize("statement", REFUSED)
def test_refused(service, session, statement):
    before = service.database.sql("select count(*) from pg_class")
    with session.cursor() as cursor:
        if statement in MORE:
            cursor.execute(statement)
            assert any(notice.startswith(MORE[statement]) for notice in session.notices)
            return
        with pytest.raises(psycopg2.Error) as refusal:
            cursor.execute(statement)
    assert refusal.value.pgcode == DENIED, refusal.value
    assert service.database.sql("select count(*) from pg_class") == before


def test_it_has_so_many_sessions_at_most(cluster, database):
    """The role's connection limit from sql/roles.sql holds; the test lowers it for a moment."""
    cluster.sql("alter role cruddur connection limit 2")
    try:
        others = cluster.sql("select count(*) from pg_stat_activity where usename = 'cruddur'")[0][0]
        cluster.sql(f"alter role cruddur connection limit {others + 2}")
        connections = [psycopg2.connect(database.url()) for _ in range(2)]
        with pytest.raises(psycopg2.OperationalError, match="too many connections for role"):
            psycopg2.connect(database.url())
        cluster.connect().close()
        for connection in connections:
            connection.close()
    finally:
        cluster.sql("alter role cruddur connection limit 190")


def test_roles_sql_sets_the_limits(cluster):
    rows = dict(cluster.sql("select rolname, rolconnlimit from pg_roles where rolname in ('cruddur', 'cruddur_hook')"))
    assert rows == {"cruddur": 190, "cruddur_hook": 20}  # the first is set by cluster.py, the second is the default


def test_the_hook_s_login_does_nothing_else(service):
    connection = psycopg2.connect(service.database.url("cruddur_hook", HOOK_PASSWORD))
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in ("select handle from users", "select message from activities", "select message from messages", "delete from likes",
                          "select purge_expired(1)", "select lo_create(0)", "create temporary table x (x integer)"):  # fmt: skip
            with pytest.raises(psycopg2.Error) as refusal:
                cursor.execute(statement)
            assert refusal.value.pgcode == DENIED, statement
    connection.close()


def test_check_tells_a_hook_without_its_login(database, tmp_path):
    """The service's own login may not create users, so the hook needs its login."""
    secret, url = tmp_path / "secret", tmp_path / "url"
    for path, text in ((secret, "s" * 40), (url, database.url("cruddur_hook", HOOK_PASSWORD))):
        path.touch(0o600)
        path.write_text(text)
    settings = {"environment": {"CONNECTION_URL": database.url("cruddur", APP_PASSWORD)}}
    run = run_once("--check", "--sql-dir", SQL, "--hook-secret-file", secret, **settings)
    assert run.returncode == 1
    assert "sql/hooks/confirm.sql" in run.stderr and "permission denied for function confirm_user" in run.stderr
    run = run_once("--check", "--sql-dir", SQL, "--hook-secret-file", secret, "--hook-connection-url-file", url, **settings)
    assert (run.returncode, run.stderr) == (0, "")


def is_refused(cursor, statement, name):
    """Whether a right is missing. As in --check, planning an execute checks the rights and runs nothing."""
    try:
        cursor.execute(f'explain execute "{name}"' + (f"({', '.join(['null'] * len(statement.parameters))})" if statement.parameters else ""))
    except psycopg2.errors.InsufficientPrivilege:
        return True
    return False


def test_the_service_needs_all_that_it_may(database):
    """If any one of the rights in schema.sql is missing, a statement is refused. --check names all statements that are refused."""
    rights = database.sql(
        """select privilege_type || ' (' || column_name || ') on ' || table_name, table_name
           from information_schema.column_privileges
           where grantee = 'cruddur_app' and table_schema = 'public' and privilege_type in ('INSERT', 'UPDATE') order by 1"""
    )
    assert len(rights) > 20
    environment = {"CONNECTION_URL": database.url("cruddur", APP_PASSWORD)}
    prepared = {name: statement for name, statement in statements(database).items() if not name.startswith("hooks/")}
    with contextlib.closing(psycopg2.connect(database.url("cruddur", APP_PASSWORD))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("set plan_cache_mode = force_generic_plan")
        for name, statement in prepared.items():
            cursor.execute(f'prepare "{name}" as {statement.sql}')
        assert not [name for name in prepared if is_refused(cursor, prepared[name], name)]
        for right, table in rights:
            database.run(f"revoke {right} from cruddur_app")
            first = sorted(prepared, key=lambda name: f" {table}" not in prepared[name].sql)  # these are most likely refused
            assert any(is_refused(cursor, prepared[name], name) for name in first), f"not needed: {right}"
            database.run(f"grant {right} to cruddur_app")
        database.run("; ".join(f"revoke {right} from cruddur_app" for right, _ in rights))
        refused = {name for name in prepared if is_refused(cursor, prepared[name], name)}
        run = run_once("--check", "--sql-dir", SQL, environment=environment)
        assert (run.returncode, set(re.findall(r"/(\w+/\w+)\.sql:1: permission denied", run.stderr))) == (1, refused), run.stderr
        database.run("; ".join(f"grant {right} to cruddur_app" for right, _ in rights))
    run = run_once("--check", "--sql-dir", SQL, environment=environment)
    assert run.returncode == 0, run.stderr
