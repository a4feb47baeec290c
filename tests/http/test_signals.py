"""TERM drains, HUP replaces, QUIT ends; under load, and no acknowledged create is lost."""

import os
import shutil
import signal

import pytest

from client import Asking
from daemon import sockets_of
from fcgi import request
from load import Load
from places import SQL
from waiting import Stopwatch, eventually

LATER = 50  # answers, to see that it goes on


@pytest.fixture
def editable(start, tmp_path):
    """A service whose templates may be edited, and their folder."""
    templates = shutil.copytree(SQL, tmp_path / "sql")
    return start(sql_dir=templates), templates


def edit(template, old, new):
    text = template.read_text()
    assert old in text
    template.write_text(text.replace(old, new))


# --- TERM ---


def test_term_under_load(start):
    service = start(workers=4)
    with Load(service) as load, Stopwatch() as watch:
        service.daemon.signal(signal.SIGTERM)
        assert service.daemon.wait() == 0
    assert watch.seconds < 3
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


def test_term_waits_for_a_request_that_arrives(start):
    """Its first half is in a worker's socket, the second comes after the signal."""
    service = start(workers=1)
    data = request("GET", "/livez")
    with service.peer() as peer:
        peer.send(data[:20])
        assert peer_is_served(service)
        service.daemon.signal(signal.SIGTERM)
        eventually(lambda: not service.socket.exists(), what="the end of the socket")
        peer.send(data[20:])
        assert peer.read_reply().status == 200
    with Stopwatch() as watch:
        assert service.daemon.wait() == 0
    assert watch.seconds < 2


def peer_is_served(service):
    with service.peer() as peer:
        return peer.ask().status == 200


def test_term_serves_the_queue(start):
    """Connections that nobody has accepted yet when the signal comes."""
    service = start(workers=1)
    assert peer_is_served(service)
    (worker,) = service.wait_for_workers(1)
    os.kill(worker, signal.SIGSTOP)
    peers = [service.peer() for _ in range(20)]
    for peer in peers:
        peer.send(request("GET", "/livez"))
    service.daemon.signal(signal.SIGTERM)
    eventually(lambda: not service.socket.exists(), what="the end of the socket")
    os.kill(worker, signal.SIGCONT)
    assert [peer.read_reply().status for peer in peers] == [200] * len(peers)
    assert service.daemon.wait() == 0


def test_term_does_not_wait_for_ever(start):
    service = start(workers=1, drain_timeout=300, request_timeout=60000)
    with service.peer() as peer:
        peer.send(request("GET", "/livez")[:-4])
        assert peer_is_served(service)
        with Stopwatch() as watch:
            service.daemon.signal(signal.SIGTERM)
            assert service.daemon.wait() == 0
    assert watch.seconds < 2


def test_a_worker_that_does_not_leave_is_killed(start):
    service = start(workers=2, drain_timeout=200)
    os.kill(service.wait_for_workers()[0], signal.SIGSTOP)
    with Stopwatch() as watch:
        service.daemon.signal(signal.SIGTERM)
        assert service.daemon.wait() == 0
    assert watch.seconds < 4
    service.daemon.wait_for_message("didn't leave in time")


def test_int_is_term(start):
    service = start()
    service.daemon.signal(signal.SIGINT)
    assert service.daemon.wait() == 0


# --- QUIT ---


def test_quit_ends_at_once(start):
    service = start()
    with service.database.locked_user():
        asking = Asking(service.create)
        service.database.wait_for_waiting()
        with Stopwatch() as watch:
            service.daemon.signal(signal.SIGQUIT)
            service.daemon.wait()
        reply = asking.reply()
    assert watch.seconds < 1
    assert (reply.status, reply.json) == (503, ["service_unavailable"])
    service.daemon.check_clean()


def test_quit_cuts_a_drain_short(start):
    service = start(workers=1)
    with service.peer() as peer:
        peer.send(request("GET", "/livez")[:-4])
        assert peer_is_served(service)
        service.daemon.signal(signal.SIGTERM)
        eventually(lambda: not service.socket.exists(), what="the end of the socket")
        with Stopwatch() as watch:
            service.daemon.signal(signal.SIGQUIT)
            service.daemon.wait()
    assert watch.seconds < 1


# --- HUP ---


def test_hup_under_load_fails_nothing(start):
    service = start(workers=4)
    with Load(service, connections=12) as load:
        for _ in range(5):
            before = service.daemon.workers()
            service.daemon.reload()
            service.wait_for_workers(4, other_than=before)
            load.wait_for_more(LATER)
    assert load.failures == []
    assert load.slowest < 3
    load.audit(service.database).check()


def test_hup_replaces_one_by_one(start):
    """There are never fewer workers than wanted, and at most one more of the new ones at a time."""
    service = start(workers=4)
    before = set(service.wait_for_workers(4))
    service.daemon.signal(signal.SIGHUP)
    seen = []

    def is_done():
        seen.append(set(service.daemon.workers()))
        return len(seen[-1]) == 4 and not seen[-1] & before

    eventually(is_done, what="four new workers")
    assert min(map(len, seen)) >= 4


def test_hup_keeps_connections(start):
    """One that was open before is served behind it by a new worker, idle or with half a request."""
    service = start(workers=2)
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


def test_hup_waits_for_a_request_that_runs(start):
    service = start(workers=1)
    with service.database.locked_user():
        asking = Asking(service.create)
        service.database.wait_for_waiting()
        service.daemon.reload()
    assert asking.reply().status == 200


def test_hup_re_reads_templates(editable):
    service, templates = editable
    assert service.home().json[0]["handle"] == "andrewbrown"
    edit(templates / "activities/home.sql", "u.handle,", "upper(u.handle) as handle,")
    assert service.home().json[0]["handle"] == "andrewbrown"
    service.daemon.reload()
    assert service.home().json[0]["handle"] == "ANDREWBROWN"


@pytest.mark.parametrize(
    "old, new",
    [
        ("%(limit)s", "%(limits)s"),
        ("%(limit)s", "10"),
        ("limit 1000", "limit 1000 /* never closed"),
        ("select", "select 1; select"),
    ],
)
def test_hup_with_a_broken_template_keeps_the_old_set(editable, old, new):
    service, templates = editable
    before = service.wait_for_workers()
    edit(templates / "activities/home.sql", old, new)
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message("the old ones stay in force")
    assert any("activities/home.sql:" in message for message in service.log.messages("template"))
    assert service.home().status == 200
    assert service.daemon.workers() == before


def test_hup_with_a_missing_template_keeps_the_old_set(editable):
    service, templates = editable
    (templates / "activities/show.sql").unlink()
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message("the old ones stay in force")
    assert any("activities/show.sql" in message for message in service.log.messages("template"))
    assert service.home().status == 200


def test_hup_with_a_template_that_the_database_refuses_keeps_the_old_set(editable):
    service, templates = editable
    edit(templates / "activities/home.sql", "a.message", "a.massage")
    with Load(service) as load:
        service.daemon.signal(signal.SIGHUP)
        service.daemon.wait_for_message("the old set stays")
        load.wait_for_more(LATER)
    assert load.failures == []
    line = (templates / "activities/home.sql").read_text().partition("a.massage")[0].count("\n") + 1
    reason = f"activities/home.sql:{line}: column a.massage does not exist"
    assert any(reason in text for text in service.log.messages("database"))
    edit(templates / "activities/home.sql", "a.massage", "a.message")
    service.daemon.reload()
    assert service.home().status == 200


def test_hup_re_reads_the_settings_file(start, tmp_path):
    settings = tmp_path / "settings"

    def write(text):
        settings.write_text(text)
        settings.chmod(0o600)

    write("CRUDDUR_WORKERS=2\n# a comment\n")
    service = start(workers=None, log_level=None, settings_file=settings)
    for count in (5, 1, 3):
        write(f"CRUDDUR_WORKERS={count}\n")
        before = service.daemon.workers()
        with Load(service) as load:
            service.daemon.reload()
            service.wait_for_workers(count, other_than=before)
            load.wait_for_more(LATER)
        assert load.failures == []
    write("CRUDDUR_WORKERS=none\n")
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message("the old ones stay in force")
    assert "CRUDDUR_WORKERS" in service.log.text
    service.wait_for_workers(3)


def test_hup_takes_a_new_log_level_at_once(start, tmp_path):
    settings = tmp_path / "settings"
    settings.write_text("CRUDDUR_LOG_LEVEL=info\n")
    settings.chmod(0o600)
    service = start(log_level=None, settings_file=settings)
    assert service.get("/readyz").status == 200
    settings.write_text("CRUDDUR_LOG_LEVEL=debug\n")
    service.daemon.reload()
    assert service.get("/readyz").status == 200
    eventually(lambda: service.log.entries("statement"), 2, "a line at debug level")


def test_hup_without_a_database_replaces_all_the_same(start):
    service = start()
    service.write_url("postgresql://cruddur@/nowhere?host=/nowhere")
    before = service.wait_for_workers()
    service.daemon.reload()
    service.wait_for_workers(2, other_than=before)
    assert service.get("/livez").status == 200


def test_a_second_hup_is_not_lost(editable):
    """What changed while workers were being replaced is in force in the end."""
    service, templates = editable
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message("HUP: replacing the workers")
    edit(templates / "activities/home.sql", "u.handle,", "upper(u.handle) as handle,")
    service.daemon.signal(signal.SIGHUP)
    eventually(lambda: service.home().json[0]["handle"] == "ANDREWBROWN", what="the new template")


def test_many_hups(start):
    service = start()
    with Load(service, connections=4) as load:
        for _ in range(200):
            service.daemon.signal(signal.SIGHUP)
        load.wait_for_more(LATER)
    service.wait_for_workers()
    assert load.failures == []


def test_hup_then_term(start):
    service = start(workers=4)
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message("HUP: replacing the workers")
    service.daemon.signal(signal.SIGTERM)
    assert service.daemon.wait() == 0


def test_nothing_is_kept_open_over_many_hups(start):
    service = start(workers=1)
    service.get("/readyz")
    before = sockets_of(service.daemon.pid)
    for _ in range(5):
        service.daemon.reload()
    assert sockets_of(service.daemon.pid) == before
