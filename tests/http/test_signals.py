"""TERM drains, HUP replaces, QUIT ends; under load, and no acknowledged create is lost."""

import os
import pathlib
import re
import shutil
import signal
import socket

import pytest

from client import Asking
from cluster import frozen
from daemon import sockets_of
from fcgi import request
from load import Load
from places import SQL, Folder
from ports import free_port
from service import Service
from waiting import Stopwatch, eventually

LATER = 50  # answers, to see that it goes on
WORKERS = 2
FIT_SECONDS = 2  # for which a new worker waits for the database, before it is taken to be away: LINK_CONNECT_MS


@pytest.fixture(scope="module")
def folder():
    folder = Folder()
    yield folder.path
    folder.remove()


@pytest.fixture(scope="module")
def service(cluster, folder):
    """A service whose templates a test may edit; each test leaves them as they were."""
    shutil.copytree(SQL, folder / "sql")
    with Service(cluster, workers=WORKERS, sql_dir=folder / "sql") as service:
        yield service


@pytest.fixture
def home(folder):
    """The template of the home feed. A test's changes are undone."""
    template = folder / "sql/activities/home.sql"
    before = template.read_text()
    yield template
    template.write_text(before)


def edit(template, old, new):
    text = template.read_text()
    assert old in text
    template.write_text(text.replace(old, new))


def try_to_reload(service, outcome):
    """Sends HUP and waits for that message about it."""
    before = service.log.text.count(outcome)
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message(outcome, before + 1)


# --- TERM ---


def test_term_under_load(start):
    service = start(workers=4)
    with Load(service) as load:
        service.daemon.signal(signal.SIGTERM)
        assert service.daemon.wait() == 0
    assert load.kinds_of_failure() <= {(503, "service_unavailable")}
    load.audit(service.database).check()
    assert not service.socket.exists()


def test_term_waits_for_a_request_that_runs(start):
    service = start()
    with service.database.locked_user():
        asking = Asking(service.create)
        service.database.wait_for_waiting()
        service.daemon.signal(signal.SIGTERM)
        eventually(lambda: not service.socket.exists(), what="the end of the socket")
    assert asking.reply().status == 200
    assert service.daemon.wait() == 0


def test_term_waits_for_a_request_that_arrives(start_pool):
    """Its first half is in a worker's socket, the second comes after the signal."""
    pool = start_pool(workers=1)
    data = request("GET", "/livez")
    with pool.peer() as peer:
        peer.send(data[:20])
        assert peer_is_served(pool)
        pool.daemon.signal(signal.SIGTERM)
        eventually(lambda: not pool.socket.exists(), what="the end of the socket")
        peer.send(data[20:])
        assert peer.read_reply().status == 200
    assert pool.daemon.wait() == 0


def peer_is_served(pool):
    with pool.peer() as peer:
        return peer.ask().status == 200


def has_pending(pid, number):
    """Whether the process has been sent a signal that it has not handled yet (proc(5), /proc/pid/status)."""
    (pending,) = re.findall(r"^ShdPnd:\s*(\w+)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(pending, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("family", ["unix", "tcp"])
def test_term_serves_the_queue(start_pool, family):
    """Connections in the accept queue are served after the signal."""
    pool = start_pool(workers=1, **({"listen": f"tcp:127.0.0.1:{free_port()}"} if family == "tcp" else {}))
    assert peer_is_served(pool)
    (worker,) = pool.wait_for_workers(1)
    with frozen(worker):
        peers = [pool.peer() for _ in range(20)]
        for peer in peers:
            peer.send(request("GET", "/livez"))
        pool.daemon.signal(signal.SIGTERM)
        eventually(lambda: has_pending(worker, signal.SIGTERM), what="the worker's TERM")
    assert [peer.read_reply().status for peer in peers] == [200] * len(peers)
    assert pool.daemon.wait() == 0


def is_refused(address):
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
        return True
    return False


def test_term_refuses_new_connections_over_tcp(start_pool, database):
    """While a request that runs delays the end, no connection is accepted that no worker would serve."""
    pool = start_pool(database, listen=f"tcp:127.0.0.1:{free_port()}")
    with pool.peer() as peer:
        with database.locked_user():
            peer.send(request("POST", "/api/activities", b'{"message":"late","ttl":"1-day","user_handle":"andrewbrown"}'))
            database.wait_for_waiting()
            pool.daemon.signal(signal.SIGTERM)
            eventually(lambda: is_refused(pool.address()), what="a refused connection")
        assert peer.read_reply().status == 200
    assert pool.daemon.wait() == 0


def test_term_ends_a_worker_that_tries_its_sessions(start_pool, database, cluster):
    """As long as a new worker of a HUP has the socket, connections are accepted over TCP, and it serves none of them."""
    pool = start_pool(database, listen=f"tcp:127.0.0.1:{free_port()}", workers=1, drain_timeout=3000)
    with pool.peer() as peer:
        assert peer.ask("GET", "/api/activities/home").status == 200
    with cluster.frozen():
        pool.daemon.signal(signal.SIGHUP)
        eventually(lambda: len(pool.daemon.workers()) == 2, what="a new worker")
        pool.daemon.signal(signal.SIGTERM)
        eventually(lambda: is_refused(pool.address()), what="a refused connection")
        assert pool.daemon.wait() == 0
    warnings = [entry["message"] for entry in pool.log.entries("supervisor") if entry["level"] == "warning"]
    assert not any(text.startswith("worker") for text in warnings)


def test_term_does_not_wait_for_ever(start_pool):
    """A connection with half a request is closed long before the request's own time limit, which would be answered
    with 408."""
    pool = start_pool(workers=1, drain_timeout=300)
    with pool.peer() as peer:
        peer.send(request("GET", "/livez")[:-4])
        assert peer_is_served(pool)
        pool.daemon.signal(signal.SIGTERM)
        assert pool.daemon.wait() == 0
        assert peer.is_closed()


def test_a_worker_that_does_not_leave_is_killed(start_pool):
    pool = start_pool(workers=2, drain_timeout=200)
    os.kill(pool.wait_for_workers()[0], signal.SIGSTOP)
    pool.daemon.signal(signal.SIGTERM)
    assert pool.daemon.wait() == 0
    pool.daemon.wait_for_message("didn't leave in time")


def test_int_is_term(start_pool):
    pool = start_pool()
    pool.daemon.signal(signal.SIGINT)
    assert pool.daemon.wait() == 0


# --- QUIT ---


def test_quit_ends_at_once(start):
    """The pool does not wait for the request: the lock that the request waits for is held until all is over."""
    service = start()
    with service.database.locked_user():
        asking = Asking(service.create)
        service.database.wait_for_waiting()
        service.daemon.signal(signal.SIGQUIT)
        service.daemon.wait()
        reply = asking.reply()
    assert (reply.status, reply.json) == (503, ["service_unavailable"])
    service.daemon.check_clean()


def test_quit_cuts_a_drain_short(start_pool):
    """A connection with half a request is closed, as at the end of the drain's time."""
    pool = start_pool(workers=1)
    with pool.peer() as peer:
        peer.send(request("GET", "/livez")[:-4])
        assert peer_is_served(pool)
        pool.daemon.signal(signal.SIGTERM)
        eventually(lambda: not pool.socket.exists(), what="the end of the socket")
        pool.daemon.signal(signal.SIGQUIT)
        pool.daemon.wait()
        assert peer.is_closed()


# --- HUP ---


def test_hup_under_load_fails_nothing(start):
    """There are never fewer workers than wanted."""
    service = start(workers=4)
    with Load(service, connections=12) as load:
        for _ in range(3):
            before = service.daemon.workers()
            service.daemon.reload()
            service.wait_for_workers(4, other_than=before)
            load.wait_for_more(LATER)
    assert load.failures == []
    load.audit(service.database).check()
    counts = worker_counts(service.log)
    assert max(counts) > 4
    assert min(counts[4:]) == 4


def worker_counts(log):
    """The number of workers after each start and each end of one."""
    counts = [0]
    for text in log.messages("supervisor"):
        if text.startswith("worker "):
            counts.append(counts[-1] + (1 if "started as" in text else -1))
    return counts


def reloads_done(service):
    return len(re.findall("HUP: all workers replaced|the old set stays", service.log.text))


def test_hup_replaces_one_by_one(service):
    """The old workers stay as long as the first new one is not ready, however long that takes."""

    def is_seen():
        before, done = set(service.wait_for_workers(WORKERS)), reloads_done(service)
        with service.database.locked(), Stopwatch() as watch:  # which a new worker waits for
            service.daemon.signal(signal.SIGHUP)
            (new,) = eventually(lambda: set(service.daemon.workers()) - before, what="a new worker")
            with frozen(new):
                is_in_time = watch.elapsed() < FIT_SECONDS  # otherwise it may have been ready before
                if is_in_time:
                    assert all(service.get("/livez").status == 200 for _ in range(10))
                    assert set(service.daemon.workers()) == before | {new}
        eventually(lambda: reloads_done(service) > done, what="the end of the reload")
        return is_in_time

    eventually(is_seen)


def test_hup_keeps_connections(service):
    """A connection that was open before HUP, idle or with half a request, is served afterwards by a new worker."""
    data = request("GET", "/livez")
    peers = [service.peer() for _ in range(6)]
    for number, peer in enumerate(peers):
        assert peer.ask().status == 200
        peer.send(data[: 10 * number])
    service.daemon.reload()
    for number, peer in enumerate(peers):
        peer.send(data[10 * number :])
        assert peer.read_reply().status == 200
        peer.close()


def test_hup_waits_for_a_request_that_runs(service):
    with service.database.locked_user():
        asking = Asking(service.create)
        service.database.wait_for_waiting()
        service.daemon.reload()
    assert asking.reply().status == 200


HANDLE, IN_CAPITALS = "u.display_name, u.handle)", "u.display_name, upper(u.handle))"


def is_in_capitals(service):
    """Whether home comes from the template with capitals."""
    handle = service.home().json[0]["handle"]
    return handle == handle.upper()


def replace_workers(service):
    """Reloads and waits for the end of the old workers, because a worker that is leaving answers what it has begun
    to read."""
    before = service.daemon.workers()
    service.daemon.reload()
    service.wait_for_workers(WORKERS, other_than=before)


def test_hup_re_reads_templates(service, home):
    assert not is_in_capitals(service)
    edit(home, HANDLE, IN_CAPITALS)
    assert not is_in_capitals(service)
    replace_workers(service)
    assert is_in_capitals(service)
    edit(home, IN_CAPITALS, HANDLE)
    replace_workers(service)
    assert not is_in_capitals(service)


@pytest.mark.parametrize(
    "old, new",
    [
        ("%(limit)s", "%(limits)s"),
        ("%(limit)s", "10"),
        ("limit %(limit)s", "limit /* never closed %(limit)s"),
        ("select", "select 1; select"),
    ],
)
def test_hup_with_a_broken_template_keeps_the_old_set(service, home, old, new):
    before = service.wait_for_workers(WORKERS)
    told = named(service, "activities/home.sql:")
    edit(home, old, new)
    try_to_reload(service, "the old ones stay in force")
    assert named(service, "activities/home.sql:") > told
    assert service.home().status == 200
    assert service.daemon.workers() == before


def named(service, template):
    """How often the log names the template."""
    return sum(template in message for message in service.log.messages("template"))


def test_hup_with_a_missing_template_keeps_the_old_set(service, folder):
    template = folder / "sql/activities/show.sql"
    before = template.read_text()
    template.unlink()
    try_to_reload(service, "the old ones stay in force")
    assert named(service, "activities/show.sql") > 0
    assert service.home().status == 200
    template.write_text(before)


def test_hup_with_a_template_that_the_database_refuses_keeps_the_old_set(service, home):
    edit(home, "a.user_uuid", "a.user_uid")
    with Load(service) as load:
        try_to_reload(service, "the old set stays")
        load.wait_for_more(LATER)
    assert load.failures == []
    line = home.read_text().partition("a.user_uid")[0].count("\n") + 1
    reason = f"activities/home.sql:{line}: column a.user_uid does not exist"
    assert any(reason in text for text in service.log.messages("database"))
    edit(home, "a.user_uid", "a.user_uuid")
    service.daemon.reload()
    assert service.home().status == 200


@pytest.fixture(scope="module")
def by_file(cluster, folder):
    """A service, and a function that writes its settings file."""

    def write(text):
        (folder / "settings").write_text(text)
        (folder / "settings").chmod(0o600)

    write("CRUDDUR_WORKERS=2\n# a comment\nCRUDDUR_LOG_LEVEL=info\n")
    with Service(cluster, workers=None, log_level=None, settings_file=folder / "settings") as service:
        yield service, write


def test_hup_takes_a_new_log_level_at_once(by_file):
    service, write = by_file
    assert service.get("/readyz").status == 200
    assert not service.log.entries("statement")
    write("CRUDDUR_WORKERS=2\nCRUDDUR_LOG_LEVEL=debug\n")
    service.daemon.reload()
    assert service.get("/readyz").status == 200
    eventually(lambda: service.log.entries("statement"), what="a line at debug level")


def test_hup_re_reads_the_settings_file(by_file):
    service, write = by_file
    for count in (4, 1):
        write(f"CRUDDUR_WORKERS={count}\n")
        before = service.daemon.workers()
        with Load(service) as load:
            service.daemon.reload()
            service.wait_for_workers(count, other_than=before)
            load.wait_for_more(LATER)
        assert load.failures == []
    write("CRUDDUR_WORKERS=none\n")
    try_to_reload(service, "the old ones stay in force")
    assert "CRUDDUR_WORKERS" in service.log.text
    service.wait_for_workers(1)


def test_a_second_hup_is_not_lost(service, home):
    """What changed while workers were being replaced is in force in the end."""
    try_to_reload(service, "HUP: replacing the workers")
    edit(home, HANDLE, IN_CAPITALS)
    service.daemon.signal(signal.SIGHUP)
    eventually(lambda: is_in_capitals(service), what="the new template")
    edit(home, IN_CAPITALS, HANDLE)
    eventually(lambda: service.daemon.reload() or not is_in_capitals(service), what="the old template")


def test_many_hups(service):
    with Load(service, connections=4) as load:
        for _ in range(200):
            service.daemon.signal(signal.SIGHUP)
        load.wait_for_more(LATER)
    service.wait_for_workers(WORKERS)
    assert load.failures == []


def test_hup_then_term(start_pool):
    pool = start_pool(workers=4)
    try_to_reload(pool, "HUP: replacing the workers")
    pool.daemon.signal(signal.SIGTERM)
    assert pool.daemon.wait() == 0


def test_a_worker_that_has_hup_s_signal_and_term_s(start_pool):
    """It serves its connections to their end, because the workers that would take them have ended."""
    pool = start_pool(workers=1)
    data = request("GET", "/livez")
    peers = [pool.peer() for _ in range(4)]
    assert [peer.ask().status for peer in peers] == [200] * len(peers)
    (worker,) = pool.wait_for_workers(1)
    with frozen(worker):
        for peer in peers:
            peer.send(data[:20])
        pool.daemon.reload()
        pool.daemon.signal(signal.SIGTERM)
        eventually(lambda: pool.daemon.workers() == [worker], what="the end of the other workers")
        assert has_pending(worker, signal.SIGUSR1) and has_pending(worker, signal.SIGTERM)
    for peer in peers:
        peer.send(data[20:])
        assert peer.read_reply().status == 200
    assert pool.daemon.wait() == 0


def test_nothing_is_kept_open_over_many_hups(service):
    service.daemon.reload()  # after it the master has all that it opens once
    before = sockets_of(service.daemon.pid)
    for _ in range(5):
        service.daemon.reload()
    assert sockets_of(service.daemon.pid) == before
