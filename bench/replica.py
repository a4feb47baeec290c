#!/usr/bin/python3
"""Reads on a replica beside writes: how many miss an acknowledged write, and the share that the replica runs; see doc/scaling.md."""

import argparse
import json
import multiprocessing
import os
import pathlib
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/http"))

from client import Connection  # noqa: E402
from cluster import Cluster, Database, Standby  # noqa: E402
from places import CRUDDURD  # noqa: E402
from replicated import Replicated  # noqa: E402
from service import Service  # noqa: E402
from waiting import eventually  # noqa: E402

HANDLES = ("andrewbrown", "londo")  # of the two pools' writers
WRITES_MAX = 1_000_000


def arguments():
    parser = argparse.ArgumentParser(
        description="Two pools over one primary and one standby, as two hosts would be. Each has a writer, and readers that compare what they "
        "read with what both writers were acknowledged: all of the own pool's, and of the other's what is older than the bound.",
        epilog="The environment variable CRUDDURD names the program; otherwise it is the one of this source tree.",
    )
    parser.add_argument("--reads", type=int, default=100_000, help="of both pools (%(default)s)")
    parser.add_argument("--readers", type=int, default=2, help="of each pool (%(default)s)")
    parser.add_argument("--writes", type=float, default=10, help="per second, of each pool (%(default)s)")
    parser.add_argument("--burst", type=float, default=0, help="seconds of writes between two pauses of the same length; 0: no pause (%(default)s)")
    parser.add_argument("--delay", type=int, default=0, help="ms that the standby is behind, recovery_min_apply_delay (%(default)s)")
    parser.add_argument("--bound", type=int, default=1000, help="ms, --replica-lag (%(default)s)")
    given = parser.parse_args()
    if not os.access(CRUDDURD, os.X_OK):
        parser.error(f"there is no {CRUDDURD}: run make, or say where it is by CRUDDURD")
    return given


class Pool(Replicated, Service):
    def __init__(self, cluster, standby, database, bound):
        super().__init__(cluster, database, workers=2, replica_lag=bound, log_level="warning", is_patient=False)
        self.standbys = (standby,)


class Shared:
    """The values that the processes share. Writes are counted from 1."""

    def __init__(self):
        self.acknowledged = [multiprocessing.RawValue("q", 0) for _ in HANDLES]
        self.at = [multiprocessing.RawArray("d", WRITES_MAX) for _ in HANDLES]
        self.is_over = multiprocessing.RawValue("b", 0)
        self.reads = multiprocessing.Value("q", 0)
        self.own_misses = multiprocessing.Value("q", 0)
        self.other_misses = multiprocessing.Value("q", 0)


def write(port, number, shared, given):
    """The writer of a pool: the text of each post is the post's number."""
    connection = Connection(port)
    began = time.monotonic()
    for count in range(1, WRITES_MAX):
        while given.burst and (time.monotonic() - began) // given.burst % 2 == 1 and not shared.is_over.value:
            time.sleep(0.01)
        if shared.is_over.value:
            return
        document = {"message": str(count), "ttl": "1-day", "user_handle": HANDLES[number]}
        reply = connection.ask("POST", "/api/activities", json.dumps(document).encode())
        assert reply.status == 200, reply
        shared.at[number][count] = time.monotonic()
        shared.acknowledged[number].value = count
        connection = renewed(connection, reply, port)
        time.sleep(max(0, 1 / given.writes - 0.001))


def renewed(connection, reply, port):
    if reply.headers["Connection"] != "close":
        return connection
    connection.close()
    return Connection(port)


def read(port, number, shared, given):
    connection = Connection(port)
    reads = [0, 0, 0]
    for turn in range(given.reads):
        if turn % 100 == 0:
            add(shared, reads)
            reads = [0, 0, 0]
            if shared.is_over.value:
                return
        whose = turn % 2
        expected, begun = shared.acknowledged[whose].value, time.monotonic()
        reply = connection.ask("GET", f"/api/activities/@{HANDLES[whose]}?limit=1")
        assert reply.status == 200, reply
        newest = int(re.search(rb'"message":\s*"(\d+)"', reply.body)[1])
        reads[0] += 1
        if whose == number:
            reads[1] += newest < expected
        else:
            reads[2] += newest < expected and shared.at[whose][newest + 1] < begun - given.bound / 1000
        connection = renewed(connection, reply, port)


def add(shared, reads):
    for value, count in zip((shared.reads, shared.own_misses, shared.other_misses), reads, strict=True):
        with value.get_lock():
            value.value += count


def run(pools, given):
    shared = Shared()
    context = multiprocessing.get_context("fork")
    jobs = [(write, number) for number in range(len(pools))]
    jobs += [(read, number) for number in range(len(pools)) for _ in range(given.readers)]
    processes = [context.Process(target=job, args=(pools[number].port, number, shared, given), daemon=True) for job, number in jobs]
    for process in processes[: len(pools)]:
        process.start()
    eventually(lambda: all(value.value > 0 for value in shared.acknowledged), what="the first writes")
    eventually(lambda: all(b'"message"' in pool.get(f"/api/activities/@{handle}?limit=1").body for pool in pools for handle in HANDLES), what="them to be read")
    before, began = [pool.counts() for pool in pools], time.monotonic()
    for process in processes[len(pools) :]:
        process.start()
    while shared.reads.value < given.reads and all(process.is_alive() for process in processes):
        time.sleep(0.1)
    seconds = time.monotonic() - began
    shared.is_over.value = 1
    for process in processes:
        process.join()
    report(pools, shared, before, seconds, [process.exitcode for process in processes])


def report(pools, shared, before, seconds, statuses):
    counts = {}
    for pool, earlier in zip(pools, before, strict=True):
        for name, count in pool.counts().items():
            counts[name] = counts.get(name, 0) + count - earlier[name]
    at_primary = sum(counts.values()) - counts["replica"] - counts["kind"]
    print(f"{shared.reads.value} reads in {seconds:.0f} s beside {sum(value.value for value in shared.acknowledged)} writes")
    print(f"{shared.own_misses.value} miss what the own pool had acknowledged, {shared.other_misses.value} what the other had before the bound")
    print(f"{100 * counts['replica'] / (counts['replica'] + at_primary):.1f} % on the replica; on the primary by reason: {counts}")
    if any(statuses) or shared.own_misses.value or shared.other_misses.value:
        sys.exit(f"replica: not as it should be (the processes ended with {statuses})")


def main():
    given = arguments()
    with Cluster() as primary, Standby(primary) as standby:
        standby.sql(f"alter system set recovery_min_apply_delay = {given.delay}")
        standby.sql("select pg_reload_conf()")
        database = Database(primary)
        with Pool(primary, standby, database, given.bound) as one, Pool(primary, standby, database, given.bound) as other:
            run([one, other], given)


if __name__ == "__main__":
    main()
