"""Many connections and few workers: everybody is served, whatever the others do."""

import contextlib
import threading
import time

from client import Asking, request_bytes
from cluster import frozen
from daemon import sockets_of
from fcgi import head, parameters, record, request
from load import Load
from probe import Probe
from waiting import Stopwatch, eventually

CONNECTIONS = 64


def test_64_connections_and_4_workers(start):
    service = start(workers=4)
    with Load(service, connections=CONNECTIONS) as load:
        eventually(lambda: min(load.served) >= 10, 30, "ten answers on every connection")
    assert load.failures == []
    assert load.slowest < 3
    load.audit(service.database).check()


def test_64_connections_without_nginx(start):
    """Each is kept and asks again and again; the workers may have shared them out as they like."""
    service = start(workers=4)
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


def test_new_connections_go_to_those_who_have_fewer(start):
    """One worker has got all so far, since the others were stopped. Taken in turn, it would get a quarter of the rest too."""
    service = start(workers=4)
    workers = service.wait_for_workers(4)
    before = {worker: len(sockets_of(worker)) for worker in workers}
    with contextlib.ExitStack() as stack:
        with contextlib.ExitStack() as stopped:
            for worker in workers[1:]:
                stopped.enter_context(frozen(worker))
            ask_all([stack.enter_context(service.peer()) for _ in range(CONNECTIONS)])
        time.sleep(0.2)  # for a while it passes nothing on to those who took nothing
        for _ in range(2 * CONNECTIONS):
            ask_all([stack.enter_context(service.peer())])
        counts = [len(sockets_of(worker)) - before[worker] for worker in workers]
    assert sum(counts) == 3 * CONNECTIONS
    assert counts[0] - CONNECTIONS < CONNECTIONS / 4, counts


def test_many_connections_at_once_are_shared_out(start):
    service = start(workers=4)
    workers = service.wait_for_workers(4)
    before = {worker: len(sockets_of(worker)) for worker in workers}
    for _ in range(5):
        with contextlib.ExitStack() as stack:
            ask_all([stack.enter_context(service.peer()) for _ in range(4 * CONNECTIONS)])
            counts = [len(sockets_of(worker)) - before[worker] for worker in workers]
        assert sum(counts) == 4 * CONNECTIONS
        assert max(counts) - min(counts) <= CONNECTIONS / 4, counts
        eventually(lambda: all(len(sockets_of(worker)) == before[worker] for worker in workers))


def test_connections_beside_a_frozen_worker(start):
    """It has fewest, but nobody waits for it."""
    service = start(workers=4)
    workers = service.wait_for_workers(4)
    with frozen(workers[0]), contextlib.ExitStack() as stack:
        peers = [stack.enter_context(service.peer()) for _ in range(CONNECTIONS)]
        with Stopwatch() as watch:
            ask_all(peers)
    assert watch.seconds < 1


def test_ever_new_connections_beside_a_frozen_worker(start):
    """What is passed on to it doesn't wait until no more is."""
    service = start(workers=4)
    workers = service.wait_for_workers(4)
    peers = []
    with frozen(workers[0]), contextlib.ExitStack() as stack:
        ask_all([stack.enter_context(service.peer()) for _ in range(CONNECTIONS)])
        for number in range(500):
            peers.append(stack.enter_context(service.peer()))
            peers[-1].send(request("GET", "/livez"))
            time.sleep(0.002)
            if number >= 200:  # begun 0.4 s ago and more
                assert peers[number - 200].has_answer()


def test_a_trickling_peer_holds_up_nobody(start):
    service = start(workers=1, request_timeout=60000)
    data = request("GET", "/livez")
    with service.peer() as slow:
        for at in range(0, len(data), 4):  # a unix socket holds only so many pieces
            with Stopwatch() as watch:
                assert service.get("/livez").status == 200
            assert watch.seconds < 1
            slow.send(data[at : at + 4])
        assert slow.read_reply().status == 200


def test_peers_with_half_a_request_hold_up_nobody(start):
    service = start(workers=1, request_timeout=60000, drain_timeout=200)
    halves = [
        b"\x01", request()[:4], request()[:8], request()[:16], request()[:-8], request()[:-1], head(parameters()),
        head(parameters("POST", "/api/activities", b"x" * 100)) + record(5, b"x" * 50),
    ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(service.peer()) for _ in range(5) for _ in halves]
        for number, peer in enumerate(peers):
            peer.send(halves[number % len(halves)])
        with Load(service) as load:
            load.wait_for_more(100)
    assert load.failures == []
    assert load.slowest < 1


def test_idle_connections_hold_up_nobody(start):
    service = start(workers=2)
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(service.peer())
        with Load(service) as load:
            load.wait_for_more(100)
    assert load.failures == []


def test_a_slow_client_holds_up_nobody(start):
    """One that sends its body slowly keeps nginx busy, not a worker."""
    service = start(workers=1)
    body = b'{"message":"slowly","ttl":"1-day","user_handle":"londo"}'
    text = request_bytes("POST", "/api/activities", body)
    with service.connect() as slow:
        slow.send(text[: -len(body)])
        for byte in body:
            slow.send(bytes([byte]))
            assert service.get("/livez").status == 200
        assert slow.read_reply().status == 200


def test_clients_that_vanish_hold_up_nobody(start):
    service = start(workers=2)
    service.database.add_activities(200, message="repeat('x', 280)")
    before = service.wait_for_workers()
    for _ in range(50):
        with service.connect() as connection:
            connection.send(request_bytes("GET", "/api/activities/home?limit=200"))
    for _ in range(50):
        with service.peer() as peer:
            peer.send(request("GET", "/api/activities/home?limit=200"))
    assert service.get("/readyz").status == 200
    assert service.daemon.workers() == before


def test_a_burst_beyond_the_backlog_is_answered_in_form(start):
    """With a queue that is far too short nginx may find it full: then it is a 503 of ours, at once."""
    service = start(workers=1, backlog=1)
    (worker,) = service.wait_for_workers(1)
    with frozen(worker):  # or it might be so quick that nobody is refused
        askings = [Asking(service.home) for _ in range(30)]
        eventually(lambda: sum(not asking.is_alive() for asking in askings) >= 20, 2, "refusals")
    replies = [asking.reply() for asking in askings]
    assert {reply.status for reply in replies} == {200, 503}
    assert all(reply.headers["Retry-After"] == "1" for reply in replies if reply.status == 503)
    assert service.get("/livez").status == 200


class Trickle(threading.Thread):
    """Sends one byte after another, beginning anew at the end, until the block ends."""

    PAUSE = 0.02

    def __init__(self, connect, data):
        super().__init__()
        self.connect, self.data = connect, data
        self.is_over = threading.Event()

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self.is_over.set()
        self.join()

    def run(self):
        while not self.is_over.is_set():
            with self.connect() as connection, contextlib.suppress(OSError):
                for byte in self.data:
                    connection.send(bytes([byte]))
                    if self.is_over.wait(self.PAUSE):
                        break


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


def test_what_slow_ones_cost_the_others(start, report):
    service = start(workers=2)
    service.database.add_activities(200, message="repeat('\U0001f4a9', 280)")
    p99 = {}
    for kind in ("none", "slow ones"):
        with contextlib.ExitStack() as stack:
            if kind != "none":
                slow_ones(service, stack)
            probes = [
                stack.enter_context(Probe(service, target)) for target in ("/livez", "/api/users/@bayko/short", "/api/activities/home?limit=1")
            ]
            probes[0].is_over.wait(4)
        assert all(probe.statuses() == {200} for probe in probes)
        assert all(probe.slowest() < 1 for probe in probes)
        p99[kind] = max(probe.slowest(0.99) for probe in probes)
    report(", ".join(f"p99 beside {kind} {seconds * 1000:.1f} ms" for kind, seconds in p99.items()))
