"""PostgreSQL as a whole frozen, killed or out of reach for longer than every time limit, under load."""

import contextlib
import shutil
import time

import pytest

from client import Asking
from cluster import FEED_BOUND, Cluster, Database
from load import Load
from places import CRUDDURD, IS_ROOT
from probe import Probe
from service import Service
from waiting import eventually
from wire import Wire

HOME, SHORT, LIFE = "/api/activities/home", "/api/users/@bayko/short", "/livez"
FOR_EVER, A_SECOND = 86400, 1  # --feed-stale
IMPATIENT = {"statement_timeout": 1000, "deadline": 1500}


def is_normal(service):
    """Whether several reads and creates, which start at once and may wait for the database, all succeed."""
    askings = [Asking(service.get, SHORT) for _ in range(4)] + [Asking(service.create, "after it") for _ in range(4)]
    return {asking.reply().status for asking in askings} == {200}


def check_home(home, began, ended, stale):
    """Home is served for as long as --feed-stale says and no longer, and is marked if the database was not asked."""
    before_end = [answer for answer in home.answers if answer.came < ended]
    during = [answer for answer in before_end if answer.asked > began + FEED_BOUND]
    for _, _, reply in during:
        assert reply.status in (503, 504) or reply.headers["Cache-Status"].startswith("cruddurd; hit; ttl=-")
    if stale == FOR_EVER:
        assert during
        assert home.statuses() == {200}
    else:
        known = max(asked for asked, _, reply in before_end if reply.status == 200 and not reply.headers["Cache-Status"])
        assert all(came > known + stale for _, came, reply in before_end if came > began and reply.status != 200)
        assert all(reply.status != 200 for asked, _, reply in during if asked > began + FEED_BOUND + stale)


def check_outage(service, fault, stale):
    """The service's only worker has a cached page of home, which it may serve while the database is away."""
    eventually(lambda: is_normal(service))
    eventually(lambda: service.get(HOME).status == 200)
    with contextlib.ExitStack() as stack:
        life, home, short = (stack.enter_context(Probe(service, target)) for target in (LIFE, HOME, SHORT))
        load = stack.enter_context(Load(service, connections=4, reads=(SHORT,)))
        load.wait_for_more(20)
        home.wait_for_more(1)
        with fault():
            began = time.monotonic()
            short.wait_for(lambda reply: reply.status == 503, "an outage that is known")
            home.wait_for(lambda reply: stale == FOR_EVER or reply.status != 200, "an answer")
            life.wait_for_more(20)
            eventually(lambda: load.failures)
            ended = time.monotonic()
        eventually(lambda: is_normal(service), what="the end of the outage")
    assert life.statuses() == {200}
    check_home(home, began, ended, stale)
    assert short.statuses() <= {200, 503, 504}
    assert load.kinds_of_failure() <= {(503, "database_unavailable"), (504, "database_timeout")}
    load.audit(service.database).check()


@pytest.mark.parametrize("fault, stale", [("frozen", FOR_EVER), ("killed", A_SECOND)])
def test_a_server_that_is(cluster, fault, stale):
    with Service(cluster, workers=1, feed_stale=stale, **IMPATIENT) as service:
        check_outage(service, getattr(cluster, fault), stale)


needs_root = pytest.mark.skipif(not (IS_ROOT and shutil.which("ip")), reason="only root, with iproute2, may lay a cable")


@pytest.fixture(scope="module")
def wire():
    with Wire() as wire:
        yield wire


@pytest.fixture(scope="module")
def far_cluster(wire):
    """A server at the far end of the cable."""
    with Cluster(address=wire.far_address) as cluster:
        yield cluster


def far_service(cluster, **settings):
    """A service whose database is removed with the cluster: dropping one waits up to 60 s for clients that were cut off during the
    login."""
    return Service(cluster, Database(cluster), workers=1, **IMPATIENT, **settings)


@needs_root
@pytest.mark.parametrize("end, stale", [("near", FOR_EVER), ("far", A_SECOND)])
def test_a_cable_that_is_cut(wire, far_cluster, end, stale):
    with far_service(far_cluster, feed_stale=stale, launcher=lambda _: wire.inside(CRUDDURD)) as service:
        check_outage(service, lambda: wire.cut(end), stale)


class Names:
    """The resolver's files for one process: they have PostgreSQL's name at first, then only a name server that is out of reach."""

    NAME = "database.test"

    def __init__(self, wire, folder):
        self.hosts, self.resolver = folder / "hosts", folder / "resolv.conf"
        self.resolver.write_text(f"nameserver {wire.far_address}\nsearch one.test two.test\noptions timeout:30 attempts:1\n")
        self.known = f"127.0.0.1 {self.NAME}\n{wire.far_address} {self.NAME}\n".encode()  # no server has the first address
        self.unknown = b"#" * len(self.known)
        self.wire = wire
        self.wire.keep_far_neighbour()  # else a query that waits for a link address is sent when the cable is whole again
        self.hosts.write_bytes(self.known)

    def tell(self, content):
        """Replaces the content by one write without a truncation, so that no look-up sees an empty file."""
        with self.hosts.open("r+b", buffering=0) as file:
            file.write(content)

    def command(self, *program):
        """The command that runs the program with these files."""
        binds = f"mount --bind {self.hosts} /etc/hosts && mount --bind {self.resolver} /etc/resolv.conf"
        variable = "RES_OPTIONS='timeout:30 attempts:1'"  # cruddurd sets its own if there is none
        return self.wire.inside("unshare", "--mount", "sh", "-c", f'{binds} && {variable} exec "$@"', "sh", *program)

    @contextlib.contextmanager
    def cut(self):
        """Hides the name only while the cable is cut: over a whole cable the far end would say at once that it has no name server."""
        with self.wire.cut("far"):
            self.tell(self.unknown)
            try:
                yield
            finally:
                self.tell(self.known)


@needs_root
def test_a_name_server_out_of_reach_too(wire, far_cluster, tmp_path):
    """A look-up then takes 30 s. No attempt to connect waits for its end; otherwise the logged reason would be the failed look-up."""
    names = Names(wire, tmp_path)
    with far_service(far_cluster, feed_stale=FOR_EVER, launcher=lambda _: names.command(CRUDDURD)) as service:
        service.write_url(service.database.url(hosts=[names.NAME]))
        service.daemon.reload()

        @contextlib.contextmanager
        def cut():
            with names.cut():
                yield
                service.daemon.wait_for_message("no connection: no answer of the resolver in time")

        check_outage(service, cut, FOR_EVER)
        assert "could not translate" not in service.log.text
