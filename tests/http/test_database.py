"""How the service behaves when PostgreSQL is away, restarted, frozen, locked or full, or when its schema changes."""

import itertools
import json
import os
import pathlib
import re
import signal

import pytest

from client import PROBLEM, Asking
from cluster import FROM_SESSIONS, Standby, frozen
from daemon import run_once
from fcgi import request
from load import Load
from places import SQL, TOP, Folder
from relay import Relay
from service import Service
from waiting import Stopwatch, eventually

# ms; for requests that must fail. On a slow machine other requests may fail too, so those are repeated until they succeed.
IMPATIENT = {"statement_timeout": 300, "deadline": 500}
LANES = ("", " slow", " writing")  # what follows the worker's name in the name of a session
LOG_GAP = 60  # s between two log lines about the same outage


def check_unavailable(reply):
    assert (reply.status, reply.codes) == (503, ["database_unavailable"])
    assert reply.headers["Retry-After"]


def check_needs_no_database(service):
    for target, status in (("/livez", 200), ("/api/health-check", 200), ("/api/nothing", 404), ("/api/activities/home?limit=0", 422)):
        assert service.get(target).status == status
    assert service.create(message="").status == 422


def wait_for_answers(service):
    eventually(lambda: service.home().status == 200, what="an answer")


def start_warm(start, workers=1, **settings):
    """A service in which every worker already has all its sessions. After a reload they connect at once, but on a slow machine
    some may not connect in time, so the reload is repeated until all have."""
    service = start(workers=workers, **settings)

    def is_warm():
        ((before,),) = service.database.sql("select clock_timestamp()")
        service.daemon.reload()
        rows = service.database.sql(f"select backend_start {FROM_SESSIONS}")
        return len(rows) == len(LANES) * workers and all(start > before for (start,) in rows)

    eventually(is_warm, what="all sessions of each worker")
    return service


@pytest.fixture(scope="module")
def service(cluster):
    """A service shared by the tests that do not change it."""
    with Service(cluster, workers=1, default_handle="londo") as service:
        yield service


def warnings(service):
    return [entry["message"] for entry in service.log.entries("database") if entry["level"] == "warning"]


def create_eventually(service, what):
    """Returns the message of a create that was acknowledged. Each attempt has its own message, as a failed one may also have made a row."""
    messages = (f"{what} {number}" for number in itertools.count())

    def acknowledged():
        message = next(messages)
        return service.create(message).status == 200 and message

    return eventually(acknowledged, what="a create")


# --- away ---


def test_down_at_start(cluster, start):
    """The service starts without the database. When the database comes back, nothing has to be restarted."""
    service = start(workers=2, **IMPATIENT)
    with cluster.away():
        service.daemon.stop()
        service.launch()
        eventually(service.is_listening)
        before = service.wait_for_workers()
        for _ in range(10):
            check_needs_no_database(service)
            for ask in (service.home, service.create, lambda: service.get("/readyz", Accept=PROBLEM)):
                check_unavailable(ask())
        cluster.start()
        wait_for_answers(service)
    create_eventually(service, "as if nothing had happened")
    assert service.daemon.workers() == before


def test_an_outage(cluster, start):
    """The first request after the loss waits for the database, up to the deadline; later requests do not. Worker and watcher
    each log the outage once a minute at most."""
    deadline = 2000  # ms; the end of the server's sessions and of the server may be some time apart
    service = start_warm(start, statement_timeout=300, deadline=deadline)
    with Stopwatch() as outage, cluster.away():
        replies = [service.home() for _ in range(30)]
        check_needs_no_database(service)
        for reply in replies:
            check_unavailable(reply)
        have_waited = [service.line_of(reply)["db_ms"] > deadline / 4 for reply in replies]
        assert have_waited[0] and sum(have_waited) < 10
        assert len(warnings(service)) <= 2 * (1 + outage.elapsed() // LOG_GAP)
    wait_for_answers(service)
    assert any(entry["message"] == "connected again" for entry in service.log.entries("database"))


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_under_load(cluster, start, mode):
    """Statements wait for the database and are sent again; no write is lost or doubled."""
    service = start_warm(start, workers=4)
    with Load(service) as load:
        for _ in range(2):
            cluster.restart(mode)
            load.wait_for_each(10)  # a statement is sent again only a few times, so no request may meet both restarts
    if mode == "fast":
        assert load.failures == []
    assert load.kinds_of_failure() <= {(503, "database_unavailable")}
    load.audit(service.database).check()


def test_a_worker_without_a_session_waits_too(cluster, start):
    """Such a worker was, for example, started just before the database went away. Its first request does not fail."""
    service = start(workers=1, feed_watch=0)
    with cluster.away():
        asking = Asking(service.home)
        service.daemon.wait_for_message("no connection")
        cluster.start()
    assert asking.reply().status == 200


def test_terminated_sessions_fail_nothing(start):
    service = start_warm(start, workers=4)
    with Load(service) as load:
        for _ in range(8):
            service.database.terminate_sessions()
            load.wait_for_each(3)  # so that no request meets too many losses
    assert load.failures == []
    load.audit(service.database).check()


def test_a_terminated_create_is_there_once(service):
    """Its session ends while the statement waits. The statement is sent again with the same uuid."""
    with service.database.locked_user():
        asking = Asking(service.create, "sent twice")
        ((backend, _),) = service.database.wait_for_waiting()
        service.database.sql("select pg_terminate_backend(%s)", backend)
        eventually(lambda: service.database.wait_for_waiting()[0][0] != backend, what="the second attempt")
    assert asking.reply().status == 200
    assert service.database.messages()["sent twice"] == 1


def test_each_worker_keeps_its_sessions_over_many_requests(start):
    """The sessions are named after their worker and lane."""
    service = start_warm(start, workers=3)
    rows = service.database.sql(f"select application_name, usename {FROM_SESSIONS}")
    names = [f"cruddurd worker {number}{lane}" for number in (1, 2, 3) for lane in LANES]
    assert sorted(rows) == [(name, "cruddur") for name in names]
    before = set(service.database.backends())
    with Load(service) as load:
        load.wait_for_each(25)
        assert set(service.database.backends()) == before


# --- slow ---


def test_the_shipped_time_outs_are_in_their_order():
    """PostgreSQL's for a statement, the worker's for a request, the master's for a worker, nginx's: each is shorter than the next."""
    shipped = {name: int(ms) for name, ms in re.findall(r"^  --(\S+) MS .*\[(\d+)\]$", run_once("--help").stdout, re.M)}
    (nginx,) = re.findall(r"^fastcgi_read_timeout (\d+)s;$", (TOP / "nginx/cruddur.conf").read_text(), re.M)
    assert shipped["statement-timeout"] < shipped["deadline"] < shipped["stuck-timeout"] < int(nginx) * 1000


def test_a_lock_that_is_held_too_long(start):
    """PostgreSQL ends the statement; the worker's deadline is far off."""
    service = start_warm(start, statement_timeout=1000)
    with service.database.locked("activities"):
        asking = [Asking(service.create, "too late"), Asking(service.home)]
        replies = [one.reply() for one in asking]
    for reply in replies:
        assert (reply.status, reply.json) == (504, ["database_timeout"])
        line = service.line_of(reply)
        assert line["sqlstate"] in ("57014", "55P03") and line["db_ms"] >= 1000
    assert "too late" not in service.database.messages()
    wait_for_answers(service)


def test_frozen_backends(start):
    """They never answer. The worker's own deadline ends the wait, and the next requests get new sessions. A write that was sent
    on an old session is done at most once."""
    service = start_warm(start, **IMPATIENT)
    create_eventually(service, "the session has written")  # else it would begin with the introduction
    (reading,), (writing,) = (service.database.backends(lane) for lane in ("reading", "writing"))
    with frozen(reading), frozen(writing):
        asking = [Asking(service.home), Asking(service.create, "frozen")]
        for reply in [one.reply() for one in asking]:
            assert (reply.status, reply.json) == (504, ["database_timeout"])
            line = service.line_of(reply)
            assert "sqlstate" not in line and line["ms"] >= IMPATIENT["deadline"] and line["db_ms"] > IMPATIENT["deadline"] / 4
        wait_for_answers(service)
        meanwhile = create_eventually(service, "meanwhile")
    eventually(lambda: not {reading, writing} & set(service.database.backends()), what="the end of the old sessions")
    messages = service.database.messages()
    assert messages[meanwhile] == 1 and messages.get("frozen", 0) <= 1
    wait_for_answers(service)


@pytest.fixture
def relay(cluster):
    folder = Folder()
    with Relay(folder.path, cluster.sockets) as relay:
        yield relay
    folder.remove()


def test_a_network_that_swallows_everything(start, relay):
    """Every request is answered, also one that was sent on an open session or needs a new session."""
    service = start(workers=1, feed_watch=0, **IMPATIENT)
    service.write_url(service.database.url(hosts=[relay.host]))
    service.daemon.reload()
    wait_for_answers(service)
    with relay.silent():
        assert [service.home().status for _ in range(3)] == [504, 503, 503]
        assert service.get("/livez").status == 200
    wait_for_answers(service)


@pytest.fixture
def relayed(start, relay):
    service = start(workers=1, feed_watch=0, statement_timeout=1000, deadline=2000)
    service.write_url(service.database.url(hosts=[relay.host]))
    service.daemon.reload()
    create_eventually(service, "the session has written")
    return service


def test_a_write_whose_answer_is_lost_is_sent_again(relayed, relay):
    with relay.losing("unheard", 2):
        assert relayed.create("unheard").status == 200
    assert relayed.database.messages()["unheard"] == 1


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_write_whose_answers_are_all_lost_is_in_doubt(relayed, relay):
    """The error comes when no backend can do it any more: at the deadline. The worker sleeps until then."""
    (worker,) = relayed.wait_for_workers(1)
    before = processor_seconds(worker)
    with relay.losing("unheard", 3):
        reply = relayed.create("unheard")
    assert processor_seconds(worker) - before < 1
    assert (reply.status, reply.json) == (504, ["database_timeout"])
    assert relayed.line_of(reply)["ms"] >= 2000
    assert relayed.database.messages()["unheard"] == 1


def test_a_write_that_may_be_done_is_not_cancelled(relayed, relay):
    """Its peer leaves while it waits for another session. It is sent again."""
    body = json.dumps({"message": "unheard", "ttl": "1-day", "user_handle": "londo"}).encode()
    with relay.losing("unheard", 1, on_loss=relay.fall_silent):
        with relayed.peer() as peer:
            peer.send(request("POST", "/api/activities", body, HTTP_X_REQUEST_ID="left"))
            relayed.daemon.wait_for_message("session lost")
        with relayed.peer() as other:  # the worker knows of the end of the first connection when it answers on this one
            assert other.ask().status == 200
    relay.is_silent = False
    (line,) = eventually(lambda: relayed.log.requests("left"), what="the request's line")
    assert line["status"] in (200, 504)  # 504 on a slow machine, at the deadline
    assert relayed.database.messages()["unheard"] == 1


@pytest.mark.parametrize("sqlstate", ["53100", "25006", "P0001"])
def test_an_error_after_a_lost_answer_does_not_say_that_nothing_was_done(relayed, relay, sqlstate):
    raising = Raising(relayed.database, sqlstate, 9)
    try:
        with relay.losing("unheard", 1, on_loss=raising.__enter__):
            reply = relayed.create("unheard")
        assert (reply.status, reply.json) == (504, ["database_timeout"])
        assert raising.attempts() >= 1
    finally:
        raising.__exit__()
    assert relayed.database.messages()["unheard"] == 1
    assert relayed.create("afterwards").status == 200


# --- refusals ---


def wait_for_refusal(service, why):
    """Waits until the reason is in the log, which has it once a minute. Until then every request gets 503."""

    def is_said():
        check_unavailable(service.home())
        return any(why in text for text in warnings(service))

    eventually(is_said, what=why)


def test_wrong_password_and_its_rotation(cluster, start):
    """The file with the URL is read for each new session, so a new password needs no restart."""
    cluster.sql("drop role if exists rotating")
    cluster.sql("create role rotating login password 'first' in role cruddur_app")
    service = start(workers=2, feed_watch=0, **IMPATIENT)
    service.write_url(service.database.url("rotating", "first"))
    service.daemon.reload()
    before = service.wait_for_workers()
    wait_for_answers(service)

    cluster.sql("alter role rotating password 'second'")
    service.database.terminate_sessions()
    wait_for_refusal(service, "authentication failed")
    assert "first" not in service.log.text

    service.write_url(service.database.url("rotating", "second"))
    eventually(lambda: all(service.home().status == 200 for _ in range(10)), what="the new password")
    assert service.daemon.workers() == before


def test_a_url_file_that_goes_bad(start):
    """Each worker logs the fault once a minute, so each fault is tested with a new worker."""
    service = start(workers=1, feed_watch=0, **IMPATIENT)
    good = service.url_file.read_text()
    bad = [
        ("postgresql://[::1/canary-password", 0o600, "no connection string"),
        ("\n", 0o600, "it is empty"),
        (good, 0o644, "others can read it"),
    ]
    for url, mode, reason in bad:
        service.url_file.chmod(mode)
        service.write_url(url)
        check_unavailable(service.home())
        service.daemon.wait_for_message(reason)
        (worker,) = service.daemon.workers()
        os.kill(worker, signal.SIGKILL)
        service.wait_for_workers(1, other_than=[worker])
    assert "canary-password" not in service.log.text
    service.url_file.chmod(0o600)
    wait_for_answers(service)


def test_an_empty_url_file(start):
    """A file that is being rewritten is empty for a moment. A new session does not take libpq's defaults then, nor does a reload."""
    service = start(workers=1, feed_watch=0, environment={"PGHOST": "/nowhere"}, **IMPATIENT)
    wait_for_answers(service)
    service.write_url("")
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message("the old ones stay in force")
    assert any(f"{service.url_file}: it is empty" in entry.get("message", "") for entry in service.log.entries())
    service.database.terminate_sessions()
    eventually(lambda: service.home().status == 503, what="the end of its sessions")
    service.daemon.wait_for_message(f"no connection: {service.url_file}: it is empty")
    assert "/nowhere" not in service.log.text
    service.write_url(service.database.url())
    wait_for_answers(service)


def test_no_slot_left(start):
    service = start(workers=1, feed_watch=0, **IMPATIENT)
    with Stopwatch() as outage:
        service.database.sql(f"alter database {service.database.name} connection limit 0")
        wait_for_refusal(service, "too many connections")
        for _ in range(20):
            check_unavailable(service.home())
    assert len(warnings(service)) <= 1 + outage.seconds // LOG_GAP
    service.database.sql(f"alter database {service.database.name} connection limit -1")
    wait_for_answers(service)


def test_a_session_on_a_read_only_server(cluster, start):
    """25006 means that the session is with a standby: reads go on, and a write is tried once more on a new session."""
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
    """The URL has both hosts and does not say which one is the primary."""
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
    """A trigger that makes the next creates fail with an SQLSTATE. A sequence counts them, because it is never rolled back."""

    def __init__(self, database, sqlstate, times):
        self.sql = database.run
        self.sqlstate, self.times = sqlstate, times

    def __enter__(self):
        self.sql(
            f"""create sequence attempts;
                grant usage on sequence attempts to cruddur_app;
                create function fail() returns trigger language plpgsql as $$
                begin
                    if nextval('public.attempts') <= {self.times} then
                        raise exception 'injected' using errcode = '{self.sqlstate}';
                    end if;
                    return new;
                end $$;
                create trigger fail before insert on activities for each row execute function fail()"""
        )
        return self

    def __exit__(self, *_):
        self.sql("drop trigger fail on activities; drop function fail; drop sequence attempts")

    def attempts(self):
        return self.sql("select last_value from attempts")[0][0]


@pytest.mark.parametrize(
    "sqlstate, times, status, attempts",
    [
        ("40P01", 2, 200, 3), ("40001", 2, 200, 3), ("40001", 9, 503, 3),  # at most two more attempts
        ("53100", 9, 503, 1), ("53200", 9, 503, 1), ("57P01", 1, 200, 2), ("57P01", 9, 503, 3), ("58030", 9, 503, 1),
        ("57014", 9, 504, 1), ("55P03", 9, 504, 1), ("25006", 1, 200, 2), ("0A000", 1, 200, 2), ("26000", 1, 200, 2),
        ("XX000", 9, 500, 1), ("P0001", 9, 500, 1),
    ],
)  # fmt: skip
def test_what_each_sqlstate_comes_to(service, sqlstate, times, status, attempts):
    """The failure affects no read and no later write."""
    message = f"{sqlstate} {times} times"
    with Raising(service.database, sqlstate, times) as raising:
        reply = service.create(message)
        assert reply.status == status
        assert status != 503 or reply.headers["Retry-After"]
        assert raising.attempts() == attempts
        assert service.home().status == 200
    assert service.database.messages().get(message, 0) == (status == 200)
    assert service.line_of(reply).get("sqlstate") == (None if status == 200 else sqlstate)
    assert service.create("afterwards").status == 200


def test_a_deadlock_is_nobodys_error(cluster, start):
    """Two transactions wait for each other. PostgreSQL aborts the one that checks first, the worker's, which is then run again."""
    service = start(workers=1)
    cluster.sql(f"alter database {service.database.name} set deadlock_timeout = '10ms'")
    service.create("the other")
    service.database.sql(
        """create function cross_over() returns trigger language plpgsql security definer as $$
           begin
               perform pg_advisory_xact_lock(1);
               perform from public.activities where message = 'the other' for update;
               return new;
           end $$;
           create trigger cross_over after insert on activities for each row execute function cross_over()"""
    )
    hold = "select from activities where message = 'the other' for update; set deadlock_timeout = '10min'"
    with service.database.held(hold) as cursor:
        waits = f"select 1 from pg_locks where pid = {cursor.connection.info.backend_pid} and not granted"
        with service.database.held("select pg_advisory_xact_lock(1)"):
            asking = Asking(service.create, "crossed")
            service.database.wait_for_waiting(on="advisory")
            locking = Asking(cursor.execute, "lock table activities in share mode")
            eventually(lambda: service.database.sql(waits), what="the other transaction's wait for ours")
        locking.join()  # granted once the worker's transaction is rolled back
    assert asking.reply().status == 200
    assert service.database.messages()["crossed"] == 1
    assert any("40P01" in text for text in warnings(service))


# --- a standby that must confirm every commit ---


@pytest.fixture
def let_standbys_be(cluster):
    """Makes commits wait for the standbys with these names. They wait forever for a standby that does not exist."""

    def let_be(names):
        cluster.sql(f"alter system set synchronous_standby_names = '{names}'")
        cluster.sql("select pg_reload_conf()")

    yield let_be
    let_be("")


@pytest.fixture
def unconfirmed(let_standbys_be):
    """Commits wait for a standby that does not exist, until the function that this fixture returns is called."""
    let_standbys_be("absent")
    return lambda: let_standbys_be("")


def ask_until_it_waits(service, ask, *arguments):
    """Returns a request that waits for the standby. At first some processes of PostgreSQL may not have read the new setting."""
    waits = "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'SyncRep'"

    def attempt():
        asking = Asking(ask, *arguments)
        eventually(lambda: not asking.is_alive() or service.database.sql(waits))
        return asking.is_alive() and asking

    return eventually(attempt, what="an attempt that waits")


def create_until_it_waits(service, what):
    """The same for a create. Also returns its message, which no other attempt has."""
    messages = []

    def create():
        messages.append(f"{what} {len(messages)}")
        return service.create(messages[-1])

    asking = ask_until_it_waits(service, create)
    return asking, messages[-1]


def test_a_resend_waits_for_the_standby_too(service, unconfirmed):
    """The row exists, but only on the primary. It is acknowledged when the standby has it, not when the second attempt finds it."""
    asking, message = create_until_it_waits(service, "sent again")
    ((backend, _),) = service.database.wait_for_waiting(on="SyncRep")
    service.database.sql("select pg_terminate_backend(%s)", backend)
    eventually(lambda: service.database.wait_for_waiting(on="SyncRep")[0][0] != backend, what="the second attempt")
    assert asking.is_alive()
    unconfirmed()
    assert asking.reply().status == 200
    assert service.database.messages()[message] == 1


LIKE, REPOST, FOLLOW = "/api/activities/{post}/like", "/api/activities/{post}/repost", "/api/users/@bayko/follow"


@pytest.mark.parametrize(
    "method, target, body",
    [
        *((method, target, None) for target in (LIKE, REPOST, FOLLOW) for method in ("PUT", "DELETE")),
        ("PUT", "/api/activities/{post}/keep", b'{"ttl":"1-hour"}'),
        ("DELETE", "/api/activities/{post}", None),
        ("PUT", "/api/activities/notifications/read", b'{"until":"2026-01-01T00:00:00Z"}'),
    ],
)
def test_what_is_so_already_waits_for_the_standby_too(service, let_standbys_be, method, target, body):
    """The second request changes nothing, but no standby may have the change of the first request yet."""
    target = target.format(post=service.create(user_handle="londo", ttl="30-days").json["uuid"])
    first = service.ask(method, target, body)
    assert first.status == 200
    let_standbys_be("absent")
    asking = ask_until_it_waits(service, service.ask, method, target, body)
    let_standbys_be("")
    assert (asking.reply().status, asking.reply().json) == (200, first.json)


def test_a_wait_for_the_standby_that_is_cut_short_is_no_success(service, unconfirmed):
    asking, message = create_until_it_waits(service, "unconfirmed")
    ((backend, _),) = service.database.wait_for_waiting(on="SyncRep")
    service.database.sql("select pg_cancel_backend(%s)", backend)
    assert asking.reply().status in (503, 504)
    assert service.database.messages()[message] == 1


def test_what_was_sent_and_is_not_confirmed_may_be_done(start, unconfirmed):
    """The deadline of the first write ends the session. The other writes are sent on the next session, which their deadlines end, too."""
    service = start(workers=1, deadline=3000, statement_timeout=2000)
    asking, message = create_until_it_waits(service, "sent")
    is_old = "select 1 from pg_stat_activity where wait_event = 'SyncRep' and now() - query_start > interval '1 second'"
    eventually(lambda: service.database.sql(is_old))  # so that the others have a second left on the next session
    messages = [f"sent with others {number}" for number in range(6)]
    others = [Asking(service.create, message) for message in messages]
    replies = [asking.reply(), *(other.reply() for other in others)]
    assert {(reply.status, *reply.codes) for reply in replies} == {(504, "database_timeout")}
    unconfirmed()
    eventually(lambda: service.database.messages().get(message) == 1)
    assert all(service.database.messages().get(message, 0) <= 1 for message in messages)


# --- changes of the schema ---


def test_a_reload_while_an_index_is_made_anew(start):
    """The trial of the statements on the new worker's session is cut short. Its late results are not taken for the answer to a request."""
    service = start(workers=1, feed_watch=0, statement_timeout=3000)
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
            "create index activities_home_idx on activities (created_at desc, uuid desc) where expires_at is null or expires_at > '-infinity'",
            "analyze",
        ]
    )
    with Load(service) as load:
        for change in itertools.islice(changes, 18):
            service.database.run(change)
            load.wait_for_each(2)  # a request that meets several changes may fail
    assert load.failures == []
    load.audit(service.database).check()


def test_a_missing_schema(cluster, start):
    """Requests get 503, the log has file and line, and the service recovers as soon as the schema is loaded."""
    service = start(workers=1)
    service.database.sql("drop schema public cascade; create schema public; grant usage on schema public to cruddur_app")
    check_unavailable(service.get("/readyz"))
    check_unavailable(service.home())
    assert service.get("/livez").status == 200
    (line,) = eventually(lambda: [text for text in service.log.messages("database") if "activities/home" in text], what="the reason")
    assert line.startswith(f"the schema doesn't fit: {SQL}/activities/home.sql:") and "does not exist" in line
    service.database.sql("drop table if exists users")
    cluster.psql(SQL / "schema.sql", "postgres", service.database.name)
    eventually(lambda: service.get("/readyz").status == 200, what="the schema")
    assert service.home().json == []


def test_missing_rights(service):
    service.database.sql("revoke select on activities from cruddur_app")
    reply = service.home("?limit=77")  # no worker has cached this page
    assert (reply.status, reply.json) == (500, ["generic_500"])
    assert service.line_of(reply)["sqlstate"] == "42501"
    service.database.sql("grant select on activities to cruddur_app")
    assert service.home("?limit=77").status == 200


def test_a_database_that_is_dropped(start):
    service = start(workers=1, feed_watch=0, **IMPATIENT)
    wait_for_answers(service)
    service.database.remove()
    check_unavailable(service.home())
    assert service.get("/livez").status == 200


def test_without_prepared_statements(start):
    service = start(workers=1, prepare=0)
    assert service.create("either way").status == 200
    assert [row["message"] for row in service.home().json][0] == "either way"
    assert service.home("?limit=0").status == 422
