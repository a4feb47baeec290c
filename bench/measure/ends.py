"""Processes of a pool that are killed, ended by a signal, or stuck.

Each fault is a function of a scene that runs one round of it, and returns (measures, what was wrong).
"""

import contextlib
import os
import random
import signal
import socket
import time

import processes
import settings
import traces
from bench import fetch
from database import Session
from pool import eventually, frozen
from traces import MILLISECOND, Traffic

LOAD = {"show": (300, 32), "create": (100, 32)}
LOCK = "begin; lock table activities in access exclusive mode"
BEGIN_REQUEST = bytes([1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0])  # FastCGI 1.0, 5.1
STUCK = {"statement_timeout": 900, "deadline": 950, "stuck_timeout": 1000}
PATIENT = {"statement_timeout": 8000, "deadline": 9000, "stuck_timeout": 10000}


def worker_killed(scene):
    """Kills the only worker, so that no other one can answer."""
    with scene.pool(workers=1) as pool:
        pool.until_answer("/readyz")
        (victim,) = pool.workers()
        start = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: fetch(f"http://127.0.0.1:{pool.port}/livez")[0] == 200, "an answer after a worker's end")
        return {"fault/worker killed/first good answer": (time.monotonic() - start) * MILLISECOND}, []


@contextlib.contextmanager
def waiting_create(scene, pool, rate=20, connections=64):
    """Within the block creates wait for a lock in the database."""
    with Session(scene.bench) as session:
        session.run(LOCK)
        with Traffic(scene.bench, pool.port, create=(rate, connections)) as traffic:
            scene.database.wait_for_waiting()
            yield traffic


def master_killed(scene):
    with scene.pool(workers=4, **PATIENT) as pool:
        scene.warm(pool)
        children = pool.children()
        with waiting_create(scene, pool):
            start = time.monotonic()
            os.kill(pool.process.pid, signal.SIGKILL)
            eventually(lambda: all(map(processes.has_ended, children)), "the end of the workers")
            return {"fault/master killed/workers gone": (time.monotonic() - start) * MILLISECOND}, []


def quit_at_once(scene):
    with scene.pool(workers=4, **PATIENT) as pool:
        scene.warm(pool)
        with waiting_create(scene, pool):
            return {"fault/QUIT/pool gone": pool.end(signal.SIGQUIT)}, []


def term_under_load(scene):
    with scene.pool(workers=4) as pool:
        scene.warm(pool)
        with Traffic(scene.bench, pool.port, **LOAD):
            time.sleep(settings.LOAD_SECONDS)
            return {"fault/TERM under load/pool gone": pool.end(signal.SIGTERM)}, []


def term_beside_half_a_request(scene):
    with scene.pool(workers=2, drain_timeout=settings.DRAIN_MS, request_timeout=60000) as pool:
        pool.until_answer("/readyz")
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(pool.socket))
            peer.sendall(BEGIN_REQUEST)
            time.sleep(settings.ARRIVAL_SECONDS)
            took = pool.end(signal.SIGTERM)
    wrong = [f"it ended after {took:.0f} ms already"] if took < settings.DRAIN_MS else []
    return {"fault/TERM beside half a request/gone after the drain timeout": took - settings.DRAIN_MS}, wrong


def worker_stuck(scene):
    """The only worker is stuck with one request, which is answered when the watchdog has ended the worker."""
    with scene.pool(workers=1, **STUCK) as pool:
        scene.warm(pool)
        time.sleep(random.random())  # the master checks once a second, and each round begins at another moment of that second
        with waiting_create(scene, pool, 0, 1) as traffic, frozen(pool.workers()):
            since = time.monotonic()
            answer = eventually(lambda: traces.first(traffic.so_far("create"), since), "an answer of a stuck worker")
    took = (answer.arrived - since) * MILLISECOND - STUCK["stuck_timeout"]
    wrong = [] if answer.status == 503 else [f"it is answered with {answer.status}"]
    return {"fault/worker stuck/answer after the stuck timeout": took}, wrong
