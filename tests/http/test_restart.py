"""Workers and masters that are killed or stuck: what fails, what comes back, what is left."""

import contextlib
import os
import re
import resource
import signal

import pytest

from client import Asking
from daemon import is_alive, run_once
from load import Load
from places import TOP
from waiting import Stopwatch, eventually, never

BURST = 10  # workers started at once before it is one per second


def kill_worker(service, pid):
    """And the time until there is another one in its place."""
    count = len(service.daemon.workers())
    with Stopwatch() as watch:
        os.kill(pid, signal.SIGKILL)
        service.wait_for_workers(count, other_than=[pid])
    return watch.seconds


def waiting_worker(service):
    """The worker whose statement waits for a lock. Its session has the worker's number, the log the number's pid."""
    ((_, name),) = service.database.wait_for_waiting()
    number = name.split()[2]
    started = [text for text in service.log.messages("supervisor") if text.startswith(f"worker {number} started")]
    return int(started[-1].rpartition(" ")[2])


def test_a_killed_worker_is_replaced_at_once(start):
    service = start(workers=4)
    assert min(kill_worker(service, service.wait_for_workers(4)[0]) for _ in range(3)) < 0.1
    (line,) = [text for text in service.log.messages("supervisor") if "killed by signal 9" in text][:1]
    assert line.startswith("worker ")


def test_an_idle_worker_that_is_killed_fails_nothing(start):
    service = start(workers=2)
    with service.connect() as connection:
        assert connection.ask("GET", "/livez").status == 200
        for pid in service.wait_for_workers(2):
            kill_worker(service, pid)
        assert connection.ask("GET", "/livez").status == 200
        assert connection.ask("POST", "/api/activities", b"{}").status == 422


def test_only_the_request_of_a_killed_worker_fails(start):
    service = start(workers=4, statement_timeout=8000, deadline=9000, stuck_timeout=10000)
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


def test_kills_under_load(start):
    service = start(workers=4)
    connections = 8
    kills = 6
    with Load(service, connections=connections) as load:
        for _ in range(kills):
            kill_worker(service, service.wait_for_workers(4)[0])
            load.wait_for_more(50)
    assert load.kinds_of_failure() <= {(503, "service_unavailable")}
    assert len(load.failures) <= kills * connections
    load.audit(service.database).check()


def policies(pids):
    return {os.sched_getscheduler(pid) for pid in pids}


def test_the_scheduling_policy(start):
    """Workers run in batches, unless somebody wants something else of the pool."""
    service = start(workers=2)
    before = service.wait_for_workers(2)
    eventually(lambda: policies(before) == {os.SCHED_BATCH}, what="batches")
    os.sched_setscheduler(service.daemon.pid, os.SCHED_IDLE, os.sched_param(0))
    service.daemon.signal(signal.SIGHUP)
    after = service.wait_for_workers(2, other_than=before)
    never(lambda: policies(after) != {os.SCHED_IDLE}, 0.3, what="another policy")


def test_no_fork_storm(start):
    """Workers that are killed as soon as they appear: some at once, then one per second."""
    service = start(workers=2)
    killed = set()
    with Stopwatch() as watch:
        while watch.elapsed() < 4:
            for pid in set(service.daemon.workers()) - killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
    assert BURST <= len(killed) <= 2 + BURST + 4 + 1
    assert any("too fast" in text for text in service.log.messages("supervisor"))
    service.wait_for_workers(2)
    assert service.get("/livez").status == 200


def test_no_fork_storm_at_a_reload(start):
    """The new workers are killed as soon as they appear; the old ones go on."""
    service = start(workers=2)
    before = set(service.wait_for_workers(2))
    killed = set()
    service.daemon.signal(signal.SIGHUP)
    with Stopwatch() as watch:
        while watch.elapsed() < 3:
            for pid in set(service.daemon.workers()) - before - killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
    assert len(killed) <= BURST + 3 + 1
    assert service.get("/livez").status == 200


def test_a_stuck_worker_is_replaced(start):
    service = start(workers=2, statement_timeout=400, deadline=500, stuck_timeout=1000)
    with service.database.locked_user():
        asking = Asking(service.create)
        stuck = waiting_worker(service)
        os.kill(stuck, signal.SIGSTOP)
        with Stopwatch() as watch:
            reply = asking.reply()
    assert (reply.status, reply.json) == (503, ["service_unavailable"])
    assert watch.seconds < 4
    assert any("stuck in /api/activities" in text for text in service.log.messages("supervisor"))
    service.wait_for_workers(2, other_than=[stuck])


def test_the_default_limit_for_stuck_workers_lies_below_that_of_nginx():
    """Otherwise nginx gives up first, and no log says on what."""
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
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (used, usual[1]))
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(service.peer())
        assert service.get("/livez").status == 200
        with Stopwatch() as watch:
            eventually(lambda: watch.elapsed() > 0.5)
    assert service.log.text.count("Too many open files") < 10
    resource.prlimit(worker, resource.RLIMIT_NOFILE, usual)


@pytest.mark.parametrize("is_busy", [False, True])
def test_workers_do_not_outlive_the_master(start, is_busy):
    service = start(workers=4)
    workers = service.wait_for_workers(4)
    with service.database.locked_user():
        asking = Asking(service.create) if is_busy else Asking(service.home)
        if is_busy:
            service.database.wait_for_waiting()
        with Stopwatch() as watch:
            service.daemon.signal(signal.SIGKILL)
            service.daemon.wait()
            eventually(lambda: not any(map(is_alive, workers)), what="the workers' end")
        asking.reply()
    assert watch.seconds < 2
    service.daemon.check_clean()


def test_a_master_that_was_killed_can_be_started_again(start):
    service = start()
    service.daemon.signal(signal.SIGKILL)
    service.daemon.wait()
    service.daemon.check_clean()
    assert service.socket.exists()
    service.launch()
    eventually(service.is_listening)
    assert service.get("/readyz").status == 200
