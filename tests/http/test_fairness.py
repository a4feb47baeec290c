"""Many connections and few workers: every client is served, whatever the others do."""

import collections
import contextlib
import socket
import threading
import time

import pytest

from client import Asking, request_bytes
from cluster import frozen
from daemon import sockets_of
from fcgi import head, parameters, record, request
from load import Load
from probe import Probe
from service import Pool, Service
from waiting import PATIENCE, Stopwatch, eventually

CONNECTIONS = 64
WORKERS = 4
AHEAD_MAX = 2  # how many more connections than another worker a worker may have: ACCEPTOR_AHEAD_MAX


@pytest.fixture(scope="module")
def service(cluster):
    with Service(cluster, workers=WORKERS) as service:
        service.database.add_activities(200, message="repeat('\U0001f4a9', 280)")  # a page larger than any socket's buffer
        yield service


@pytest.fixture(scope="module")
def lone(cluster):
    """A service with one worker, so that whatever holds it up holds up all requests."""
    with Service(cluster, workers=1) as service:
        yield service


@pytest.fixture(scope="module")
def pool():
    """A pool to which only the tests connect."""
    with Pool(workers=WORKERS) as pool:
        yield pool


def test_64_connections_and_4_workers(service):
    with Load(service, connections=CONNECTIONS, pause=0) as load:
        load.wait_for_each(10)
    assert load.failures == []
    load.audit(service.database).check()


def test_64_connections_without_nginx(service):
    """Each connection stays open for several requests, whatever the workers' shares of them."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(service.peer()) for _ in range(CONNECTIONS)]
        for _ in range(5):
            for peer in peers:
                peer.send(request("GET", "/api/activities/home"))
            assert [peer.read_reply().status for peer in peers] == [200] * CONNECTIONS


def ask_all(peers):
    for peer in peers:
        peer.send(request("GET", "/livez"))
    assert [peer.read_reply().status for peer in peers] == [200] * len(peers)


def shares(pool):
    """How many connections each worker has."""
    common = sockets_of(pool.daemon.pid)
    return [len(sockets_of(worker) - common) for worker in pool.wait_for_workers(WORKERS)]


def test_many_connections_at_once_are_shared_out(pool):
    """The test repeats this, because a busy worker may not give the others in time what it passes on to them."""

    def is_fair():
        with contextlib.ExitStack() as stack:
            ask_all([stack.enter_context(pool.peer()) for _ in range(WORKERS * CONNECTIONS)])
            counts = shares(pool)
        assert sum(counts) == WORKERS * CONNECTIONS
        eventually(lambda: sum(shares(pool)) == 0, what="the end of all connections")
        return max(counts) - min(counts) <= AHEAD_MAX + 1

    eventually(is_fair, what="an equal share for each worker")


def test_new_connections_go_to_those_who_have_fewer(pool):
    """One worker has all connections, because the others were stopped. If workers took turns, it would get a quarter of the new ones."""
    workers = pool.wait_for_workers(WORKERS)
    with contextlib.ExitStack() as stack:
        with contextlib.ExitStack() as stopped:
            for worker in workers[1:]:
                stopped.enter_context(frozen(worker))
            ask_all([stack.enter_context(pool.peer()) for _ in range(CONNECTIONS)])
            assert shares(pool) == [CONNECTIONS, 0, 0, 0]

        def is_spared():
            with contextlib.ExitStack() as more:
                for _ in range(CONNECTIONS // 2):
                    ask_all([more.enter_context(pool.peer())])
                counts = shares(pool)
            assert sum(counts) == CONNECTIONS + CONNECTIONS // 2
            eventually(lambda: sum(shares(pool)) == CONNECTIONS, what="the end of the new ones")
            return counts[0] == CONNECTIONS

        eventually(is_spared, what="new connections for the others alone")


def test_connections_beside_a_frozen_worker(pool):
    """The frozen worker has the fewest connections, but no connection waits for it."""
    with frozen(pool.wait_for_workers(WORKERS)[0]), contextlib.ExitStack() as stack:
        ask_all([stack.enter_context(pool.peer()) for _ in range(CONNECTIONS)])


def test_ever_new_connections_beside_a_frozen_worker(pool):
    """Connections in the handover queue are served while more arrive: more arrive until all of the first ones are answered."""
    pace = 0.002  # s, less than ACCEPTOR_PATIENCE_MS

    def ask_one():
        time.sleep(pace)
        peer = stack.enter_context(pool.peer())
        peer.send(request("GET", "/livez"))
        return peer

    with frozen(pool.wait_for_workers(WORKERS)[0]), contextlib.ExitStack() as stack:
        ask_all([stack.enter_context(pool.peer()) for _ in range(CONNECTIONS)])
        first = [ask_one() for _ in range(200)]
        more = collections.deque()
        with Stopwatch() as watch:
            while not all(peer.has_answer() for peer in first):
                assert watch.elapsed() < PATIENCE
                more.append(ask_one())
                if len(more) > len(first):
                    more.popleft().close()


def test_a_trickling_peer_holds_up_nobody(lone):
    data = request("GET", "/livez")
    size = len(data) // 8
    with lone.peer() as slow:
        for at in range(0, len(data), size):
            assert lone.get("/livez").status == 200
            slow.send(data[at : at + size])
        assert slow.read_reply().status == 200


def test_peers_with_half_a_request_hold_up_nobody(lone):
    halves = [
        b"\x01", request()[:4], request()[:8], request()[:16], request()[:-8], request()[:-1], head(parameters()),
        head(parameters("POST", "/api/activities", b"x" * 100)) + record(5, b"x" * 50),
    ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(lone.peer()) for _ in range(5) for _ in halves]
        for number, peer in enumerate(peers):
            peer.send(halves[number % len(halves)])
        with Load(lone) as load:
            load.wait_for_more(100)
    assert load.failures == []


def test_idle_connections_hold_up_nobody(lone):
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(lone.peer())
        with Load(lone) as load:
            load.wait_for_more(100)
    assert load.failures == []


def test_a_slow_client_holds_up_nobody(lone):
    """A client that sends its body slowly occupies nginx, not a worker."""
    body = b'{"message":"slowly","ttl":"1-day","user_handle":"londo"}'
    text = request_bytes("POST", "/api/activities", body)
    with lone.connect() as slow:
        slow.send(text[: -len(body)])
        for byte in body:
            slow.send(bytes([byte]))
            assert lone.get("/livez").status == 200
        assert slow.read_reply().status == 200


def test_clients_that_vanish_hold_up_nobody(service):
    before = service.wait_for_workers(WORKERS)
    for _ in range(50):
        with service.connect() as connection:
            connection.send(request_bytes("GET", "/api/activities/home?limit=200"))
    for _ in range(50):
        with service.peer() as peer:
            peer.send(request("GET", "/api/activities/home?limit=200"))
    assert service.get("/readyz").status == 200
    assert service.daemon.workers() == before


def test_a_burst_beyond_the_backlog_is_answered_in_form(start):
    """If nginx finds the accept queue full, here far too short, the client gets a 503 in the service's form at once."""
    service = start(workers=1, backlog=1)
    (worker,) = service.wait_for_workers(1)
    with frozen(worker):  # else it might be so fast that no request is refused
        askings = [Asking(service.home) for _ in range(30)]
        eventually(lambda: sum(not asking.is_alive() for asking in askings) >= 20, what="refusals")
    replies = [asking.reply() for asking in askings]
    assert {reply.status for reply in replies} == {200, 503}
    assert all(reply.headers["Retry-After"] == "1" for reply in replies if reply.status == 503)
    assert service.get("/livez").status == 200


class Trickle(threading.Thread):
    """Sends the data byte by byte, again and again on new connections, until the block ends."""

    PAUSE = 0.02

    def __init__(self, connect, data):
        super().__init__()
        self.connect, self.data = connect, data
        self.connection = connect()
        self.is_over = threading.Event()

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self.is_over.set()
        with contextlib.suppress(OSError):
            self.connection.socket.shutdown(socket.SHUT_RDWR)  # it may be waiting for room there
        self.join()

    def run(self):
        while not self.is_over.is_set():
            with self.connection, contextlib.suppress(OSError):
                for byte in self.data:
                    self.connection.send(bytes([byte]))
                    if self.is_over.wait(self.PAUSE):
                        return
            self.connection = self.connect()


def slow_ones(service, stack):
    """Clients and peers that trickle, stop half-way, or read nothing of a large answer."""
    large = "/api/activities/home?limit=200"
    body = b'{"message":"slowly","ttl":"1-day","user_handle":"londo"}'
    for _ in range(8):
        stack.enter_context(Trickle(service.connect, request_bytes("POST", "/api/activities", body)))
        stack.enter_context(Trickle(service.peer, request("POST", "/api/activities", body)))
    for _ in range(16):
        stack.enter_context(service.connect()).send(request_bytes("POST", "/api/activities", body)[:-9])
        stack.enter_context(service.peer()).send(request("POST", "/api/activities", body)[:-9])
        stack.enter_context(service.connect()).send(request_bytes("GET", large))
        stack.enter_context(service.peer()).send(request("GET", large))


def test_slow_ones_hold_up_nobody(service):
    with contextlib.ExitStack() as stack:
        slow_ones(service, stack)
        targets = ("/livez", "/api/users/@bayko/short", "/api/activities/home?limit=1")
        probes = [stack.enter_context(Probe(service, target)) for target in targets]
        for probe in probes:
            probe.wait_for_more(100)
    assert all(probe.statuses() == {200} for probe in probes)
