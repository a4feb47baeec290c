"""nginx's own errors have the service's form, headers and request id."""

import pytest

from client import JSON, PROBLEM
from cluster import frozen
from service import Service
from waiting import Stopwatch, eventually

TIMEOUT, ROUNDING = 1, 0.1  # s; nginx looks at its clock before it waits
HOST = "Host: localhost\r\n"

CASES = {
    "no HTTP at all": ("GARBAGE\r\n\r\n", 400, "malformed_request"),
    "no host": ("GET /livez HTTP/1.1\r\n\r\n", 400, "malformed_request"),
    "two hosts": (f"GET /livez HTTP/1.1\r\n{HOST}{HOST}\r\n", 400, "malformed_request"),
    "lower-case method": (f"get /livez HTTP/1.1\r\n{HOST}\r\n", 400, "malformed_request"),
    "bad length": (f"POST /api/activities HTTP/1.1\r\n{HOST}Content-Length: x\r\n\r\n", 400, "malformed_request"),
    "outside the API": (f"GET /nothing HTTP/1.1\r\n{HOST}\r\n", 404, "not_found"),
    "root": (f"GET / HTTP/1.1\r\n{HOST}\r\n", 404, "not_found"),
    "trace": (f"TRACE /livez HTTP/1.1\r\n{HOST}\r\n", 405, "method_not_allowed"),
    "body too large": (f"POST /api/activities HTTP/1.1\r\n{HOST}Content-Length: 16385\r\n\r\n", 413, "body_too_large"),
    "line too long": (f"GET /{'x' * 9000} HTTP/1.1\r\n{HOST}\r\n", 414, "uri_too_long"),
    "header too large": (f"GET /livez HTTP/1.1\r\n{HOST}Cookie: {'x' * 9000}\r\n\r\n", 431, "headers_too_large"),
    "headers too large": (
        f"GET /livez HTTP/1.1\r\n{HOST}" + "".join(f"X-{n}: {'x' * 4000}\r\n" for n in range(20)) + "\r\n",
        431,
        "headers_too_large",
    ),
    "unknown coding": (f"POST /api/x HTTP/1.1\r\n{HOST}Transfer-Encoding: gzip\r\n\r\n", 501, "not_implemented"),
    "future version": (f"GET /livez HTTP/2.9\r\n{HOST}\r\n", 505, "http_version_unsupported"),
}
ASKS_FOR_A_PROBLEM = f"Accept: {PROBLEM}\r\nX-Request-Id: problematic\r\n"


def check_headers(reply):
    assert reply.headers["X-Request-Id"]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Server"] == "nginx"
    assert all(len(reply.headers.get_all(name)) == 1 for name in reply.headers)


@pytest.mark.parametrize("case", CASES)
def test_an_array_of_codes(service, case):
    text, status, code = CASES[case]
    reply = service.send_raw(text.encode())
    assert (reply.status, reply.json) == (status, [code])
    assert reply.headers["Content-Type"] == JSON
    check_headers(reply)


# If nginx refuses the request line, it looks at no header.
HEADERS_ARE_READ = CASES.keys() - {"no HTTP at all", "no host", "lower-case method", "line too long", "future version"}


@pytest.mark.parametrize("case", sorted(HEADERS_ARE_READ))
def test_a_problem_document(service, case):
    text, status, code = CASES[case]
    reply = service.send_raw(text.replace(HOST, HOST + ASKS_FOR_A_PROBLEM).encode())
    assert reply.headers["Content-Type"] == PROBLEM
    assert (reply.json["status"], reply.json["codes"], reply.json["type"]) == (status, [code], "about:blank")
    assert reply.json["request_id"] == reply.headers["X-Request-Id"]
    check_headers(reply)


def test_a_method_that_nginx_refuses_names_those_allowed(service):
    assert service.ask("TRACE", "/livez").headers["Allow"] == "GET, HEAD, POST, PUT, DELETE, OPTIONS"


@pytest.fixture(scope="module")
def hasty(cluster):
    """A service whose nginx has time-outs of one second only."""
    with Service(cluster, workers=1, front_timeout=TIMEOUT) as service:
        yield service


def test_a_pool_that_does_not_answer(hasty):
    """Every worker is stopped: the only 504 of nginx, which it answers with 503."""
    (worker,) = hasty.wait_for_workers(1)
    with frozen(hasty.daemon.pid), frozen(worker), Stopwatch() as watch:
        reply = hasty.create("never answered")
    assert (reply.status, reply.json, reply.headers["Retry-After"]) == (503, ["service_unavailable"], "1")
    assert watch.seconds > TIMEOUT - ROUNDING
    eventually(lambda: hasty.get("/livez").status == 200, what="the pool's return")


def test_a_client_that_trickles_its_header_is_cut_off(hasty):
    with Stopwatch() as watch, hasty.connect() as connection:
        connection.send(b"GET /livez HTTP/1.1\r\nHost: ")
        assert connection.socket.recv(4096) == b""
    assert watch.seconds > TIMEOUT - ROUNDING


def test_a_pool_that_is_away(hasty):
    hasty.daemon.stop()
    for accept, form in ((None, JSON), (PROBLEM, PROBLEM)):
        reply = hasty.get("/api/activities/home", Accept=accept, X_Request_Id="orphan")
        assert (reply.status, reply.codes) == (503, ["service_unavailable"])
        assert reply.headers["Retry-After"] == "1"
        assert reply.headers["Content-Type"] == form
        assert reply.headers["X-Request-Id"] == "orphan"
        check_headers(reply)
