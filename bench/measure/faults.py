"""Measures cruddurd's promises in milliseconds for the time of a failure and after it: bin/bench --only-faults."""

import contextlib
import os
import signal
import statistics
import time
from dataclasses import dataclass

import attacks
import cable
import crowds
import ends
import generators
import outages
import prepare
import processes
import settings
import streams
import traces
from database import Database
from pool import Pool, command_of, eventually, secret_file, with_options
from traces import Traffic

FAULTS = (
    ends.worker_killed,
    ends.worker_stuck,
    ends.master_killed,
    ends.quit_at_once,
    ends.term_under_load,
    ends.term_beside_half_a_request,
    outages.down_at_start,
    outages.restart_under_load,
    outages.postgresql_frozen,
    outages.postgresql_killed,
    outages.cable_cut,
    crowds.write_elsewhere,
    crowds.overload,
    crowds.slow_clients,
    crowds.unknown_key,
    attacks.long_threads,
    attacks.many_follows,
    attacks.slow_crowd,
    streams.streams,
)
FULL_SPEED = (crowds.overload, streams.streams)  # these use the whole machine themselves


class Scene:
    """The pools and the database in which each fault is caused."""

    def __init__(self, bench):
        room = bench.dir / "pools/eight"
        self.bench = bench
        self.command = with_options(command_of(room), {"workers": 0})
        self.database = Database(bench)
        first = processes.server_pid(room, "cruddurd")
        os.kill(first, signal.SIGTERM)
        eventually(lambda: processes.has_ended(first), "the end of the pool of 8")

    def pool(self, **options):
        return Pool(self.bench, self.command, **options)

    def warm(self, pool):
        """Sends requests until every worker has its sessions and a page of home."""
        pool.until_answer("/readyz")
        kinds = {"kept": "get", "show": "get", "create": "post"}
        streams = [(name, 0, 48, kind, self.bench.request_file(name)) for name, kind in kinds.items()]
        generators.pace(self.bench, pool.port, settings.WARM_UP_SECONDS, settings.HOME_PATH, streams)


@contextlib.contextmanager
def calm(scene):
    """/livez of a pool without any fault, not even of its database: the time of its answers shows the machine's own delays."""
    with secret_file(scene.bench, "calm-url", "postgresql://cruddur@/cruddur?host=/nowhere\n") as url:
        with Pool(scene.bench, scene.command, "small", connection_url_file=url, feed_watch=0) as pool:
            pool.until_answer("/livez")
            with Traffic(scene.bench, pool.port, livez=(settings.CALM_PER_SECOND, 4)) as traffic:
                yield traffic


@dataclass
class Round:
    measures: dict
    wrong: str  # the reason why it cannot count; "": it counts
    stall: float  # the longest time of /livez of the calm pool, in milliseconds
    busy: float  # the share of the machine that other processes used before the round


def bring_about(scene, fault, calm_one):
    busy = prepare.busy_share(settings.LOOK_SECONDS)
    start = time.monotonic()
    measures, wrong = fault(scene)
    end = time.monotonic()
    meanwhile = [answer for answer in calm_one.so_far("livez") if answer.arrived >= start and answer.due <= end]
    return Round(measures, ", ".join(filter(None, wrong)), traces.worst(meanwhile), busy)


def record(bench, fault, rounds):
    wrong = [f"run {number}: {one.wrong}" for number, one in enumerate(rounds, 1) if one.wrong]
    machine = {"busy": statistics.median(one.busy for one in rounds)}
    if fault not in FULL_SPEED:
        machine["stall"] = statistics.median(one.stall for one in rounds)
    for key in rounds[0].measures:
        runs = [one.measures[key] for one in rounds]
        bench.record(key, statistics.median(runs), runs, "; ".join(wrong) or None, **machine)


def run(bench):
    scene = Scene(bench)
    busy = []
    with calm(scene) as calm_one:
        for fault in FAULTS:
            if bench.faults != "all" and fault.__name__ not in bench.faults.split(","):
                continue
            if fault is outages.cable_cut and not cable.is_possible():
                for key in outages.KEYS_OF_CABLE:
                    bench.miss(key, "a cable takes root, iproute2 and network namespaces", "not measured")
                continue
            full, quick = settings.FAULT_ROUNDS[fault.__name__]
            rounds = [bring_about(scene, fault, calm_one) for _ in range(quick if bench.quick else full)]
            record(bench, fault, rounds)
            busy += [one.busy for one in rounds]
    bench.record("machine/busy before the faults", statistics.median(busy), busy)
    bench.notes.append(
        f"Before the rounds of faults others kept {statistics.median(busy) * 100:.0f} % of the machine busy (the median; "
        f"{min(busy) * 100:.0f} to {max(busy) * 100:.0f} %). The calm pool is one that nothing happens to: the longest that its "
        "/livez took meanwhile."
    )
