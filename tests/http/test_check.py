"""What --check reports of a database that answers: a schema that is behind or ahead, a superuser login, an unverified connection."""

import pytest

from cluster import APP_PASSWORD, Database, SelfSignedCluster, loopback_address
from daemon import run_once
from places import SQL

FITS = "settings, templates and schema fit\n"
LAST = sorted(path.name.removesuffix(".up.sql") for path in (SQL / "migrations").glob("*.up.sql"))[-1]
NUMBER = int(LAST.split("_")[0])


def check(url, *more):
    return run_once("--check", "--sql-dir", SQL, *more, environment={"CONNECTION_URL": url})


@pytest.fixture(scope="module")
def tls_cluster():
    with SelfSignedCluster(address=loopback_address()) as cluster:
        yield cluster


@pytest.mark.parametrize(
    "change, says",
    [
        (f"delete from applied_migrations where number = {NUMBER}", ", behind "),
        ("delete from applied_migrations where number > 8", "is at migration 0008_marks, behind "),
        ("truncate applied_migrations", "is at migration 0, behind "),
        (f"insert into applied_migrations values ({NUMBER + 1}, 'more', 'x')", f"is at migration {NUMBER + 1:04}_more, ahead of "),
        ("insert into applied_migrations values (9999, 'more', 'x')", "is at migration 9999_more, ahead of "),
        (f"update applied_migrations set name = 'other' where number = {NUMBER}", f"is at migration {NUMBER:04}_other, ahead of "),
        ("drop table applied_migrations", "cannot be read"),
        ("revoke select (number, name) on applied_migrations from cruddur_app", "cannot be read"),
    ],
)
def test_behind_or_ahead(database, change, says):
    database.sql(change)
    run = check(database.url())
    assert (run.returncode, run.stdout) == (1, "")
    *reasons, sentence = run.stderr.splitlines()
    assert sentence.startswith("cruddurd: not fit: the ") and says in sentence and LAST in sentence
    assert len(reasons) == 2 * ("cannot" in says)  # the statement, and the line of the log with the SQLSTATE


def test_behind_by_what_a_statement_needs(database):
    """The statements that do not fit are named, and the sentence follows."""
    database.sql("drop table notification_reads; delete from applied_migrations where number = %s" % NUMBER)
    run = check(database.url())
    assert run.returncode == 1
    assert "sql/social/read.sql" in run.stderr and "run db-migrate" in run.stderr


def test_where_it_should_be(database):
    run = check(database.url())
    assert (run.returncode, run.stdout, run.stderr) == (0, FITS, "")


def test_behind_a_pooler_too(database):
    """Without prepared statements the check gives the same result."""
    assert check(database.url(), "--prepare", "0").stdout == FITS
    database.sql("truncate applied_migrations")
    assert "not fit" in check(database.url(), "--prepare", "0").stderr


def test_a_superuser(database):
    run = check(database.url("postgres", ""))
    assert (run.returncode, run.stdout) == (0, FITS)
    assert run.stderr.startswith("cruddurd: the login of the service has superuser rights, ") and run.stderr.count("\n") == 1


@pytest.mark.parametrize("sslmode", ["disable", "prefer", "require", "verify-ca"])
def test_a_network_that_is_not_verified(tls_cluster, sslmode):
    database = Database(tls_cluster)
    run = check(database.url(sslmode=sslmode, sslrootcert=tls_cluster.data / "server.crt"))
    assert (run.returncode, run.stdout) == (0, FITS)
    assert run.stderr.startswith("cruddurd: the login of the service connects over TCP without verifying ") and run.stderr.count("\n") == 1
    assert "sslmode=verify-full" in run.stderr


def test_a_network_that_is_verified(tls_cluster):
    database = Database(tls_cluster)
    url = database.url(hosts=["localhost"], hostaddr=tls_cluster.address, sslmode="verify-full", sslrootcert=tls_cluster.data / "server.crt")
    run = check(url)
    assert (run.returncode, run.stdout, run.stderr) == (0, FITS, "")


def test_a_socket_is_no_network(tls_cluster):
    database = Database(tls_cluster)
    run = check(f"postgresql://cruddur:{APP_PASSWORD}@/{database.name}?host={tls_cluster.sockets}")
    assert (run.returncode, run.stdout, run.stderr) == (0, FITS, "")
