"""Visitors at a constant rate, however fast the service answers. The share of them that is served is the service's availability.

Each visitor comes at a fixed time, asks one host, and the other one if that gives no answer, as a browser does with the addresses of a
name. A visitor is served if the answer has a status below 500, even if it is marked as stale. Visitors make three requests in turn: the
home page, a post, and a new post.
"""

import concurrent.futures
import contextlib
import http.client
import itertools
import pathlib
import re
import secrets
import threading
import time

from probe import Background
from site_of_hosts import PATIENCE, is_stale
from waiting import eventually

RATE = 20  # a second
AT_ONCE = 2 * RATE * PATIENCE  # visitors that wait for an answer, of both hosts
HANDLE = "andrewbrown"
PROGRAMS = ("cruddurd", "cruddur-worker")  # the master and the workers


class Visitors(Background):
    """with Visitors(site, lab.hosts, post): … Visitors come until the block ends. post is the uuid of a post that stays."""

    def __init__(self, site, hosts, post):
        super().__init__()
        self.site = site
        self.hosts = hosts
        self.post = post
        self.seed = secrets.token_hex(4)
        self.pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        self.lock = threading.Lock()
        self.begin_count()

    def __exit__(self, *problem):
        super().__exit__(*problem)
        self.pool.shutdown()

    def begin_count(self):
        self.since, self.came, self.unserved, self.served_stale = time.monotonic(), 0, 0, 0

    def run(self):
        begun, names = time.monotonic(), itertools.cycle(self.hosts)
        for number in itertools.count():
            if self.is_over.wait(max(0, begun + number / RATE - time.monotonic())):
                return
            first = next(names)
            others = [name for name in self.hosts if name != first]
            self.pool.submit(self.visit, number, [first, *others])

    def visit(self, number, names):
        reply = next(filter(None, (self.reply_of(name, number) for name in names)), None)
        is_served = reply is not None and reply.status < 500
        with self.lock:
            self.came += 1
            self.unserved += not is_served
            self.served_stale += is_served and is_stale(reply)

    def reply_of(self, name, number):
        """The host's answer, or None."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.site.ask_as(*self.request(number), host=name)
        return None

    def request(self, number):
        """The arguments for Site.ask_as. A post that is sent to both hosts is made once, because it has an idempotency key."""
        if number % 3 == 0:
            return None, "GET", "/api/activities/home"
        if number % 3 == 1:
            return None, "GET", f"/api/activities/{self.post}"
        text = f"visit {self.seed} {number}"
        return HANDLE, "POST", "/api/activities", {"message": text, "ttl": "30-days"}, {"Idempotency-Key": text.replace(" ", "-")}

    def wait_for_more(self, count):
        goal = self.came + count
        eventually(lambda: self.came >= goal, what=f"{count} visits")

    def account(self):
        """The visits since the last call, for a row of the results, and the memory and descriptors of each process of the hosts now."""
        with self.lock:
            row = {"visits": self.came, "unserved": self.unserved, "served_stale": self.served_stale, "visited_s": round(time.monotonic() - self.since, 1)}
            self.begin_count()
        return row | {"lap": self.seed, "processes": {name: processes_of(host) for name, host in self.hosts.items()}}


def processes_of(host):
    """{process id: [kB in memory, descriptors]}"""
    found = {}
    for pid in host.pids(*PROGRAMS):
        with contextlib.suppress(OSError):
            kilobytes = re.search(r"^VmRSS:\s*(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]
            found[pid] = [int(kilobytes), sum(1 for _ in pathlib.Path(f"/proc/{pid}/fd").iterdir())]
    return found
