"""Sessions: the cost of a new one, how the workers share them, and settings with which none can be opened."""

import contextlib
import signal
import time

import pytest

from cluster import frozen
from daemon import run_once
from load import Load
from places import SQL
from pooler import Pooler
from waiting import eventually


def warm(service):
    assert service.home().status == service.create("first").status == 200


# --- what the database refuses ---


@pytest.mark.parametrize(
    "role, password, parameters, sqlstate",
    [
        ("cruddur", "wrong", {}, "28P01"),
        ("nobody", "none", {}, "28P01"),
        ("cruddur", None, {"dbname": "nowhere"}, "3D000"),
        ("cruddur", None, {"dbname": "closed"}, "42501"),
        ("cruddur", None, {"options": "-c%20nonsense%3D1"}, "42704"),
        ("locked_out", "secret", {}, "28000"),
    ],
)
def test_a_reload_that_the_database_refuses(cluster, start, role, password, parameters, sqlstate):
    """The reason is in the log, and no request fails, whether the workers have sessions or not."""
    service = start(workers=2)
    good = service.url_file.read_text()
    with contextlib.ExitStack() as stack:
        for statement, undo in [
            ("create database closed", "drop database closed"),
            ("revoke connect on database closed from public", "select"),
            ("create role locked_out nologin password 'secret'", "drop role locked_out"),
        ]:
            cluster.sql(statement)
            stack.callback(cluster.sql, undo)
        url = service.database.url(role, password, **parameters) if password else service.database.url(**parameters)
        for count in (1, 2):
            service.write_url(url)
            service.daemon.signal(signal.SIGHUP)
            service.daemon.wait_for_message("the old set stays", count)
            service.write_url(good)  # which the old workers read when they connect
            warm(service)
    assert f"(SQLSTATE {sqlstate})" in "".join(service.log.messages("database"))
    service.daemon.reload()
    warm(service)


def test_a_reload_for_a_server_that_is_not_there(start):
    """The workers have their sessions, so the database isn't away: the new settings are at fault."""
    service = start(workers=2)
    warm(service)
    good = service.url_file.read_text()
    service.write_url("postgresql://cruddur@/x?host=/nowhere")
    before = service.wait_for_workers()
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message("no connection")
    assert service.home().status == 200
    service.daemon.wait_for_message("the old set stays")
    assert service.wait_for_workers() == before
    assert "the new settings don't work: " in "".join(service.log.messages("database"))
    service.write_url(good)
    warm(service)


def test_a_reload_while_the_database_is_away(cluster, start):
    """The database is away for all workers, so nothing is wrong with the settings."""
    service = start(workers=2, statement_timeout=1000, deadline=2000)
    warm(service)
    with cluster.away():
        eventually(lambda: service.create("away").status == 503, what="the loss of the sessions")
        service.daemon.reload()
    eventually(lambda: service.create("back").status == 200, what="the database's return")


def test_a_new_worker_has_its_sessions(cluster, start):
    """The server accepts no new session for a while, but answers on the open ones: a worker without sessions replaces none that
    has them."""
    service = start(workers=2, feed_watch=0)
    warm(service)
    with Load(service, connections=4, pause=0.04) as load:
        service.wait_for_sessions(2)
        before = service.wait_for_workers()
        with frozen(cluster.processes()[0]):
            service.daemon.signal(signal.SIGHUP)
            service.daemon.wait_for_message("no answer in time")
            load.wait_for_more(50)
            assert set(before) < set(service.daemon.workers())
        service.daemon.wait_for_message("HUP: all workers replaced")
        load.wait_for_more(50)
    assert load.failures == []


# --- set-up ---


def parses(cluster, since):
    """The lines of PostgreSQL's log about prepared statements, from the offset since."""
    text = cluster.log.read_text()[since:]
    return [line for line in text.splitlines() if " parse " in line]


def test_a_session_prepares_what_it_runs(cluster, start):
    """Set-up is two statements; each other one is prepared when it is first run, and once."""
    service = start(workers=1, feed_watch=0)
    cluster.sql(f"alter database {service.database.name} set log_min_duration_statement = 0")
    since = len(cluster.log.read_text())
    for _ in range(3):
        warm(service)
    eventually(lambda: len(parses(cluster, since)) >= 2, what="the log")
    lines = parses(cluster, since)
    named = sorted(line.split(" parse ")[1].split(":")[0] for line in lines if "<unnamed>" not in line)
    assert named == ["activities/create", "activities/home", "session/introduce"]
    assert len([line for line in lines if "<unnamed>" in line]) == 4  # session/begin and session/server, of two sessions


def test_a_statement_that_does_not_fit_fails_alone(start):
    """It is answered with 503, and the log has its file and line once. It works as soon as the schema fits again. Other statements
    are not affected."""
    service = start(workers=1, feed_watch=0)
    service.database.sql("alter table users rename column bio to about")
    for _ in range(3):
        assert service.get("/api/activities/@londo").status == 503
        assert service.create("fits").status == 200
    (line,) = [text for text in service.log.messages("database") if "doesn't fit" in text]
    assert "users/feed.sql:" in line and "(SQLSTATE 42703)" in line
    service.database.sql("alter table users rename column about to bio")
    assert service.get("/api/activities/@londo").status == 200


# --- fewer sessions than wanted ---


def test_fewer_sessions_than_wanted_are_shared(start):
    """There are three sessions and each of two workers has one, so every request is answered. A worker logs once that a session is
    missing."""
    service = start(workers=2, feed_watch=0)
    with Load(service) as load:
        service.wait_for_sessions(2)
        service.database.sql(f"alter database {service.database.name} connection limit 4")  # the fourth is the test's own
        service.database.terminate_sessions()
        eventually(lambda: service.ask_many(2) or "reads and writes share a session" in service.log.text, what="sharing")
        marked = len(load.failures)
        load.wait_for_more(100)
        assert len(load.failures) == marked
        tellers = [line["pid"] for line in service.log.entries("database") if "share a session" in line.get("message", "")]
        assert len(tellers) == len(set(tellers))
        service.database.sql(f"alter database {service.database.name} connection limit -1")
        service.wait_for_sessions(2)
    load.audit(service.database).check()


def test_everything_by_one_session(start):
    """This includes the cached home page and statements that wait for their turn, also long after the worker has found that there
    is no other session."""
    service = start(workers=1, statement_timeout=1000, deadline=1500, feed_watch=20)
    assert service.create("the only one").status == 200
    service.database.sql(f"alter database {service.database.name} connection limit 1")
    end = time.monotonic() + 5  # s; a few deadlines
    while time.monotonic() < end:
        for target in ("/api/activities/home", "/api/activities/search?term=only", "/api/activities/@londo"):
            assert service.get(target).status == 200, target
        assert service.create("one more").status == 200
        time.sleep(0.01)
    assert service.database.backends() == service.database.backends("writing")
    assert len([text for text in service.log.messages("database") if "share a session" in text]) == 1


def test_check_says_what_is_missing(database):
    def check(*more, **environment):
        return run_once("--check", "--sql-dir", SQL, *more, environment={"CONNECTION_URL": database.url()} | environment)

    assert check("--workers", "4").stderr == ""
    database.sql(f"alter database {database.name} connection limit 13")
    told = check("--workers", "4")
    assert "4 workers want 14 database sessions, but there are 13" in told.stderr
    assert check("--workers", "3").stderr == ""
    told = check("--workers", "4", READ_CONNECTION_URL=database.url())  # the prober has two there
    assert "4 workers want 16 database sessions" in told.stderr


# --- behind a pooler ---


@pytest.fixture
def behind(cluster, start):
    with Pooler(cluster, 3) as pooler:
        service = start(prepare=0, workers=1, statement_timeout=400, feed_watch=0)
        cluster.sql(f"alter database {service.database.name} set timezone = 'Europe/Berlin'")
        service.write_url(pooler.url(service.database))
        service.daemon.reload()
        yield service


def test_times_behind_a_pooler(behind):
    """In UTC, whatever the database or another client of the pooler has set."""
    created = behind.create("when?")
    times = [created.json["created_at"], *(row["created_at"] for row in behind.home().json)]
    assert times and all(time.endswith(("+00:00", "Z")) for time in times)


def test_an_abandoned_statement_behind_a_pooler(behind):
    """PostgreSQL ends it itself: it doesn't hold one of the pooler's sessions for ever."""
    with behind.database.locked_user():
        reply = behind.create("too late")
        assert (reply.status, reply.codes) == (504, ["database_timeout"])
        assert behind.line_of(reply)["sqlstate"] in ("57014", "55P03")
    assert behind.create("in time").status == 200
