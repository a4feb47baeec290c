"""Workers and masters that are killed or stuck: what fails, what comes back, what is left."""

import contextlib
import os
import re
import resource
import signal
import subprocess

import pytest

from client import Asking
from cluster import FROM_SESSIONS, frozen
from daemon import is_alive, run_once
from load import Load
from places import CRUDDURD, TOP
from service import Service
from waiting import Stopwatch, eventually

WORKERS = 4
BURST = 10  # workers started at once before it is one per second


@pytest.fixture(scope="module")
def service(cluster):
    with Service(cluster, workers=WORKERS) as service:
        yield service


def kill_worker(service, pid):
    """Kills the worker. Returns when another one is in its place."""
    os.kill(pid, signal.SIGKILL)
    service.wait_for_workers(WORKERS, other_than=[pid])


def waiting_worker(service):
    """The worker whose statement waits for a lock. Its session has the worker's number, the log the number's pid."""
    ((_, name),) = service.database.wait_for_waiting()
    number = name.split()[2]
    started = [text for text in service.log.messages("supervisor") if text.startswith(f"worker {number} started")]
    return int(started[-1].rpartition(" ")[2])


def test_an_idle_worker_that_is_killed_fails_nothing(service):
    with service.connect() as connection:
        assert connection.ask("GET", "/livez").status == 200
        for pid in service.wait_for_workers(WORKERS):
            kill_worker(service, pid)
            assert any(f"(pid {pid}) was killed by signal 9" in text for text in service.log.messages("supervisor"))
        assert connection.ask("GET", "/livez").status == 200
        assert connection.ask("POST", "/api/activities", b"{}").status == 422


def test_only_the_request_of_a_killed_worker_fails(service):
    with service.database.locked_user():
        asking = Asking(service.create, "cut off")
        victim = waiting_worker(service)
        with Load(service) as load:
            kill_worker(service, victim)
            reply = asking.reply()
            load.wait_for_more(50)
    assert (reply.status, reply.json, reply.headers["Retry-After"]) == (503, ["service_unavailable"], "1")
    assert load.kinds_of_failure() <= {(503, "service_unavailable")}
    assert len(load.failures) <= len(load.threads)  # those on the same worker


def test_kills_under_load(service):
    connections = 8
    kills = 6
    with Load(service, connections=connections) as load:
        for _ in range(kills):
            kill_worker(service, service.wait_for_workers(WORKERS)[0])
            load.wait_for_more(50)
    assert load.kinds_of_failure() <= {(503, "service_unavailable")}
    assert len(load.failures) <= kills * connections
    load.audit(service.database).check()


def test_the_watchdogs_signal_fails_no_request(service):
    """systemd sends it to every process of the unit when the master hangs. The workers finish what they have."""
    workers = service.wait_for_workers(WORKERS)
    with service.database.locked_user():
        asking = Asking(service.create)
        service.database.wait_for_waiting()
        for pid in workers:
            os.kill(pid, signal.SIGABRT)
    assert asking.reply().status == 200
    assert service.wait_for_workers(WORKERS) == workers


# Round robin, a real-time policy, is not allowed to every user. Idle is, but on a busy machine an idle process may never run.
POLICIES = {"--rr": (os.SCHED_RR, "1"), "--idle": (os.SCHED_IDLE, "0")}


def a_policy():
    """A scheduling policy that the tests' user may choose, as chrt's option."""
    is_allowed = subprocess.run(["chrt", "--rr", "1", "true"], stderr=subprocess.DEVNULL).returncode == 0
    return "--rr" if is_allowed else "--idle"


def policy_of_its_worker(pool):
    """The policy of the only worker, which has set it before its first answer."""
    with pool.peer() as peer:
        assert peer.ask().status == 200
    (worker,) = pool.wait_for_workers(1)
    return os.sched_getscheduler(worker)


def test_workers_run_in_batches(start_pool):
    assert policy_of_its_worker(start_pool(workers=1)) == os.SCHED_BATCH


def test_a_policy_that_somebody_chose_stays(start_pool):
    option = a_policy()
    policy, priority = POLICIES[option]
    pool = start_pool(workers=1, launcher=lambda _: ["chrt", option, priority, CRUDDURD])
    assert policy_of_its_worker(pool) == policy


class Killer:
    """Kills workers as soon as they appear."""

    def __init__(self, pool, spared=()):
        self.pool = pool
        self.spared = set(spared)
        self.killed = set()

    def strike(self):
        """Kills the new workers. Returns how many it has killed in all."""
        for pid in set(self.pool.daemon.workers()) - self.spared - self.killed:
            os.kill(pid, signal.SIGKILL)
            self.killed.add(pid)
        return len(self.killed)


def test_no_fork_storm(start_pool):
    """Workers that are killed as soon as they appear: some at once, then one per second."""
    pool = start_pool(workers=1)
    killer = Killer(pool)
    with Stopwatch() as watch:
        eventually(lambda: killer.strike() >= 1 + BURST + 2, what="two more than a burst")
    assert watch.seconds > 1  # a second lies between these two
    assert any("too fast" in text for text in pool.log.messages("supervisor"))
    pool.wait_for_workers(1)
    with pool.peer() as peer:
        assert peer.ask().status == 200


def test_no_fork_storm_at_a_reload(start_pool, database):
    """The new workers are killed as soon as they appear; the old ones go on."""
    pool = start_pool(database, workers=2)
    killer = Killer(pool, spared=pool.wait_for_workers(2))
    pool.daemon.signal(signal.SIGHUP)
    with database.locked(), Stopwatch() as watch:  # a new worker waits for that before it takes an old one's place

        def is_over():
            # A worker that survived until it had its place is replaced like any other.
            is_storm = killer.strike() > 2 * (BURST + 2) + watch.elapsed()
            return is_storm or re.search("the old set stays|all workers replaced", pool.log.text)

        eventually(is_over, what="the end of the reload")
        assert len(killer.killed) <= 2 * (BURST + 2) + watch.elapsed()
    pool.daemon.reload()
    assert pool.log.text.count("HUP: replacing the workers") == 2
    pool.wait_for_workers(2)


def fail_late(service):
    """Reloads, and breaks the settings when more workers than a burst are replaced. Returns the new workers; none if the reload was
    faster."""
    before, replaced = set(service.daemon.workers()), service.log.text.count("HUP: all workers replaced")
    good = service.url_file.read_text()
    service.daemon.signal(signal.SIGHUP)
    eventually(lambda: len(set(service.daemon.workers()) - before) > BURST + 1, what="more new workers than a burst")
    with frozen(service.daemon.pid):
        service.write_url(service.database.url(password="wrong"))
    eventually(lambda: "the old set stays" in service.log.text or service.log.text.count("HUP: all workers replaced") > replaced)
    service.write_url(good)
    reload, is_refused, _ = service.log.text.rpartition("HUP: replacing the workers")[2].partition("the old set stays")
    return is_refused and set(map(int, re.findall(r"worker \d+ started as pid (\d+)", reload)))


def test_a_reload_that_fails_late(start):
    """The workers of the old settings are started again at once, however many they are."""
    workers = 2 * BURST
    service = start(workers=workers)
    service.wait_for_workers(workers)
    new = eventually(lambda: fail_late(service), what="a reload that fails")
    service.wait_for_workers(workers, other_than=new)
    assert "too fast" not in service.log.text


def stop_busy_worker(service, worker, cursor):
    """Stops the worker while it has a request. Returns the reply, or None if the request's time was up before."""
    asking = Asking(service.create)

    def is_busy():
        cursor.execute(f"select {FROM_SESSIONS} and wait_event_type = 'Lock'")
        return cursor.fetchall() or not asking.is_alive()

    eventually(is_busy)
    with contextlib.suppress(ProcessLookupError):  # on a slow machine it may have been killed as stuck already
        os.kill(worker, signal.SIGSTOP)
    reply = asking.reply()
    if reply.json == ["service_unavailable"]:
        return reply
    os.kill(worker, signal.SIGCONT)


def test_a_stuck_worker_is_replaced(start):
    service = start(workers=1, statement_timeout=800, deadline=900, stuck_timeout=1000)
    (worker,) = service.wait_for_workers(1)
    with service.database.locked_user(), contextlib.closing(service.database.connect()) as connection:
        reply = eventually(lambda: stop_busy_worker(service, worker, connection.cursor()))
    assert reply.status == 503
    assert any("stuck in /api/activities" in text for text in service.log.messages("supervisor"))
    service.wait_for_workers(1, other_than=[worker])


def test_the_default_limit_for_stuck_workers_lies_below_that_of_nginx():
    """Otherwise nginx gives up first, and no log says in which route the worker was stuck."""
    default = int(re.search(r"CRUDDUR_STUCK_TIMEOUT\s+\[(\d+)\]", run_once("--help").stdout)[1])
    nginx = int(re.search(r"fastcgi_read_timeout (\d+)s", (TOP / "nginx/cruddur.conf").read_text())[1])
    assert default < nginx * 1000


def test_descriptors_run_out(start):
    """A worker that can take no more connections serves those it has, and says so without flooding the log."""
    service = start(workers=1)
    assert service.get("/readyz").status == 200
    (worker,) = service.wait_for_workers(1)
    used = max(map(int, os.listdir(f"/proc/{worker}/fd"))) + 1
    usual = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (used, usual[1]))
        for _ in range(10):
            stack.enter_context(service.peer())
        service.daemon.wait_for_message("no descriptor for more")
        assert service.get("/livez").status == 200
        assert service.log.text.count("no descriptor for more") == 1
    resource.prlimit(worker, resource.RLIMIT_NOFILE, usual)


def test_workers_do_not_outlive_the_master(start):
    """A running request does not delay their end: the lock that it waits for is held until all have ended."""
    service = start(workers=4)
    workers = service.wait_for_workers(4)
    with service.database.locked_user():
        asking = Asking(service.create)
        service.database.wait_for_waiting()
        service.daemon.signal(signal.SIGKILL)
        service.daemon.wait()
        eventually(lambda: not any(map(is_alive, workers)), what="the workers' end")
        reply = asking.reply()
    assert (reply.status, reply.json) == (503, ["service_unavailable"])
    service.daemon.check_clean()


def test_a_master_that_was_killed_can_be_started_again(start):
    service = start()
    with service.connect() as connection:  # nginx keeps a connection to a worker, too
        assert connection.ask("GET", "/livez").status == 200
        service.daemon.signal(signal.SIGKILL)
        service.daemon.wait()
        service.daemon.check_clean()
        assert service.socket.exists()
        service.launch()
        eventually(service.is_listening)
        assert connection.ask("GET", "/readyz").status == 200
