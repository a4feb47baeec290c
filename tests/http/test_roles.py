"""sql/roles.sql: run before and after the load, repeatedly, by a superuser and by an administrator without superuser rights; no
password appears in the server's log."""

import re
import subprocess

import psycopg2
import pytest

from cluster import Cluster
from daemon import run_once
from places import SQL, TOP, clean_environment, postgres_program

ODD = "it's \\. \"odd\" %20 @:/?# $x `y` \\x41 €"[:-2]
PASSWORDS = {"CRUDDUR_OWNER_PASSWORD": "owner canary", "CRUDDUR_APP_PASSWORD": ODD, "CRUDDUR_HOOK_PASSWORD": "\\.", "CRUDDUR_READER_PASSWORD": " "}
LOGINS = {"cruddur_owner": "owner canary", "cruddur": ODD, "cruddur_hook": "\\.", "cruddur_reader": " "}
CHATTY = """
log_statement = 'all'
log_min_duration_statement = 0
log_min_messages = debug1
log_min_error_statement = debug1
debug_print_plan = on
shared_preload_libraries = 'auto_explain, pg_stat_statements'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
pg_stat_statements.track = all
"""


@pytest.fixture
def server():
    """A server of its own, which logs all that it can."""
    cluster = Cluster(settings=CHATTY)
    cluster.make()
    cluster.start()
    yield cluster
    cluster.remove()


def make_roles(server, user="postgres", password="", database="postgres", check=True, settings=(), **passwords):
    return subprocess.run(
        [postgres_program("psql"), "--no-psqlrc", "--quiet", *settings, "--file", SQL / "roles.sql"],
        env=clean_environment(PGHOST=str(server.sockets), PGUSER=user, PGPASSWORD=password, PGDATABASE=database, **passwords),
        check=check, capture_output=True, encoding="utf-8",
    )  # fmt: skip


def script(server, name, role, password, database="cruddur", **more):
    quoted = "".join(f"%{byte:02x}" for byte in password.encode())
    url = f"postgresql://{role}:{quoted}@/{database}?host={server.sockets}"
    return subprocess.run(
        [TOP / "bin" / name], env=clean_environment(CONNECTION_URL=url, **more), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
    )  # fmt: skip


def log_in(server, role, password, database="postgres"):
    psycopg2.connect(host=str(server.sockets), user=role, password=password, dbname=database).close()


def catalog(server):
    return server.sql(
        """select rolname, rolcanlogin, rolcreatedb, rolconnlimit, rolpassword is not null,
                  (select array_agg(roleid::regrole::text) from pg_auth_members where member = a.oid)
           from pg_authid a where rolname like 'cruddur%' order by 1"""
    )


EXPECTED = [
    ("cruddur", True, False, 80, True, ["cruddur_app"]),
    ("cruddur_app", False, False, -1, False, None),
    ("cruddur_confirmation", False, False, -1, False, None),
    ("cruddur_hook", True, False, 20, True, ["cruddur_confirmation"]),
    ("cruddur_owner", True, True, -1, True, None),
    ("cruddur_reader", True, False, 5, True, ["cruddur_readonly"]),
    ("cruddur_readonly", False, False, -1, False, None),
]


def test_again_and_again(server):
    assert make_roles(server, **PASSWORDS).stderr == ""
    assert catalog(server) == EXPECTED
    for role, password in LOGINS.items():
        log_in(server, role, password)
    assert make_roles(server).stderr == ""
    assert catalog(server) == EXPECTED
    for role, password in LOGINS.items():
        log_in(server, role, password)
    make_roles(server, CRUDDUR_APP_PASSWORD="another", settings=["--set", "app_connections=7", "--set", "hook_connections=3"])
    assert [row[3] for row in catalog(server)] == [7, -1, -1, 3, -1, 5, -1]
    make_roles(server)
    assert [row[3] for row in catalog(server)] == [7, -1, -1, 3, -1, 5, -1]
    log_in(server, "cruddur", "another")
    log_in(server, "cruddur_owner", PASSWORDS["CRUDDUR_OWNER_PASSWORD"])
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        log_in(server, "cruddur", ODD)


def test_the_verifier_is_what_postgresql_makes(server):
    """The same salt gives the same verifier."""
    make_roles(server, **PASSWORDS)
    made = dict(server.sql("select rolname, rolpassword from pg_authid where rolpassword is not null"))
    assert made.keys() == LOGINS.keys()
    for verifier in made.values():
        assert verifier.startswith("SCRAM-SHA-256$4096:")
    assert len({verifier.split("$")[1] for verifier in made.values()}) == 4  # salts


def test_after_the_load_too(server):
    """The tables are loaded by a superuser on a server without the roles, which schema.sql makes as far as it needs them."""
    for name in ("db-create", "db-schema-load", "db-seed"):
        assert script(server, name, "postgres", "").returncode == 0
    make_roles(server, **PASSWORDS)
    assert catalog(server) == EXPECTED
    run = run_once("--check", "--sql-dir", SQL, environment={"CONNECTION_URL": server.url("cruddur", "x", "cruddur"), "PGPASSWORD": ODD})
    assert "password" in run.stderr  # the password in the URL takes precedence
    url = f"postgresql://cruddur@/cruddur?host={server.sockets}"
    run = run_once("--check", "--sql-dir", SQL, environment={"CONNECTION_URL": url, "PGPASSWORD": ODD})
    assert (run.returncode, run.stderr) == (0, "")


def test_no_password_in_the_log(server):
    make_roles(server, **PASSWORDS)
    make_roles(server, **PASSWORDS)
    for wrong in ("canary\nof two lines", "canary with \x01", "canary with \x02", "canary ü", "canary\t"):
        run = make_roles(server, check=False, CRUDDUR_APP_PASSWORD=wrong)
        assert run.returncode == 3
        assert "a password in the environment has other than printable ASCII characters" in run.stderr
        assert "canary" not in run.stderr
    server.sql("create extension pg_stat_statements")
    statements = str(server.sql("select query from pg_stat_statements"))
    log = server.log.read_text()
    for text in (log, statements):
        assert "given_passwords" in text
        assert "canary" not in text and "odd" not in text
    for role, password in LOGINS.items():
        log_in(server, role, password)


def test_an_administrator_without_superuser_rights(server):
    """As on RDS: the administrator makes the roles, the owner makes and loads the database, and the administrator can still connect."""
    server.sql("create role master login createrole createdb password 'm'")
    make_roles(server, user="master", password="m", **PASSWORDS)
    owner = ("cruddur_owner", PASSWORDS["CRUDDUR_OWNER_PASSWORD"])
    for name in ("db-create", "db-schema-load", "db-seed"):
        run = script(server, name, *owner)
        assert run.returncode == 0, run.stderr
    log_in(server, "master", "m", "cruddur")
    make_roles(server, user="master", password="m", CRUDDUR_APP_PASSWORD="another")
    log_in(server, "cruddur", "another", "cruddur")
    server.sql("create role stranger login password 's'")
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        log_in(server, "stranger", "s", "cruddur")


def test_rights_after_a_load_without_the_roles(server):
    """A role that may not create roles loads the database; then the command of doc/security.md grants the rights."""
    server.sql("create role loader login createdb password 'l'")
    for name in ("db-create", "db-schema-load", "db-seed"):
        assert script(server, name, "loader", "l").returncode == 0
    make_roles(server, **PASSWORDS)
    url = f"postgresql://cruddur@/cruddur?host={server.sockets}"
    check = ["--check", "--sql-dir", SQL]
    assert run_once(*check, environment={"CONNECTION_URL": url, "PGPASSWORD": ODD}).returncode == 1
    (command,) = re.findall(r"^```sh\n(.*schema\.sql.*db-connect)\n```$", (TOP / "doc/security.md").read_text(), re.M)
    owner = clean_environment(CONNECTION_URL=f"postgresql://loader:l@/cruddur?host={server.sockets}")
    subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=TOP, env=owner, check=True, capture_output=True)
    run = run_once(*check, environment={"CONNECTION_URL": url, "PGPASSWORD": ODD})
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("name", PASSWORDS)
def test_their_variables_do_not_stop_the_daemon(database, name):
    """An operator may have exported these variables for sql/roles.sql."""
    run = run_once("--check", "--sql-dir", SQL, environment={"CONNECTION_URL": database.url(), name: "x"})
    assert (run.returncode, run.stderr) == (0, "")
    run = run_once("--check", "--sql-dir", SQL, environment={"CONNECTION_URL": database.url(), f"{name}X": "x"})
    assert (run.returncode, run.stderr) == (2, f"cruddurd: {name}X: there is no such setting (see cruddurd --help)\n")


def test_no_process_shows_them(start_pool, database):
    """No environment of the daemon's processes contains a password."""
    secrets = {name: f"canary-{name}" for name in (*PASSWORDS, "PROD_CONNECTION_URL")}
    pool = start_pool(database, environment=secrets)
    pool.wait_for_workers()
    pids = [pool.daemon.pid, *(process.pid for process in pool.daemon.children())]
    for pid in pids:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            assert b"canary" not in environ.read()
