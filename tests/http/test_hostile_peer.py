"""FastCGI that nginx never sends: only that connection ends, no worker does, and the other connections are served."""

import contextlib
import random
import select

import pytest

from fcgi import (
    BEGIN_REQUEST, DATA, PARAMS, STDIN,
    begin, head, pair, parameters, record, request, stream,
)  # fmt: skip
from service import Pool, Service
from waiting import PATIENCE, Stopwatch

BODY = b'{"message":"hello","ttl":"1-day","user_handle":"londo"}'
REQUEST_SECONDS = 60  # for a request to arrive; the pool `hasty` has a shorter limit
AT_ONCE = REQUEST_SECONDS - 10  # what happens earlier is not caused by that limit


@pytest.fixture(scope="module")
def service(cluster):
    with Service(cluster, workers=2, request_timeout=REQUEST_SECONDS * 1000) as service:
        yield service


@pytest.fixture(autouse=True)
def no_worker_ends(service):
    before = service.wait_for_workers()
    yield
    assert service.get("/readyz").status == 200
    assert service.daemon.workers() == before
    assert "was killed by signal" not in service.log.text


@pytest.fixture
def peer(service):
    with service.peer(timeout=AT_ONCE) as peer:
        yield peer


NO_REQUESTS = {
    "HTTP": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "zeros": bytes(4096),
    "noise": bytes(random.Random(1).randrange(256) for _ in range(4096)),
    "another version": record(BEGIN_REQUEST, bytes([0, 1, 1, 0, 0, 0, 0, 0]), version=2),
    "two begins": begin() + begin() + stream(PARAMS, parameters()) + stream(STDIN, b""),
    "a begin that is too short": record(BEGIN_REQUEST, b"\0\1"),
    "a begin that is too long": record(BEGIN_REQUEST, bytes([0, 1]) + bytes(14)),
    "an empty begin": record(BEGIN_REQUEST),
    "parameters behind the body": head(parameters()) + record(STDIN, b"x") + record(PARAMS, b"x"),
    "a body before the parameters": begin() + record(STDIN, b"x") + stream(PARAMS, parameters()),
    "data": head(parameters()) + record(DATA, b"x"),
}


@pytest.mark.parametrize("case", NO_REQUESTS)
def test_what_is_no_request(peer, case):
    peer.send(NO_REQUESTS[case])
    assert peer.is_closed()


TORN_PARAMETERS = {
    "a name longer than all": b"\x7f\x00abc",
    "a value longer than all": b"\x01\x7fab",
    "a name of 2 GB": b"\xff\xff\xff\xff\x00x",
    "a value of 2 GB": b"\x01\xff\xff\xff\xffxy",
    "half a length": b"\x80\x00",
    "one byte": b"\x01",
    "behind good ones": parameters() + b"\x0b\x7fX",
    "no names": b"\0\0" * 1000,
    "many": b"".join(pair(f"N{number}", "v") for number in range(3000)),
    "one long": pair("X", "y" * 50000),
}


@pytest.mark.parametrize("case", TORN_PARAMETERS)
def test_torn_parameters(peer, case):
    """The answer is an error, or the connection is closed."""
    peer.send(head(TORN_PARAMETERS[case]) + stream(STDIN, b""))
    with contextlib.suppress(ConnectionError):
        assert peer.read_reply().status in (400, 404, 501)


def test_parameters_cut_at_a_nul(peer):
    assert peer.ask("GET", "/livez\0/api/nothing").status == 200


def test_of_equal_parameters_the_first_counts(peer):
    peer.send(head(pair("REQUEST_URI", "/livez") + parameters(uri="/api/nothing")) + stream(STDIN, b""))
    assert peer.read_reply().status == 200


def test_no_parameters_at_all(peer):
    peer.send(head(b"") + stream(STDIN, b""))
    reply = peer.read_reply()
    assert reply.status in (400, 501)
    assert reply.json


def in_pieces(kind, content):
    """A stream in records of three bytes, with padding."""
    pieces = [record(kind, content[at : at + 3], padding=at % 7) for at in range(0, len(content), 3)]
    return b"".join(pieces) + record(kind)


def test_everything_in_small_records_with_padding(peer):
    peer.send(begin() + in_pieces(PARAMS, parameters("POST", "/api/activities", BODY)) + in_pieces(STDIN, BODY))
    assert peer.read_reply().status == 200


@pytest.mark.parametrize("kind", [PARAMS, STDIN])
def test_padding_that_speaks(peer, kind):
    """The padding of the record that ends a stream is not read as a record, and no worker waits for content that it announces."""
    said = record(STDIN, bytes(200))[:8]
    last = record(kind)[:6] + bytes([len(said), 0]) + said
    pairs = parameters("POST", "/api/activities", BODY)
    streams = {PARAMS: stream(PARAMS, pairs), STDIN: stream(STDIN, BODY)}
    streams[kind] = streams[kind][:-8] + last
    peer.send(begin() + streams[PARAMS] + streams[STDIN])
    with contextlib.suppress(ConnectionError):
        assert peer.read_reply().status in (200, 400)


@pytest.mark.parametrize("cut", [1, 60, None])
def test_padding_that_speaks_behind_a_begin(peer, cut):
    """The same for the record that begins a request, which may arrive in two pieces: the request behind the padding is answered."""
    padding = stream(PARAMS, parameters(uri="/api/nothing"))[:255]
    first = begin()[:6] + bytes([len(padding), 0]) + begin()[8:] + padding
    whole = first + stream(PARAMS, parameters()) + stream(STDIN, b"")
    peer.send(whole[:cut])
    if cut:
        peer.send(whole[cut:])
    assert peer.read_reply().status == 200
    assert peer.ask(uri="/api/nothing").status == 404


def test_a_connection_that_is_not_to_be_kept(peer):
    peer.send(begin(flags=0) + stream(PARAMS, parameters()) + stream(STDIN, b""))
    assert peer.read_reply().status == 200
    assert peer.is_closed()


def test_many_requests_on_one_connection(peer):
    for number in range(50):
        kind = number % 3
        uri = ("/livez", "/api/activities/home", "/api/nothing")[kind]
        assert peer.ask("GET", uri).status == (200, 200, 404)[kind]


def test_two_requests_at_once(peer):
    """nginx never sends that. The requests are answered one after the other."""
    peer.send(request() * 2)
    assert [peer.read_reply().status for _ in range(2)] == [200, 200]


def test_a_body_of_more_than_a_request_may_have(peer):
    """It is refused before it has arrived completely."""
    peer.send(head(parameters("POST", "/api/activities", CONTENT_LENGTH="1000000", CONTENT_TYPE="application/json")))
    peer.send(record(STDIN, b"x" * 60000))
    assert peer.read_reply().status == 413
    assert peer.is_closed()


def test_endless_parameters(peer):
    """They are longer than a request may be, so the connection is closed."""
    with pytest.raises(ConnectionError):
        peer.send(begin())
        for _ in range(1000):
            peer.send(record(PARAMS, pair("X", "y" * 30000)))


def test_an_oversized_body_hides_no_request(service):
    """The unread rest of a body must never be taken for the next request. libfcgi reads in blocks of 8192 bytes, so a request
    inside the body at the start of a block is the dangerous case."""
    block = 8192
    hidden = request("POST", "/api/activities", BODY.replace(b"hello", b"smuggled"))
    for size in (3 * block, 5 * block):
        start = head(parameters("POST", "/api/activities", CONTENT_LENGTH=str(size), CONTENT_TYPE="application/json"))
        first = record(STDIN, bytes(size))
        wire = bytearray(start + first + record(STDIN))
        for at in range(block, len(wire) - len(hidden), block):
            wire[at : at + len(hidden)] = hidden
        with service.peer(timeout=AT_ONCE) as peer:
            peer.send(wire)
            assert peer.read_reply().status == 413
            assert peer.is_closed()
    assert "smuggled" not in service.database.messages()


def test_half_closed_connections(service):
    for _ in range(20):
        with service.peer() as peer:
            peer.send(request("GET", "/api/activities/home"))
            peer.socket.shutdown(1)
            assert peer.read_reply().status == 200


def test_noise(service):
    """Requests with bytes changed, cut and doubled at random."""
    random_ = random.Random(20)
    good = request("POST", "/api/activities", BODY)
    for _ in range(300):
        data = bytearray(good)
        for _ in range(random_.randrange(1, 6)):
            at = random_.randrange(len(data))
            action = random_.randrange(3)
            if action == 0:
                data[at] = random_.randrange(256)
            elif action == 1:
                del data[at : at + random_.randrange(1, 9)]
            else:
                data[at:at] = data[at : at + random_.randrange(1, 9)]
        with service.peer() as peer, contextlib.suppress(OSError):
            peer.send(bytes(data))
            peer.socket.shutdown(1)


# --- incomplete requests ---

LIMIT = 400  # ms, for a request to arrive


@pytest.fixture(scope="module")
def hasty():
    with Pool(workers=2, request_timeout=LIMIT) as pool:
        yield pool


@contextlib.contextmanager
def peers_that_sent(pool, beginnings):
    """A peer for each beginning of a request, as soon as one of them gets an answer or an EOF. Checks that this is not before LIMIT."""
    with contextlib.ExitStack() as stack, Stopwatch() as watch:
        peers = [stack.enter_context(pool.peer()) for _ in beginnings]
        for peer, beginning in zip(peers, beginnings):
            peer.send(beginning)
        select.select([peer.socket for peer in peers], [], [], PATIENCE)
        assert watch.elapsed() * 1000 > LIMIT - 1  # the pool counts whole milliseconds
        yield peers


def test_a_request_that_never_ends_is_told_so(hasty):
    """It gets 408 if all its parameters have arrived."""
    whole = head(parameters("POST", "/api/activities", BODY)) + record(STDIN, BODY)
    with peers_that_sent(hasty, [whole[: len(whole) - cut] for cut in (0, 1, 8, 16, 20)]) as peers:
        for peer in peers:
            reply = peer.read_reply()
            assert (reply.status, reply.json) == (408, ["request_timeout"])
            assert peer.is_closed()


def test_a_request_whose_parameters_never_come_is_hung_up_on(hasty):
    with peers_that_sent(hasty, [request()[:length] for length in (1, 7, 8, 16, 40)]) as peers:
        assert all(peer.is_closed() for peer in peers)


def test_a_trickle_is_bounded_too(hasty):
    """The time counts from the first byte, however many follow."""
    with hasty.peer() as peer, pytest.raises(ConnectionError):
        peer.socket.settimeout(0.05)
        for byte in request() + request():
            peer.send(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                if peer.socket.recv(1) == b"":
                    raise ConnectionError


def test_an_idle_connection_stays(hasty):
    with hasty.peer() as peer, hasty.peer() as other:
        assert peer.ask().status == 200
        other.send(request()[:8])
        assert other.is_closed()
        assert peer.ask().status == 200
