"""Processes and descriptors run out: the existing processes go on serving, and the log isn't flooded."""

import os
import resource
import signal
import subprocess

import pytest

from client import Asking
from fcgi import request
from places import CRUDDURD, IS_ROOT
from waiting import eventually

USER = 54321  # that has no other process, as processes are counted by user
LOG_LINES = 3  # of one kind in a minute, and of the next minute


AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]


def limit_descriptors(pid, count):
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))


def limit_processes(pool, count):
    """Limits the processes of the pool's user; this user sets the limit itself."""
    subprocess.run([*AS_USER, "prlimit", f"--pid={pool.daemon.pid}", f"--nproc={count}:"], check=True)


def run_as_user(pool):
    """The command that runs the pool as USER, because root has no limit of processes."""
    for path in (pool.path, pool.path / "run/web", pool.url_file):
        os.chown(path, USER, USER)
    return [*AS_USER, CRUDDURD]


@pytest.fixture
def poor(database, start_pool):
    if not IS_ROOT:
        pytest.skip("only root may start it as another user")
    return start_pool(database, launcher=run_as_user, workers=2, feed_watch=0)


def answered(pool):
    with pool.peer() as peer:
        return peer.ask("GET", "/readyz").status


def test_a_reload_without_a_process_to_be_had(poor):
    """The reload is given up, and a later one succeeds."""
    before = poor.wait_for_workers()
    limit_processes(poor, 1)
    for count in (1, 2, 3):
        poor.daemon.signal(signal.SIGHUP)
        poor.daemon.wait_for_message("the old set stays", count)
        assert answered(poor) == 200
    assert poor.wait_for_workers() == before
    assert poor.log.text.count("Resource temporarily unavailable") <= LOG_LINES
    limit_processes(poor, 100)
    poor.daemon.reload()
    assert answered(poor) == 200


def test_a_worker_that_cannot_be_replaced_at_once(poor):
    """The master tries again until there is a process for it, without a line for each attempt."""
    victim, other = poor.wait_for_workers()
    limit_processes(poor, 1)
    os.kill(victim, signal.SIGKILL)
    poor.daemon.wait_for_message("workers end too fast")  # the immediate attempts are used up
    assert poor.daemon.workers() == [other]
    assert answered(poor) == 200
    assert poor.log.text.count("Resource temporarily unavailable") <= LOG_LINES
    limit_processes(poor, 100)
    poor.wait_for_workers(other_than=[victim])


@pytest.mark.parametrize("is_warm", [False, True])
def test_descriptors_for_the_database(database, start_pool, is_warm):
    """A flood of connections leaves the descriptors that the worker's sessions need, so that accepted requests
    are answered."""
    pool = start_pool(database, workers=1, feed_watch=0)
    (worker,) = pool.wait_for_workers(1)
    if is_warm:
        assert answered(pool) == 200
    limit_descriptors(worker, len(os.listdir(f"/proc/{worker}/fd")) + 16)
    peers = [pool.peer() for _ in range(40)]
    for peer in peers:
        peer.send(request("GET", "/readyz"))
    pool.daemon.wait_for_message("no descriptor for more")
    for peer in peers:  # one after the other, as those before it leave
        database.terminate_sessions()
        assert peer.read_reply().status == 200
        peer.close()
    assert answered(pool) == 200
    assert pool.log.text.count("descriptor") + pool.log.text.count("Too many open files") <= LOG_LINES


def test_the_first_session_after_a_flood(database, start_pool):
    """The worker can connect to its database while idle connections stay."""
    pool = start_pool(database, workers=1, feed_watch=0)
    (worker,) = pool.wait_for_workers(1)
    limit_descriptors(worker, len(os.listdir(f"/proc/{worker}/fd")) + 16)
    peers = [pool.peer() for _ in range(40)]
    pool.daemon.wait_for_message("no descriptor for more")
    peers[0].send(request("GET", "/readyz"))
    assert peers[0].read_reply().status == 200
    asking = Asking(peers[-1].ask, "GET", "/readyz")
    for peer in peers[:-1]:
        peer.close()
    assert asking.reply().status == 200
    peers[-1].close()
    eventually(lambda: answered(pool) == 200, what="normal service")
