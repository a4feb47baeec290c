"""X-Request-Id and traceparent: taken over when well-formed, and the same in header, body and log."""

import re
import socket
import time

import pytest

from client import PROBLEM
from test_pipeline import start_all

OWN = re.compile(r"\d+\.\d{3}-\d+-\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # nginx's, cruddurd's
GOOD = ["a", "A.b_c-9", "x" * 64, "..", "0"]
BAD = ["", "x" * 65, "a b", "a;b", "a/b", "é", "a,b", '"', "a\tb", "<x>", "%41"]
TARGETS = ["/livez", "/api/activities/home", "/api/nothing", "/nothing"]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("request_id", GOOD)
def test_a_good_one_is_taken_over(service, target, request_id):
    assert service.get(target, X_Request_Id=request_id).headers["X-Request-Id"] == request_id


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("request_id", BAD)
def test_a_bad_one_is_replaced(service, target, request_id):
    assert OWN.fullmatch(service.get(target, X_Request_Id=request_id).headers["X-Request-Id"])


@pytest.mark.parametrize("request_id", [*BAD, "a\r\nX-Injected: yes", None])
def test_a_bad_one_is_replaced_without_nginx_too(service, request_id):
    with service.peer() as peer:
        reply = peer.ask("GET", "/livez", HTTP_X_REQUEST_ID=request_id)
    assert OWN.fullmatch(reply.headers["X-Request-Id"])
    assert "X-Injected" not in reply.headers


def test_none_is_made_twice(service):
    ids = [service.get(target).headers["X-Request-Id"] for target in TARGETS for _ in range(10)]
    assert len(set(ids)) == len(ids)


def test_in_header_body_and_log(service):
    reply = service.get("/api/nothing", X_Request_Id="here-and-there", Accept=PROBLEM)
    assert reply.headers["X-Request-Id"] == reply.json["request_id"] == "here-and-there"
    assert service.line_of(reply)["status"] == 404


def test_one_that_nginx_makes_is_logged(service):
    assert service.line_of(service.home())["route"] == "/api/activities/home"


def test_an_error_page_has_the_id_that_the_worker_was_told(start):
    """nginx makes a second request for the error page, at a later time, and the id stays."""
    service = start()
    service.daemon.stop()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(service.socket))
        service.socket.chmod(0o777)
        listener.listen()
        replies = start_all(1, lambda _: service.home())
        worker, _ = listener.accept()
        with worker:
            told = worker.recv(65536)
            time.sleep(0.05)
    (reply,) = replies()
    assert reply.status == 503
    assert OWN.fullmatch(reply.headers["X-Request-Id"])
    assert reply.headers["X-Request-Id"].encode() in told


def test_a_good_traceparent_is_logged(service):
    assert service.line_of(service.get("/livez", traceparent=TRACE))["traceparent"] == TRACE


@pytest.mark.parametrize(
    "traceparent",
    ["", "x", TRACE.upper(), TRACE[:-1], TRACE + "0", TRACE.replace("4bf9", "xyz!"), "ff" + TRACE[2:]]
    + ["00-" + "0" * 32 + TRACE[35:]],
)
def test_a_bad_traceparent_is_not(service, traceparent):
    assert "traceparent" not in service.line_of(service.get("/livez", traceparent=traceparent))
