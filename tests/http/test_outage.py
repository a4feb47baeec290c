"""PostgreSQL as a whole frozen, killed or out of reach for longer than every patience, under load."""

import contextlib
import shutil
import time

import pytest

from client import Asking
from cluster import Cluster
from load import Load
from places import CRUDDURD, IS_ROOT
from probe import Probe
from service import Service
from waiting import Stopwatch, eventually
from wire import Wire

SECONDS = 8  # of the outage
PATIENCE = 3.5  # s, of every request
STALE = 5  # s, --feed-stale
SLACK = 0.5  # s, for a busy machine
LIVEZ = 1  # s; 50 ms on a machine that does nothing else
HOME, SHORT, LIFE = "/api/activities/home", "/api/users/@bayko/short", "/livez"


def seconds_to_normal(service):
    """Until what waits for the database, and what came before it was back, is answered well."""

    def is_normal():
        askings = [Asking(service.get, SHORT) for _ in range(4)] + [Asking(service.create, "after it") for _ in range(4)]
        return {asking.reply().status for asking in askings} == {200}

    with Stopwatch() as watch:
        eventually(is_normal, PATIENCE, "the end of the outage")
    return watch.seconds


def check_home(probe, began, ended):
    """Served for as long as the bound says and no longer, and marked when the database was not asked."""
    for when, _, reply in probe.answers:
        if began < when < began + STALE - SLACK:
            assert reply.status == 200
        elif began + STALE + SLACK < when < ended:
            assert reply.status in (503, 504)
        if reply.status == 200 and began + SLACK < when < ended:
            assert reply.headers["Cache-Status"].startswith("cruddurd; hit; ttl=-")
    assert any(reply.headers["Cache-Status"] for _, _, reply in probe.answers)


def warm(service):
    """Every worker has both its sessions and a page of home."""
    with Load(service, connections=16, reads=(HOME, SHORT)) as load:
        load.wait_for_more(200)


def check_outage(service, fault, report):
    warm(service)
    with contextlib.ExitStack() as stack:
        life, home, short = (stack.enter_context(Probe(service, target)) for target in (LIFE, HOME, SHORT))
        load = stack.enter_context(Load(service, connections=4, reads=(SHORT,)))
        load.wait_for_more(20)
        began = time.monotonic()
        with fault():
            life.is_over.wait(SECONDS)
            ended = time.monotonic()
        back = seconds_to_normal(service)
    report(f"livez at most {life.slowest() * 1000:.0f} ms, others {max(home.slowest(), short.slowest(), load.slowest):.2f} s, "
           f"normal after {back * 1000:.0f} ms")  # fmt: skip
    assert life.statuses() == {200}
    assert life.slowest() < LIVEZ
    assert max(home.slowest(), short.slowest(), load.slowest) < PATIENCE
    check_home(home, began, ended)
    assert short.statuses() <= {200, 503, 504}
    assert {(status, *codes) for status, codes, _ in load.failures} <= {(503, "database_unavailable"), (504, "database_timeout")}
    assert load.failures
    load.audit(service.database).check()
    return back


@contextlib.contextmanager
def cluster_of_its_own(**options):
    cluster = Cluster(**options)
    try:
        cluster.make()
        cluster.start()
        cluster.prepare()
        yield cluster
    finally:
        cluster.remove()


@pytest.mark.parametrize("fault", ["frozen", "killed"])
def test_a_server_that_is(fault, report):
    with cluster_of_its_own() as cluster, Service(cluster, feed_stale=STALE) as service:
        assert check_outage(service, getattr(cluster, fault), report) < 1


needs_root = pytest.mark.skipif(not (IS_ROOT and shutil.which("ip")), reason="only root, with iproute2, may lay a cable")


@needs_root
@pytest.mark.parametrize("end", ["near", "far"])
def test_a_cable_that_is_cut(end, report):
    """TCP tries again after a while only, which may be some time after the end of the outage."""
    with Wire() as wire, cluster_of_its_own(address=wire.far_address) as cluster:
        with Service(cluster, feed_stale=STALE, launcher=lambda _: wire.inside(CRUDDURD)) as service:
            assert check_outage(service, lambda: wire.cut(end), report) < PATIENCE


class Names:
    """Files of the resolver for one process: a name for PostgreSQL at first, then a name server that is out of reach."""

    NAME = "database.test"

    def __init__(self, wire, folder):
        self.hosts, self.resolver = folder / "hosts", folder / "resolv.conf"
        self.resolver.write_text(f"nameserver {wire.far_address}\nsearch one.test two.test\n")
        self.known = f"127.0.0.1 {self.NAME}\n{wire.far_address} {self.NAME}\n"  # nothing is at the first one
        self.wire = wire
        self.tell()

    def tell(self):
        self.hosts.write_text(self.known)

    def command(self, *program):
        binds = f"mount --bind {self.hosts} /etc/hosts && mount --bind {self.resolver} /etc/resolv.conf"
        return self.wire.inside("unshare", "--mount", "sh", "-c", f'{binds} && exec "$@"', "sh", *program)

    @contextlib.contextmanager
    def cut(self):
        self.hosts.write_text("")
        try:
            with self.wire.cut("far"):
                yield
        finally:
            self.tell()


@needs_root
def test_a_name_server_out_of_reach_too(report, tmp_path):
    with Wire() as wire, cluster_of_its_own(address=wire.far_address) as cluster:
        names = Names(wire, tmp_path)
        with Service(cluster, feed_stale=STALE, launcher=lambda _: names.command(CRUDDURD)) as service:
            service.write_url(service.database.url(hosts=[names.NAME]))
            service.daemon.reload()
            assert check_outage(service, names.cut, report) < PATIENCE
