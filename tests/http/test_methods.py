"""HEAD, OPTIONS, and methods that a path or the whole service does not have."""


import pytest

from waiting import eventually

READS = "GET, HEAD, OPTIONS"
UNKNOWN = "5e1f0c3a-9d2b-4f6e-8a7c-1b0d9e8f7a6b"  # fixed, so that the cases have the same names in every process
PATHS = {
    "/api/health-check": READS,
    "/livez": READS,
    "/readyz": READS,
    "/api/activities/home": READS,
    "/api/activities/home/events": READS,
    "/api/activities/following": READS,
    "/api/activities/notifications": READS,
    "/api/activities/notifications/unread": READS,
    "/api/activities/notifications/read": "PUT, OPTIONS",
    "/api/activities/search?term=x": READS,
    "/api/trends": READS,
    "/api/users/suggested": READS,
    "/api/metrics/growth": READS,
    "/api/activities": "POST, OPTIONS",
    f"/api/activities/{UNKNOWN}": "GET, HEAD, DELETE, OPTIONS",
    f"/api/activities/{UNKNOWN}/reply": "POST, OPTIONS",
    f"/api/activities/{UNKNOWN}/like": "PUT, DELETE, OPTIONS",
    f"/api/activities/{UNKNOWN}/repost": "PUT, DELETE, OPTIONS",
    f"/api/activities/{UNKNOWN}/keep": "PUT, OPTIONS",
    "/api/activities/@londo": READS,
    f"/api/activities/@londo/status/{UNKNOWN}": READS,
    "/api/profile/update": "POST, PUT, OPTIONS",
    "/api/message_groups": READS,
    "/api/messages": "POST, OPTIONS",
    "/api/messages/@londo": READS,
    "/api/users/@londo/short": READS,
    "/api/users/@londo/follow": "PUT, DELETE, OPTIONS",
}
READABLE = [path for path, allowed in PATHS.items() if allowed == READS]
ENDING = [path for path in READABLE if not path.endswith("/events")]  # test_events.py has the HEAD of a stream
CHANGING = {"Date", "X-Request-Id", "Server", "Connection"}


def methods_in(text):
    return set(text.split(", "))


def stable(headers):
    return {name: value for name, value in headers.items() if name not in CHANGING}


@pytest.mark.parametrize("target", [*ENDING, "/api/activities/home?limit=0", "/api/nothing", "/nothing"])
def test_head_is_get_without_its_body(service, target):
    """HEAD is compared with two equal GETs around it, because the purge notes its end once a minute, and then
    home has another ETag."""
    with service.connect() as connection:

        def ask():
            whole, head, again = (connection.ask(method, target) for method in ("GET", "HEAD", "GET"))
            return stable(whole.headers) == stable(again.headers) and (whole, head)

        whole, head = eventually(ask, what="two equal answers")
        assert head.status == whole.status
        assert head.body == b""
        assert stable(head.headers) == stable(whole.headers)
        assert connection.ask("GET", target).body == whole.body


@pytest.mark.parametrize("path", PATHS)
def test_options(service, path):
    reply = service.ask("OPTIONS", path)
    assert (reply.status, reply.body) == (204, b"")
    assert methods_in(reply.headers["Allow"]) == methods_in(PATHS[path])
    assert "Content-Type" not in reply.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", READABLE)
def test_a_known_method_that_is_wrong_for_a_read(service, path, method):
    reply = service.ask(method, path, b"{}")
    assert (reply.status, reply.json) == (405, ["method_not_allowed"])
    assert methods_in(reply.headers["Allow"]) == methods_in(PATHS[path])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_known_method_that_is_wrong_for_a_create(service, method):
    reply = service.ask(method, "/api/activities")
    assert (reply.status, reply.json) == (405, ["method_not_allowed"])
    assert methods_in(reply.headers["Allow"]) == {"POST", "OPTIONS"}


def test_head_of_a_path_without_get(service):
    reply = service.ask("HEAD", "/api/activities")
    assert (reply.status, reply.body) == (405, b"")


@pytest.mark.parametrize("path", [*PATHS, "/api/nothing"])
@pytest.mark.parametrize("method", ["PATCH", "BREW", "PROPFIND", "GETX"])
def test_a_method_that_nobody_knows(service, path, method):
    reply = service.ask(method, path)
    assert (reply.status, reply.json) == (501, ["not_implemented"])


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_no_method_makes_a_path(service, method):
    reply = service.ask(method, "/api/nothing", b"{}")
    assert (reply.status, reply.json) == (404, ["not_found"])


@pytest.mark.parametrize("method", [None, "", "get", "GET ", "G\tET"])
def test_odd_methods_without_nginx(service, method):
    with service.peer() as peer:
        reply = peer.ask(method, "/livez")
    assert (reply.status, reply.json) == (501, ["not_implemented"])
