"""One trial: a fault beside the writers, what was seen of the fault, and the ledgers afterwards.

A trial that finds a lost or a doubled write, a stale read or a wrong order has these in `problems`. A trial that is not valid, for
example because the fault did not happen, raises an exception.
"""

import contextlib
import datetime
import time

import social
from faults import FAULTS, primary_of, wait_for_successor
from site_of_hosts import Site
from waiting import eventually
from witness import Witness, end_of_outage, longest_gap
from writers import REPLICA_LAG, ClusterWriter

HANDLES = ("londo", "bayko", "altbrown")
WRITES = 8  # acknowledged to each writer before a fault, and as many after it
SETTLED = 1  # s of writes on a cluster that is whole again
SERVED = 90  # s in which a write must be acknowledged while a fault lasts
SHOWN = 5  # problems that are shown in full


class Ledgers:
    """All writes since the cluster's start, for the checks of a lap."""

    def __init__(self, lab):
        self.lab = lab
        self.site = Site(lab)
        self.targets = [self.make_target(number) for number in range(3)]
        self.kept = []  # writers of earlier trials

    def make_target(self, number):
        reply = self.site.ask_as("andrewbrown", "POST", "/api/activities", {"message": f"target {number}", "ttl": "30-days"}, {"Idempotency-Key": f"target-{number}"})
        assert reply.status == 200, reply
        return reply.json["uuid"]

    def writers(self, seed):
        return [ClusterWriter(self.site, handle, self.targets, seed) for handle in HANDLES]

    def sql(self, statement, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall()

    def problems(self, writers):
        """Everything that is wrong in the database and in what these writers have read."""
        with contextlib.closing(self.lab.connect()) as self.connection:
            found = [("ledger", *wrong) for writer in writers for wrong in writer.wrong(self.sql)]
            for check in (social.check_counts, social.check_told):
                try:
                    check(self)
                except AssertionError as error:
                    found.append((check.__name__, str(error)[:500]))
        time.sleep(REPLICA_LAG)  # from now on no read may miss anything
        for writer in writers:
            found += [("error", repr(error)) for error in writer.errors + writer.reader.errors]
            found += [("stale", *read) for read in writer.reader.stale]
            found += [("order", *order) for order in writer.check_order()]
        self.kept += writers
        return found

    def lasting_problems(self):
        """Checks the posts and messages of all trials, which no later trial may have lost."""
        with contextlib.closing(self.lab.connect()) as self.connection:
            for writer in self.kept:
                writer.facts = {subject: fact for subject, fact in writer.facts.items() if str(subject).startswith("ledger ")}
            return [("later", *wrong) for writer in self.kept for wrong in writer.wrong(self.sql)]


def hold(lab, fault, old, site, begun):
    """Waits until the fault has lasted long enough, there is a successor if the fault moves the primary, and a write is acknowledged again."""
    if fault.moves:
        wait_for_successor(lab, old)
    since = time.monotonic()
    eventually(lambda: any(attempt.status == 200 and attempt.begun > since for attempt in reversed(site.attempts)), SERVED, f"a write beside {fault.name}")
    time.sleep(max(0, fault.seconds - (time.monotonic() - begun)) if not fault.moves else fault.seconds)


def run(lab, ledgers, name, seed):
    """Runs a trial and returns its row of the results."""
    fault, site = FAULTS[name], ledgers.site
    lab.wait_until_whole()
    old, timeline, site.attempts = primary_of(lab), lab.timeline(), []
    writers = ledgers.writers(seed)
    with Witness(lab) as witness, contextlib.ExitStack() as stack:
        for writer in writers:
            stack.enter_context(writer)
        for writer in writers:
            writer.wait_for_more(WRITES)
        begun = time.monotonic()
        try:
            with fault.apply(lab) as seen:
                hold(lab, fault, old, site, begun)
                healed = time.monotonic()
            whole = lab.wait_until_whole()
            for writer in writers:
                writer.wait_for_more(WRITES)
            time.sleep(SETTLED)
        except BaseException:
            site.is_abandoned = True  # else the writers would go on until all their writes are acknowledged
            raise
        ended = time.monotonic()
    problems = ledgers.problems(writers)
    return row(lab, fault, seen, writers, witness, problems, begun, ended) | {
        "lap_seed": seed, "standbys_read": True, "from": old.name, "to": lab.leader().name, "timelines": [timeline, lab.timeline()], "lasted_s": round(healed - begun, 2), "whole_s": round(whole, 2),
    }  # fmt: skip


def row(lab, fault, seen, writers, witness, problems, begun, ended):
    attempts = writers[0].service.attempts
    service, _, served = longest_gap([attempt.ended for attempt in attempts if attempt.status == 200], begun, ended)
    database, _, _ = longest_gap(witness.times(), begun, ended)
    writable = end_of_outage(witness.times(), begun, ended)
    failed = [attempt for attempt in attempts if attempt.status != 200 and attempt.begun >= begun]
    homes = sorted(wait for writer in writers for wait in writer.reader.home_waits)
    kinds = [problem[0] for problem in problems]
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "fault": fault.name, "seen": seen, "options": lab.options,
        "outage_s": round(service, 3), "database_outage_s": round(database, 3), "back_s": round(max(0, served - writable), 3),
        "acknowledged": sum(writer.acknowledged for writer in writers), "failed": len(failed), "slowest_answer_s": round(max(a.ended - a.begun for a in attempts), 3),
        "reads": sum(writer.reader.count for writer in writers), "stale": kinds.count("stale"), "home_max_s": round(homes[-1], 3) if homes else None,
        "lost": sum(is_lost(problem) for problem in problems), "doubled": sum(is_doubled(problem) for problem in problems), "beats": len(witness.beats),
        "beats_doubled": witness.doubled(), "problems": len(problems), "shown": [repr(problem)[:400] for problem in problems[:SHOWN]],
    }  # fmt: skip


def size(row):
    value = row[0] if row else 0
    return len(value) if isinstance(value, list) else int(value or 0) if isinstance(value, (int, bool)) else 1 if value else 0


def is_doubled(problem):
    """Whether the database has more of it than the ledger."""
    return problem[0] in ("ledger", "later") and size(problem[3][0] if problem[3] else ()) > size(problem[2])


def is_lost(problem):
    return problem[0] in ("ledger", "later") and not is_doubled(problem)
