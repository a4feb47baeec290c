"""Observes the databases themselves: each node is asked to commit all the time, without the service.

Every commit increments one number. So the number appears twice if an acknowledged commit is lost, or if two primaries acknowledge
commits.
"""

import contextlib
import threading
import time

PAUSE = 0.02  # s
GAP = 0.2  # s without a commit that count as an outage
BACK_BOUND = 0.5  # s, from the database's first commit to the service's
WARNING = "canceling wait for synchronous replication"


class Witness:
    def __init__(self, lab):
        self.lab = lab
        self.beats = []  # (monotonic time, node's name, number)
        self.is_over = False
        self.threads = [threading.Thread(target=self.watch, args=(node,), daemon=True) for node in lab.nodes.values()]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join()

    def watch(self, node):
        while not self.is_over:
            with contextlib.suppress(Exception):  # any error of a node in trouble
                with contextlib.closing(self.lab.connect(node.address, "postgres")) as connection:
                    self.beat(node, connection)
            time.sleep(PAUSE)

    def beat(self, node, connection):
        with connection.cursor() as cursor:
            while not self.is_over:
                cursor.execute("select pg_is_in_recovery()")
                if not cursor.fetchone()[0]:
                    cursor.execute("update beats set n = n + 1 returning n")
                    (number,) = cursor.fetchone()
                    if not any(WARNING in notice for notice in connection.notices):
                        self.beats.append((time.monotonic(), node.name, number))
                    del connection.notices[:]
                time.sleep(PAUSE)

    def times(self):
        return sorted(beat[0] for beat in self.beats)

    def doubled(self):
        """How many numbers were acknowledged twice."""
        numbers = [beat[2] for beat in self.beats]
        return len(numbers) - len(set(numbers))


def gaps_of(times, begin, end):
    """[(seconds, its beginning, its end)] of the gaps between events, from those in the second before begin until end."""
    inside = [time_ for time_ in sorted(times) if begin - 1 <= time_ <= end]
    return [(after - before, before, after) for before, after in zip(inside, inside[1:]) if after >= begin]


def longest_gap(times, begin, end):
    return max(gaps_of(times, begin, end), default=(0, begin, begin))


def end_of_outage(times, begin, end):
    """The end of the longest gap, or of the last gap in a chain after it: each longer than GAP, and within BACK_BOUND after the one before."""
    _, _, back = longest_gap(times, begin, end)
    for seconds, before, after in gaps_of(times, begin, end):
        if seconds > GAP and back <= before < back + BACK_BOUND:
            back = after
    return back
