"""A packet filter answers for the database: each packet to it, or each packet from it, is dropped, and the sender gets a reset.
Every request that needs the database gets an error, and all is well again afterwards."""

import contextlib
import shutil
import subprocess
import threading
import time

import pytest

from cluster import Cluster, Database
from issuer import TokenService
from places import CRUDDURD, IS_ROOT
from waiting import eventually
from wire import Wire

NFT = shutil.which("nft") or "/usr/sbin/nft"
RULES = {"there": ("output", "tcp dport 5432"), "back": ("input", "tcp sport 5432")}
SHORT, FOLLOWING, HOME = "/api/users/@londo/short", "/api/activities/following", "/api/activities/home"
POST = {"message": "in an outage", "ttl": "1-day"}
KINDS = {
    "read": ("GET", SHORT, None),
    "slow read": ("GET", FOLLOWING, None),
    "cached page": ("GET", HOME, None),
    "write": ("POST", "/api/activities", POST),
}
ROUNDS = 8
PAUSE = 0.15  # s, between two rounds

pytestmark = pytest.mark.skipif(
    not (IS_ROOT and shutil.which("ip") and shutil.which(NFT)), reason="only root, with iproute2 and nftables, may filter packets"
)


@pytest.fixture(scope="module")
def wire():
    with Wire() as wire:
        yield wire


@pytest.fixture(scope="module")
def far_cluster(wire):
    with Cluster(address=wire.far_address) as cluster:
        yield cluster


@contextlib.contextmanager
def resets(wire, way):
    hook, packets = RULES[way]
    table = f"table inet resets {{ chain answers {{ type filter hook {hook} priority 0; {packets} reject with tcp reset; }}; }}"
    subprocess.run(wire.inside(NFT, table), check=True)
    try:
        yield
    finally:
        subprocess.run(wire.inside(NFT, "delete table inet resets"), check=True)


class Answers:
    """The outcomes of requests, in the order of their answers."""

    def __init__(self, service):
        self.service = service
        self.lock = threading.Lock()
        self.found = []  # kind, number, status, seconds
        self.threads = []

    def ask(self, kind, number):
        thread = threading.Thread(target=self.run, args=(kind, number))
        thread.start()
        self.threads.append(thread)

    def run(self, kind, number):
        began = time.monotonic()
        reply = self.service.ask_as("bayko" if number % 2 else "londo", *KINDS[kind])
        with self.lock:
            self.found.append((kind, number, reply.status, time.monotonic() - began))

    def wait(self):
        for thread in self.threads:
            thread.join()


def is_well(service):
    return all(service.ask_as("bayko", *KINDS[kind]).status == 200 for kind in KINDS)


@pytest.mark.parametrize("way", RULES)
def test_resets(wire, far_cluster, way, report):
    """With the default time limits."""
    database = Database(far_cluster)  # removed with its cluster
    with TokenService(far_cluster, database=database, workers=1, is_patient=False, launcher=lambda _: wire.inside(CRUDDURD)) as service:
        eventually(lambda: is_well(service))
        with resets(wire, way):
            answers = Answers(service)
            for number in range(ROUNDS):
                for kind in KINDS:
                    answers.ask(kind, number)
                time.sleep(PAUSE)
            answers.wait()
        eventually(lambda: is_well(service), what="the end of the outage")
    assert {status for kind, _, status, _ in answers.found if kind != "cached page"} <= {429, 503, 504}
    longest = max(answers.found, key=lambda answer: answer[3])
    report(f"{way}: the longest of {len(answers.found)} answers took {longest[3]:.2f} s ({longest[0]}, {longest[2]})")
