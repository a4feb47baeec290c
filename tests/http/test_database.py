"""What PostgreSQL does to the service: away, restarted, frozen, locked, full, changed under it."""

import itertools

import pytest

from client import PROBLEM, Asking
from cluster import FROM_SESSIONS, Standby, frozen
from load import Load
from places import SQL, Folder
from relay import Relay
from waiting import Stopwatch, eventually

DEADLINE = 3  # s, of a statement with all its repeats


def check_unavailable(reply):
    assert (reply.status, reply.codes) == (503, ["database_unavailable"])
    assert reply.headers["Retry-After"]


def start_warm(start, **settings):
    """A service whose every worker has its session already: those of a reload connect at once."""
    service = start(**settings)
    service.daemon.reload()
    return service


def warnings(service):
    return [entry["message"] for entry in service.log.entries("database") if entry["level"] == "warning"]


# --- away ---


def test_down_at_start(cluster, start):
    """No start needs the database; with it back, the first success comes within 250 ms."""
    service = start(workers=2)
    with cluster.away():
        service.daemon.stop()
        service.launch()
        eventually(service.is_listening)
        before = service.wait_for_workers()
        for _ in range(10):
            assert service.get("/livez").status == service.get("/api/health-check").status == 200
            for ask in (service.home, service.create, lambda: service.get("/readyz", Accept=PROBLEM)):
                check_unavailable(ask())
        assert service.daemon.workers() == before
        cluster.start()
        with Stopwatch() as watch:
            eventually(lambda: service.home().status == 200, what="the first success")
    assert watch.seconds < 0.6  # 250 ms, and the time for a sanitizer's build to connect
    service.create("as if nothing had happened")


def test_life_and_errors_need_no_database(cluster, start):
    service = start()
    with cluster.away():
        for target, status in (("/livez", 200), ("/api/nothing", 404), ("/api/activities/home?limit=0", 422)):
            with Stopwatch() as watch:
                assert service.get(target).status == status
            assert watch.seconds < 0.5
        assert service.create(message="").status == 422


def test_the_outage_is_logged_once(cluster, start):
    service = start_warm(start, workers=1, statement_timeout=300, deadline=500)
    with cluster.away():
        for _ in range(30):
            check_unavailable(service.home())
        assert len(warnings(service)) <= 2
    eventually(lambda: service.home().status == 200)
    assert any(entry["message"] == "connected again" for entry in service.log.entries("database"))


def test_a_long_outage_fails_fast(cluster, start):
    """The first request after the loss waits for the database up to the deadline, those behind it do not."""
    service = start_warm(start, workers=1, deadline=1000, statement_timeout=500)
    with cluster.away():
        check_unavailable(service.home())
        with Stopwatch() as watch:
            for _ in range(20):
                check_unavailable(service.home())
        assert watch.seconds < 2


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_under_load(cluster, start, mode):
    """Statements wait for the database and are sent again; none is lost or doubled."""
    service = start_warm(start, workers=4)
    with Load(service) as load:
        for _ in range(2):
            cluster.restart(mode)
            load.wait_for_more(300)  # a request is sent again once: it may not meet two restarts
    if mode == "fast":
        assert load.failures == []
    assert load.kinds_of_failure() <= {(503, "database_unavailable")}
    load.audit(service.database).check()


def test_a_worker_without_a_session_waits_too(cluster, start):
    """One that was started just before the database went away, say: its first request is not the one to fail."""
    service = start(workers=1)
    with cluster.away():
        asking = Asking(service.home)
        service.daemon.wait_for_message("no connection")
        cluster.start()
    assert asking.reply().status == 200


def test_terminated_sessions_fail_nothing(start):
    service = start_warm(start, workers=4)
    with Load(service) as load:
        for _ in range(6):
            service.database.terminate_sessions()
            load.wait_for_more(300)  # twice within one request would be one time too many
    assert load.failures == []
    load.audit(service.database).check()


def test_a_terminated_create_is_there_once(start):
    """Its session ends while it waits; it is sent again, with the same uuid."""
    service = start(workers=1)
    with service.database.locked_user():
        asking = Asking(service.create, "sent twice")
        ((backend, _),) = service.database.wait_for_waiting()
        service.database.sql("select pg_terminate_backend(%s)", backend)
        eventually(lambda: service.database.wait_for_waiting()[0][0] != backend, what="the second attempt")
    assert asking.reply().status == 200
    assert service.database.messages()["sent twice"] == 1


def test_sessions_say_who_they_are(start):
    service = start_warm(start, workers=3)
    rows = service.database.sql(f"select application_name, usename {FROM_SESSIONS}")
    names = [f"cruddurd worker {number}{lane}" for number in (1, 2, 3) for lane in ("", " writing")]
    assert sorted(rows) == [(name, "cruddur") for name in names]


def test_two_sessions_per_worker_over_many_requests(start):
    service = start(workers=2)
    with Load(service) as load:
        load.wait_for_more(200)
        assert len(service.database.backends("reading")) <= 2
        assert len(service.database.backends("writing")) <= 2


# --- slow ---


@pytest.mark.parametrize("target", ["/api/activities/home", "create"])
def test_a_lock_that_is_held_too_long(start, target):
    """By the defaults: PostgreSQL ends the statement before the worker's deadline, and that before nginx's."""
    service = start_warm(start, workers=1)
    with service.database.locked("activities"), Stopwatch() as watch:
        reply = service.create("too late") if target == "create" else service.get(target)
    assert (reply.status, reply.json) == (504, ["database_timeout"])
    assert 1.9 < watch.seconds < DEADLINE
    assert "too late" not in service.database.messages()
    assert service.home().status == 200


def test_a_frozen_backend(start):
    """It never answers: the worker's own deadline ends the wait, and the next request has a new session."""
    service = start_warm(start, workers=1)
    (backend,) = service.database.backends("reading")
    with frozen(backend):
        with Stopwatch() as watch:
            reply = service.home()
        assert (reply.status, reply.json) == (504, ["database_timeout"])
        assert 2.5 < watch.seconds < 3.5
        assert service.home().status == 200
    assert service.home().status == 200


def test_a_frozen_create_is_there_at_most_once(start):
    service = start_warm(start, workers=1, statement_timeout=300, deadline=500)
    (backend,) = service.database.backends("writing")
    with frozen(backend):
        assert service.create("frozen").status == 504
        assert service.create("thawed").status == 200
    eventually(lambda: backend not in service.database.backends(), what="the end of the old session")
    messages = service.database.messages()
    assert messages["thawed"] == 1 and messages.get("frozen", 0) <= 1


@pytest.fixture
def relay(cluster):
    folder = Folder()
    with Relay(folder.path, cluster.sockets) as relay:
        yield relay
    folder.remove()


def test_a_network_that_swallows_everything(start, relay):
    """No answer takes longer than 3.5 s, over a session that was there and over one that must be made."""
    service = start(workers=1, feed_watch=0)
    service.write_url(service.database.url(hosts=[relay.host]))
    service.daemon.reload()
    assert service.home().status == 200
    with relay.silent():
        for statuses in ({504}, {503}, {503}):
            with Stopwatch() as watch:
                reply = service.home()
            assert reply.status in statuses
            assert watch.seconds < 3.5
    eventually(lambda: service.home().status == 200, what="the network's return")
    with relay.silent():
        assert service.get("/livez").status == 200


# --- refusals ---


def test_wrong_password_and_its_rotation(cluster, start):
    """The URL's file is read at each connect: a new password needs no restart."""
    cluster.sql("drop role if exists rotating")
    cluster.sql("create role rotating login password 'first' in role cruddur_app")
    service = start(workers=2, feed_watch=0, statement_timeout=300, deadline=500)
    service.write_url(service.database.url("rotating", "first"))
    service.daemon.reload()
    before = service.wait_for_workers()
    assert service.home().status == 200

    cluster.sql("alter role rotating password 'second'")
    service.database.terminate_sessions()
    reply = service.home()
    check_unavailable(reply)
    assert any("authentication failed" in text for text in warnings(service))
    assert "first" not in service.log.text

    service.write_url(service.database.url("rotating", "second"))
    eventually(lambda: all(service.home().status == 200 for _ in range(10)), what="the new password")
    assert service.daemon.workers() == before


def test_a_url_file_that_goes_bad(start):
    service = start(workers=1)
    service.url_file.chmod(0o644)
    check_unavailable(service.home())
    service.url_file.chmod(0o600)
    good = service.url_file.read_text()
    service.write_url("postgresql://[::1/canary-password")
    eventually(lambda: service.home().status == 503)
    assert "canary-password" not in service.log.text
    service.write_url(good)
    eventually(lambda: service.home().status == 200, what="the good URL")


def test_no_slot_left(cluster, start):
    service = start(workers=1, feed_watch=0)
    service.database.sql(f"alter database {service.database.name} connection limit 0")
    with Stopwatch() as watch:
        for _ in range(20):
            check_unavailable(service.home())
    assert watch.seconds < 5
    assert len(warnings(service)) == 1
    assert "too many connections" in warnings(service)[0]
    service.database.sql(f"alter database {service.database.name} connection limit -1")
    eventually(lambda: service.home().status == 200, what="a free slot")


def test_a_session_on_a_read_only_server(cluster, start):
    """25006 says that a standby was reached: reads go on, a write is tried once more on a new session."""
    service = start(workers=1)
    name = service.database.name
    cluster.sql(f"alter database {name} set default_transaction_read_only = on")
    assert service.home().status == 200
    refused = service.create("refused")
    check_unavailable(refused)
    assert service.line_of(refused)["sqlstate"] == "25006"
    assert service.home().status == 200
    cluster.sql(f"alter database {name} reset default_transaction_read_only")
    assert service.create("taken").status == 200
    assert "refused" not in service.database.messages()


def test_a_standby_is_left_for_the_primary(cluster, start):
    """The URL names both and does not say which is which."""
    service = start(workers=2)
    standby = Standby(cluster)
    try:
        service.write_url(service.database.url(hosts=[standby.sockets, cluster.sockets]))
        service.daemon.reload()
        assert service.home().status == 200
        for number in range(10):
            assert service.create(f"number {number}").status == 200
        hosts = ["/nowhere", standby.sockets, cluster.sockets]
        service.write_url(service.database.url(hosts=hosts) + "&target_session_attrs=read-write")
        service.daemon.reload()
        assert service.create("by its attributes").status == 200
    finally:
        standby.remove()


class Raising:
    """A trigger that makes the next creates fail with an SQLSTATE. A sequence counts them: it is never rolled back."""

    def __init__(self, database, sqlstate, times):
        database.sql(
            f"""create sequence attempts;
                grant usage on sequence attempts to cruddur_app;
                create function fail() returns trigger language plpgsql as $$
                begin
                    if nextval('public.attempts') <= {times} then
                        raise exception 'injected' using errcode = '{sqlstate}';
                    end if;
                    return new;
                end $$;
                create trigger fail before insert on activities for each row execute function fail()"""
        )
        self.database = database

    def attempts(self):
        return self.database.sql("select last_value from attempts")[0][0]


@pytest.mark.parametrize(
    "sqlstate, times, status, attempts",
    [
        ("40P01", 2, 200, 3), ("40001", 2, 200, 3), ("40001", 9, 503, 3),  # at most two more attempts
        ("53100", 9, 503, 1), ("53200", 9, 503, 1), ("57P01", 1, 200, 2), ("57P01", 9, 503, 3), ("58030", 9, 503, 1),
        ("57014", 9, 504, 1), ("55P03", 9, 504, 1), ("25006", 1, 200, 2), ("0A000", 1, 200, 2), ("26000", 1, 200, 2),
        ("XX000", 9, 500, 1), ("P0001", 9, 500, 1),
    ],
)  # fmt: skip
def test_what_each_sqlstate_comes_to(start, sqlstate, times, status, attempts):
    service = start_warm(start, workers=1)
    raising = Raising(service.database, sqlstate, times)
    reply = service.create("injected")
    assert reply.status == status
    assert raising.attempts() == attempts
    assert service.database.messages().get("injected", 0) == (status == 200)
    assert service.line_of(reply).get("sqlstate") == (None if status == 200 else sqlstate)
    assert service.home().status == 200


def test_a_full_disk_stops_no_reads(start):
    service = start(workers=1)
    Raising(service.database, "53100", 1)
    check_unavailable(service.create("no room"))
    assert service.home().status == 200
    assert service.create("room again").status == 200


def test_a_deadlock_is_nobodys_error(cluster, start):
    """Two transactions wait for each other. PostgreSQL ends the one that looks first: ours, and it runs again."""
    service = start(workers=1)
    service.create("the other")
    service.database.sql(
        """create function cross_over() returns trigger language plpgsql security definer as $$
           begin perform from public.activities where message = 'the other' for update; return new; end $$;
           create trigger cross_over after insert on activities for each row execute function cross_over()"""
    )
    cluster.sql(f"alter database {service.database.name} set deadlock_timeout = '300ms'")
    service.daemon.reload()
    hold = "select from activities where message = 'the other' for update; set deadlock_timeout = '1min'"
    with service.database.held(hold) as cursor:
        asking = Asking(service.create, "crossed")
        service.database.wait_for_waiting()
        cursor.execute("lock table activities in share mode")  # granted once the worker's transaction is rolled back
    assert asking.reply().status == 200
    assert service.database.messages()["crossed"] == 1
    assert any("40P01" in text for text in warnings(service))


# --- a standby that must confirm every commit ---


@pytest.fixture
def let_standbys_be(cluster):
    """Commits wait for the standbys of these names; for those that are not there for ever."""

    def let_be(names):
        cluster.sql(f"alter system set synchronous_standby_names = '{names}'")
        cluster.sql("select pg_reload_conf()")

    yield let_be
    let_be("")


@pytest.fixture
def unconfirmed(let_standbys_be):
    """Commits wait for a standby that is not there; calling what this gives ends that."""
    let_standbys_be("absent")
    return lambda: let_standbys_be("")


def test_a_resend_waits_for_the_standby_too(start, unconfirmed):
    """The row is there, but only here: it is acknowledged when the standby has it, not when it is found."""
    service = start(workers=1, statement_timeout=8000, deadline=9000, stuck_timeout=10000)
    asking = Asking(service.create, "sent twice")
    ((backend, _),) = service.database.wait_for_waiting(on="SyncRep")
    service.database.sql("select pg_terminate_backend(%s)", backend)
    eventually(lambda: service.database.wait_for_waiting(on="SyncRep")[0][0] != backend, what="the second attempt")
    assert asking.is_alive()
    unconfirmed()
    assert asking.reply().status == 200
    assert service.database.messages()["sent twice"] == 1


LIKE, REPOST, FOLLOW = "/api/activities/{post}/like", "/api/activities/{post}/repost", "/api/users/@bayko/follow"


@pytest.mark.parametrize(
    "method, target, body",
    [
        *((method, target, None) for target in (LIKE, REPOST, FOLLOW) for method in ("PUT", "DELETE")),
        ("PUT", "/api/activities/{post}/keep", b'{"ttl":"1-hour"}'),
        ("PUT", "/api/activities/notifications/read", b'{"until":"2026-01-01T00:00:00Z"}'),
    ],
)
def test_what_is_so_already_waits_for_the_standby_too(start, let_standbys_be, method, target, body):
    """The second time there is nothing left to do, but what the first did may be known to nobody else yet."""
    service = start(workers=1, statement_timeout=8000, deadline=9000, stuck_timeout=10000, default_handle="londo")
    target = target.format(post=service.create(user_handle="londo", ttl="30-days").json["uuid"])
    first = service.ask(method, target, body)
    assert first.status == 200
    let_standbys_be("absent")

    def attempt():
        """One that waits; at first PostgreSQL's processes may not all know yet."""
        asking = Asking(service.ask, method, target, body)
        waits = "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'SyncRep'"
        eventually(lambda: not asking.is_alive() or service.database.sql(waits))
        return asking.is_alive() and asking

    asking = eventually(attempt, what="an attempt that waits")
    let_standbys_be("")
    assert (asking.reply().status, asking.reply().json) == (200, first.json)


def test_a_wait_for_the_standby_that_is_cut_short_is_no_success(start, unconfirmed):
    service = start(workers=1)
    asking = Asking(service.create, "unconfirmed")
    ((backend, _),) = service.database.wait_for_waiting(on="SyncRep")
    service.database.sql("select pg_cancel_backend(%s)", backend)
    assert asking.reply().status in (503, 504)
    assert service.database.messages()["unconfirmed"] == 1


# --- changes under it ---


def test_a_reload_while_an_index_is_made_anew(start):
    """The new worker's look at its rights is cut short; what comes of that later answers no request."""
    service = start(workers=1, feed_watch=0)
    service.create("newest")
    with service.database.held("reindex index activities_home_idx"):
        service.daemon.reload()
    for _ in range(5):
        assert service.get("/api/users/@bayko/short").json["handle"] == "bayko"
        assert service.home().json[0]["message"] == "newest"
        assert service.create("newest").json["message"] == "newest"


def test_ddl_under_prepared_statements(start):
    service = start_warm(start, workers=4)
    changes = itertools.cycle(
        [
            "alter table activities add column extra text",
            "alter table activities drop column extra",
            "alter table activities alter column likes_count type bigint",
            "alter table activities alter column likes_count type integer",
            "alter table users alter column bio type varchar(2000)",
            "alter table users alter column bio type text",
            "drop index activities_home_idx",
            "create index activities_home_idx on activities (created_at desc, uuid desc)",
            "analyze",
        ]
    )
    with Load(service) as load:
        for change in itertools.islice(changes, 18):
            service.database.sql(change)
            load.wait_for_more(20)
    assert load.failures == []
    load.audit(service.database).check()


def test_a_missing_schema(cluster, start):
    """503, with file and line in the log; and well again as soon as it is loaded."""
    service = start(workers=1)
    service.database.sql("drop schema public cascade; create schema public; grant usage on schema public to cruddur_app")
    check_unavailable(service.get("/readyz"))
    check_unavailable(service.home())
    assert service.get("/livez").status == 200
    (warning,) = warnings(service)
    assert "activities/home.sql:" in warning and "does not exist" in warning
    assert warning.startswith(f"no connection: {SQL}/")
    service.database.sql("drop table if exists users")
    cluster.psql(SQL / "schema.sql", "postgres", service.database.name)
    eventually(lambda: service.get("/readyz").status == 200, what="the schema")
    assert service.home().json == []


def test_missing_rights(start):
    service = start(workers=1)
    service.database.sql("revoke select on activities from cruddur_app")
    reply = service.home()
    assert (reply.status, reply.json) == (500, ["generic_500"])
    assert service.line_of(reply)["sqlstate"] == "42501"
    service.database.sql("grant select on activities to cruddur_app")
    assert service.home().status == 200


def test_a_database_that_is_dropped(cluster, start):
    service = start(workers=1, feed_stale=0, statement_timeout=300, deadline=500)
    assert service.home().status == 200
    service.database.remove()
    check_unavailable(service.home())
    assert service.get("/livez").status == 200


@pytest.mark.parametrize("prepare", [0, 1])
def test_with_and_without_prepared_statements(start, prepare):
    service = start(workers=1, prepare=prepare)
    assert service.create("either way").status == 200
    assert [row["message"] for row in service.home().json][0] == "either way"
    assert service.home("?limit=0").status == 422
