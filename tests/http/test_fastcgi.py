"""What FastCGI 1.0 requires of an application besides answers to requests: sections 3.3, 4.1, 4.2, 5.4 and 5.5."""

import os
import pathlib
import struct

import pytest

from fcgi import (
    ABORT_REQUEST, AUTHORIZER, BEGIN_REQUEST, DATA, END_REQUEST, GET_VALUES, PARAMS, STDIN, STDOUT,
    begin, cgi_reply, head, pair, parameters, record, request, stream,
)  # fmt: skip
from places import CRUDDURD
from service import Pool, Service

GET_VALUES_RESULT, UNKNOWN_TYPE = 10, 11
COMPLETE, CANT_MULTIPLEX, OVERLOADED, UNKNOWN_ROLE = range(4)
BODY = b'{"message":"hello","ttl":"1-day","user_handle":"londo"}'
ALL_NAMES = ("FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS")


@pytest.fixture(scope="module")
def service(cluster):
    with Service(cluster, workers=1) as service:
        yield service


@pytest.fixture(autouse=True)
def no_worker_ends(service):
    before = service.wait_for_workers(1)
    yield
    assert service.daemon.workers() == before


@pytest.fixture
def peer(service):
    with service.peer() as peer:
        yield peer


def read_record(peer):
    """Reads the next record: its type, its request id and its content."""
    _, kind, number, length, padding = struct.unpack("!BBHHBx", peer.read(8))
    content = peer.read(length)
    peer.read(padding)
    return kind, number, content


def read_request(peer, number=1):
    """Reads all records of one answer. Returns the answer, and how the request ended."""
    output = b""
    while True:
        kind, of, content = read_record(peer)
        assert of == number
        if kind == END_REQUEST:
            return output and cgi_reply(output), content[4]
        assert kind == STDOUT
        output += content


def values_of(content):
    """The names and values of a GET_VALUES_RESULT, whose lengths have one byte each."""
    values, at = {}, 0
    while at < len(content):
        name, value = content[at], content[at + 1]
        assert content[at + 2 : at + 2 + name] not in values
        values[content[at + 2 : at + 2 + name].decode()] = content[at + 2 + name : at + 2 + name + value].decode()
        at += 2 + name + value
    return values


def get_values(*names):
    return record(GET_VALUES, b"".join(pair(name, "") for name in names), request=0)


def ask_for_values(peer, *names):
    peer.send(get_values(*names))
    kind, number, content = read_record(peer)
    assert (kind, number) == (GET_VALUES_RESULT, 0)
    return values_of(content)


def check_is_usable(peer):
    assert peer.ask().status == 200


def test_values(peer):
    values = ask_for_values(peer, *ALL_NAMES)
    assert values.keys() == set(ALL_NAMES)
    assert values["FCGI_MPXS_CONNS"] == "0"
    assert int(values["FCGI_MAX_CONNS"]) > 100
    assert int(values["FCGI_MAX_REQS"]) > 100
    check_is_usable(peer)


@pytest.mark.parametrize(
    "names, known",
    [
        ((), ()),
        (("FCGI_MPXS_CONNS",), ("FCGI_MPXS_CONNS",)),
        (("NOTHING", "FCGI_MAX_REQS", ""), ("FCGI_MAX_REQS",)),
        (("FCGI_MPXS_CONNS",) * 5, ("FCGI_MPXS_CONNS",)),
        (ALL_NAMES * 1000, ALL_NAMES),
        (("X" * 60000,), ()),
    ],
)
def test_values_that_are_known_are_given_once(peer, names, known):
    assert ask_for_values(peer, *names).keys() == set(known)
    check_is_usable(peer)


@pytest.mark.parametrize("content", [b"\x7f\x00abc", b"\xff\xff\xff\xff\x00x", b"\x80\x00", b"\x0f"])
def test_a_torn_question_for_values_gets_none(peer, content):
    peer.send(record(GET_VALUES, content, request=0))
    assert read_record(peer) == (GET_VALUES_RESULT, 0, b"")
    check_is_usable(peer)


def test_values_in_the_middle_of_a_request(peer):
    """Management records may come at any time (section 2.2)."""
    whole = begin(), stream(PARAMS, parameters("POST", "/api/activities", BODY)), stream(STDIN, BODY)
    for part in whole:
        assert ask_for_values(peer, "FCGI_MPXS_CONNS") == {"FCGI_MPXS_CONNS": "0"}
        peer.send(part)
    reply, how = read_request(peer)
    assert (reply.status, how) == (200, COMPLETE)


@pytest.mark.parametrize("kind", [0, BEGIN_REQUEST, PARAMS, STDIN, 12, 77, 255])
def test_a_management_record_of_an_unknown_type(peer, kind):
    peer.send(record(kind, b"whatever", request=0, padding=3))
    answer_kind, number, content = read_record(peer)
    assert (answer_kind, number, content) == (UNKNOWN_TYPE, 0, bytes([kind]) + bytes(7))
    check_is_usable(peer)


def test_an_unknown_type_within_a_request(peer):
    peer.send(begin() + record(77, b"x") + stream(PARAMS, parameters()) + stream(STDIN, b""))
    assert read_record(peer) == (UNKNOWN_TYPE, 0, bytes([77]) + bytes(7))
    reply, how = read_request(peer)
    assert (reply.status, how) == (200, COMPLETE)


@pytest.mark.parametrize("role", [0, AUTHORIZER, 3, 4, 256, 257, 65535])
def test_another_role(peer, role):
    """The request is refused, its further records are ignored, and the connection can be used for the next request."""
    peer.send(begin(role=role) + stream(PARAMS, parameters()) + stream(STDIN, BODY) + stream(DATA, b"x"))
    assert read_request(peer) == (b"", UNKNOWN_ROLE)
    check_is_usable(peer)


def test_another_role_on_a_connection_that_is_not_to_be_kept(peer):
    peer.send(begin(role=AUTHORIZER, flags=0) + stream(PARAMS, parameters()) + stream(STDIN, BODY))
    assert read_request(peer) == (b"", UNKNOWN_ROLE)
    assert peer.socket.recv(1) == b""  # the connection is closed, not reset


def test_a_second_request_within_the_first(peer):
    """The second request is refused, its further records are ignored, and the first request is answered."""
    pairs = parameters("POST", "/api/activities", BODY)
    peer.send(begin(request=7) + record(PARAMS, pairs[:10], request=7))
    peer.send(begin(request=8) + record(PARAMS, parameters(), request=8) + record(PARAMS, request=8))
    assert read_request(peer, 8) == (b"", CANT_MULTIPLEX)
    peer.send(record(PARAMS, pairs[10:], request=7) + record(PARAMS, request=7) + record(STDIN, request=8))
    peer.send(record(STDIN, BODY, request=7) + record(STDIN, request=7))
    reply, how = read_request(peer, 7)
    assert (reply.status, how) == (200, COMPLETE)
    check_is_usable(peer)


def test_a_second_request_while_the_first_is_served(service, peer):
    message = b"only once"
    with service.database.locked("users"):
        peer.send(request("POST", "/api/activities", BODY.replace(b"hello", message)))
        service.database.wait_for_waiting()
        peer.send(begin(request=2) + stream(PARAMS, parameters()).replace(b"\1\4\0\1", b"\1\4\0\2"))
        assert read_request(peer, 2) == (b"", CANT_MULTIPLEX)
    reply, how = read_request(peer)
    assert (reply.status, how) == (200, COMPLETE)
    assert service.database.messages()[message.decode()] == 1


def test_the_next_request_on_the_heels_of_the_first(peer):
    """The next request has the same id, so it can only be meant to follow the first."""
    peer.send(request("POST", "/api/activities", BODY) + request() * 20 + request(uri="/api/nothing"))
    assert [read_request(peer)[0].status for _ in range(22)] == [200] * 21 + [404]
    check_is_usable(peer)


def test_the_next_request_while_the_first_waits_for_the_database(service, peer):
    """Its bytes come while the worker does not read them, and no later event reports them."""
    with service.database.locked("users"):
        peer.send(request("POST", "/api/activities", BODY))
        service.database.wait_for_waiting()
        peer.send(request(uri="/api/nothing"))
        with service.peer() as other:
            check_is_usable(other)  # so the only worker has gone through its loop since the bytes came
    assert [read_request(peer)[0].status for _ in range(2)] == [200, 404]


def test_a_peer_that_ends_its_half_while_its_request_waits(service, peer):
    """The peer gets its answer, and then the connection is closed, though no later event reports that the peer has closed its half."""
    with service.database.locked("users"):
        peer.send(request("POST", "/api/activities", BODY))
        service.database.wait_for_waiting()
        peer.socket.shutdown(1)
        with service.peer() as other:
            check_is_usable(other)
    assert read_request(peer)[0].status == 200
    assert peer.socket.recv(1) == b""


@pytest.mark.parametrize("parts", [1, 2])
def test_an_abort(peer, parts):
    """The abort comes within the parameters or within the body."""
    pieces = begin(), stream(PARAMS, parameters("POST", "/api/activities", BODY)), record(STDIN, BODY)
    for piece in pieces[: parts + 1]:
        peer.send(piece)
    peer.send(record(ABORT_REQUEST))
    assert read_request(peer) == (b"", COMPLETE)
    peer.send(record(STDIN))
    check_is_usable(peer)


def test_an_abort_on_a_connection_that_is_not_to_be_kept(peer):
    peer.send(begin(flags=0) + record(ABORT_REQUEST))
    assert read_request(peer) == (b"", COMPLETE)
    assert peer.socket.recv(1) == b""


def test_an_abort_of_what_is_served(service, peer):
    """A statement that runs is not cancelled, and the aborted request is answered."""
    with service.database.locked("users"):
        peer.send(request("POST", "/api/activities", BODY))
        service.database.wait_for_waiting()
        peer.send(record(ABORT_REQUEST))
        with service.peer() as other:
            check_is_usable(other)
    assert read_request(peer)[1] == COMPLETE
    check_is_usable(peer)


@pytest.mark.parametrize("kind", [ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, DATA])
def test_records_of_no_request_are_ignored(peer, kind):
    """Section 3.3: records of an inactive request id are ignored."""
    peer.send(record(kind, b"whatever", request=3))
    check_is_usable(peer)
    peer.send(record(kind, b"whatever", request=1))
    check_is_usable(peer)


def test_a_refusal_is_not_cut_off(peer):
    """The peer sends the whole body, which is too large, and reads its answer only then."""
    whole = head(parameters("POST", "/api/activities", CONTENT_LENGTH="1000000", CONTENT_TYPE="application/json"))
    peer.send(whole + record(STDIN, bytes(60000)) * 10 + record(STDIN))
    reply, how = read_request(peer)
    assert (reply.status, how) == (413, COMPLETE)
    assert peer.socket.recv(1) == b""


def test_what_is_no_request_ends_without_a_reset(peer):
    peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
    assert peer.socket.recv(1) == b""


@pytest.mark.parametrize("size", [1, 3])
def test_many_small_pieces(peer, size):
    """A request may come in any number of writes. Each write takes a kernel buffer of its own, and a socket holds only a few hundred."""
    body = b'{"message":"%s","ttl":"1-day","user_handle":"londo"}' % (b"x" * 200)
    whole = request("POST", "/api/activities", body, HTTP_X_FILLER="y" * 1500)
    assert len(whole) / size > 300
    for at in range(0, len(whole), size):
        peer.send(whole[at : at + size])
    reply, how = read_request(peer)
    assert (reply.status, how, reply.json["message"]) == (200, COMPLETE, "x" * 200)
    check_is_usable(peer)


def test_half_a_request_goes_along_to_another_worker(start_pool, database):
    """A worker that is replaced passes on the connection together with the bytes that it has read."""
    pool = start_pool(database, workers=1)
    with pool.peer() as peer, pool.peer() as other:
        whole = request("POST", "/api/activities", BODY)
        for at in range(0, len(whole) - 40, 7):
            peer.send(whole[at : min(at + 7, len(whole) - 40)])
        check_is_usable(other)
        pool.daemon.reload()
        peer.send(whole[-40:])
        reply, how = read_request(peer)
        assert (reply.status, how) == (200, COMPLETE)
        check_is_usable(peer)


# --- memory ---

HUGE = {
    "a name of 2 GB": b"\xff\xff\xff\xff\x00x",
    "a value of 2 GB": b"\x01\xff\xff\xff\xffxy",
    "a name of 1 GB, cut": b"\xc0\x00\x00\x00",
    "behind a good one": pair("REQUEST_METHOD", "GET") + b"\x01\xf0\x00\x00\x00x",
    "a name of 100 kB": b"\x80\x01\x86\xa0\x00x",
}


@pytest.fixture(scope="module")
def limited(cluster):
    """A pool with at most 1 GB of memory, so that no allocation of 2 GB succeeds. AddressSanitizer reserves more than the kernel's
    limit would allow, so with it the allocator has the limit."""
    is_sanitized = b"__asan_init" in pathlib.Path(CRUDDURD).read_bytes()
    options = os.environ.get("ASAN_OPTIONS", "")
    environment = {"ASAN_OPTIONS": f"{options}:max_allocation_size_mb=512:allocator_may_return_null=1"}
    with Pool(
        workers=1,
        environment=environment if is_sanitized else None,
        launcher=None if is_sanitized else lambda _: ["prlimit", f"--as={1 << 30}", CRUDDURD],
    ) as pool:
        yield pool


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("case", HUGE)
def test_lengths_that_there_is_no_memory_for(limited, case, split):
    """They are refused before memory is allocated, so 46 bytes cannot end a worker."""
    before = limited.wait_for_workers(1)
    content = HUGE[case]
    parts = [content[:1], content[1:]] if split else [content]
    with limited.peer() as peer:
        peer.send(begin() + b"".join(record(PARAMS, part) for part in [*parts, b""]) + stream(STDIN, b""))
        assert peer.is_closed()
    with limited.peer() as peer:
        check_is_usable(peer)
    assert limited.daemon.workers() == before


HIDDEN = {
    "zeros": bytes(8), "no record": b"\xff" * 255, "a question": get_values(*ALL_NAMES), "an unknown type": record(200, request=0),
    "parameters": record(PARAMS, pair("REQUEST_METHOD", "DELETE")), "a body": record(STDIN, b"smuggled"),
}  # fmt: skip


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("ends", [(PARAMS,), (STDIN,), (PARAMS, STDIN)])
@pytest.mark.parametrize("is_whole", [True, False])
def test_padding_behind_the_end_of_a_stream(service, peer, hidden, ends, is_whole):
    """It is not read as records, whatever is in it. libfcgi alone would do that, and would even answer management records in it."""
    whole = head(parameters("POST", "/api/activities", BODY)) + stream(STDIN, BODY)
    for kind in ends:
        padded = struct.pack("!BBHHBx", 1, kind, 1, 0, len(HIDDEN[hidden])) + HIDDEN[hidden]
        whole = whole.replace(record(kind), padded, 1)
    for part in [whole] if is_whole else [whole[:40], whole[40:]]:
        peer.send(part)
    answer, how = read_request(peer)
    assert (answer.status, answer.json["message"], how) == (200, "hello", COMPLETE)
    peer.send(request())
    answer, how = read_request(peer)
    assert (answer.status, how) == (200, COMPLETE)
