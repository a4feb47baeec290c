#!/usr/bin/python3
"""Faults under load, again and again: is every acknowledged create in the table once, and what failed meanwhile?

By hand, each fault twenty times, or a million requests beside 200 reloads and upgrades:
CRUDDURD=./cruddurd python3 tests/http/campaign.py --rounds 20
CRUDDURD=./cruddurd python3 tests/http/campaign.py --rounds 100 --faults replace_workers,upgrade --between 2500 --pause 0
"""

import argparse
import collections
import os
import random
import signal
import sys

from cluster import Cluster, frozen
from daemon import sockets_of
from installed import Installed
from load import PAUSE, Load
from places import Folder
from waiting import eventually

WORKERS = 4
CONNECTIONS = 12
BETWEEN = 60  # answers before and after each fault


class Tally(collections.Counter):
    """The outcomes of the requests around one kind of fault."""

    COLUMNS = ("faults", "requests", "failed", "allowed", "acknowledged", "in_table", "doubled", "lost")

    def add(self, load, audit, allowed):
        self.update(
            faults=1,
            requests=load.requests,
            failed=len(load.failures),
            allowed=allowed,
            acknowledged=audit.acknowledged,
            in_table=audit.in_table,
            doubled=audit.doubled,
            lost=audit.lost,
        )

    def check(self):
        assert self["acknowledged"] > 0
        assert (self["doubled"], self["lost"]) == (0, 0)
        assert self["failed"] <= self["allowed"]


def kill_worker(service):
    """kill -9 of a random worker. Requests that are on its connections at that moment may fail."""
    victim = random.choice(service.wait_for_workers(WORKERS))
    with frozen(victim):
        connections = len(sockets_of(victim) - sockets_of(service.daemon.pid))
        os.kill(victim, signal.SIGKILL)
    service.wait_for_workers(WORKERS, other_than=[victim])
    return min(connections, CONNECTIONS)


def replace_workers(service):
    """A reload (HUP)."""
    before = service.wait_for_workers(WORKERS)
    service.daemon.reload()
    service.wait_for_workers(WORKERS, other_than=before)
    return 0


def restart_database(service):
    """An orderly restart: the server ends each session with a message."""
    service.cluster.restart("fast")
    return 0


def crash_database(service):
    """Every session breaks off, and PostgreSQL recovers from its log. A result that arrives together with the end of the session is not
    trusted, so one request of each session may fail."""
    service.cluster.restart("immediate")
    return WORKERS


def terminate_sessions(service):
    """Ends all sessions at once."""
    service.database.terminate_sessions()
    return 0


def upgrade(service):
    """An upgrade to a new file of the same program; for an Installed service."""
    before = service.wait_for_workers(WORKERS)
    service.upgrade()
    service.wait_for_workers(WORKERS, other_than=before)
    return 0


FAULTS = (kill_worker, replace_workers, restart_database, crash_database, terminate_sessions)
BY_NAME = {fault.__name__: fault for fault in (*FAULTS, upgrade)}


def strike(service, fault, tally, between, pause):
    """Applies one fault in the middle of its own load."""
    with Load(service, connections=CONNECTIONS, pause=pause) as load:
        load.wait_for_more(between)
        allowed = fault(service)
        load.wait_for_more(between)
    tally.add(load, load.audit(service.database), allowed)
    return load


def run(service, rounds, report=lambda *_: None, faults=FAULTS, between=BETWEEN, pause=PAUSE):
    """Applies every fault once a round. Returns a Tally by the fault's name. between: answers before and after each; pause: see Load."""
    tallies = {fault.__name__: Tally() for fault in faults}
    for round_ in range(1, rounds + 1):
        for fault in random.sample(faults, len(faults)):
            report(service, round_, fault, strike(service, fault, tallies[fault.__name__], between, pause))
            eventually(lambda: service.get("/readyz").status == 200, what="a service that is ready again")
    return tallies


def table(tallies):
    lines = ["".join(f"{word:>14}" for word in ("", *Tally.COLUMNS))]
    for name, tally in tallies.items():
        lines.append(f"{name:>20}"[-20:] + "".join(f"{tally[column]:>14}" for column in Tally.COLUMNS)[6:])
    return "\n".join(lines)


def tell_failures(service, round_, fault, load):
    """Prints each failure with the daemon's log lines about it."""
    for status, codes, request_id in load.failures:
        print(f"round {round_}, {fault.__name__}: {status} {codes}", *service.log.requests(request_id), file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--faults", default=",".join(BY_NAME), help="their names, with commas")
    parser.add_argument("--between", type=int, default=BETWEEN, help="answers before and after each fault")
    parser.add_argument("--pause", type=float, default=PAUSE, help="seconds between two requests of a connection")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    faults = [BY_NAME[name] for name in arguments.faults.split(",")]
    folder = Folder()
    try:
        with Cluster() as cluster, Installed(cluster, folder.path, workers=WORKERS, log_level="info") as service:
            tallies = run(service, arguments.rounds, tell_failures, faults, arguments.between, arguments.pause)
    finally:
        folder.remove()
    print(table(tallies))
    for tally in tallies.values():
        tally.check()


if __name__ == "__main__":
    main()
