"""Odd request targets: the right answer, and never an echo of them in a header or a log line."""

import pytest

URI_MAX = 4096
MARK = "zqxjkvb"  # stands in every target, and may stand nowhere else


def check_no_echo(service, reply):
    assert MARK not in str(reply.headers)
    assert MARK.encode() not in reply.body
    assert MARK not in service.log.text


NO_SUCH_PATHS = """
    /api//activities/home //api/activities/home /api/activities//home /api/activities/home/ /api/activities/home//
    /api/activities%2fhome /api/activities%2Fhome /api%2factivities/home /api/activities/home%2f
    /api/Activities/home /api/activities/./home /api/x/../activities/home /api/activities/%2e%2e/activities/home
    /api/activities/home%20 /api/activities/%2568ome /api/activities/home;x=1 /api/activities/home%3flimit=1
    /api/activities/home%23 /api/ /api/activities/ /api/a/b/c/d/e/f/g/h/i/j
    /api/users/@/short /api/users/@@/short /api/users/londo/short /api/users/@londo%2fshort
    /livez/ /livez%2f /index.php /.error/not_found /.git/config
"""


@pytest.mark.parametrize("path", NO_SUCH_PATHS.split())
def test_no_such_path(service, path):
    reply = service.get(path)
    assert (reply.status, reply.json) == (404, ["not_found"])


@pytest.mark.parametrize(
    "path", "/api/activities/%68ome /%61pi/activities/home /api/activities/h%6Fme /live%7a".split()
)
def test_a_path_is_decoded_once(service, path):
    assert service.get(path).status == 200


@pytest.mark.parametrize(
    "escape", "%0d%0aX-Injected:%20yes %0a %01 %1f %7f %ff %c0%af %ed%a0%80 %f4%90%80%80 %c3%28 %80".split()
)
def test_paths_that_are_no_text(service, escape):
    reply = service.get(f"/api/{MARK}{escape}")
    assert (reply.status, reply.json) == (400, ["malformed_request"])
    assert "X-Injected" not in reply.headers
    check_no_echo(service, reply)


@pytest.mark.parametrize("escape", ["%", "%4", "%zz", "%u0041", "%00", "%2f..%2f..%2f..%2f"])
def test_paths_that_nginx_refuses(service, escape):
    reply = service.get(f"/api/{MARK}{escape}")
    assert (reply.status, reply.json) == (400, ["malformed_request"])
    check_no_echo(service, reply)


@pytest.mark.parametrize("escape", ["%", "%4", "%zz", "%00", "%0d%0a", "%ff", "\x01", "\r\nX: y", "\xff"])
def test_paths_that_nginx_would_refuse(service, escape):
    with service.peer() as peer:
        reply = peer.ask("GET", f"/api/{MARK}{escape}".encode("latin-1"))
    assert (reply.status, reply.json) == (400, ["malformed_request"])
    check_no_echo(service, reply)


@pytest.mark.parametrize("uri", [None, "", "*", "?", "api/activities/home", "http://x/api/activities/home"])
def test_targets_that_are_no_path(service, uri):
    with service.peer() as peer:
        reply = peer.ask("GET", uri)
    assert (reply.status, reply.json) == (400, ["malformed_request"])


def test_the_absolute_form(service):
    assert service.get("http://localhost/api/activities/home").status == 200


def test_raw_bytes(service):
    reply = service.send_raw(b"GET /api/" + MARK.encode() + b"\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert reply.status == 400
    check_no_echo(service, reply)


def test_the_longest_uri(service):
    start = "/api/activities/home?limit=1&pad="
    longest = start + "x" * (URI_MAX - len(start))
    assert service.get(longest).status == 200
    assert service.get(longest + "x").json == ["uri_too_long"]


@pytest.mark.parametrize(
    "length, status", [(URI_MAX, 404), (URI_MAX + 1, 414), (8000, 414), (8192, 414), (20000, 414), (70000, 414)]
)
def test_long_paths(service, length, status):
    reply = service.get("/api/" + MARK + "x" * (length - len("/api/" + MARK)))
    assert reply.status == status
    assert reply.json == (["not_found"] if status == 404 else ["uri_too_long"])
    check_no_echo(service, reply)


def test_a_handle_with_everything(service):
    """The handle is older than the rule for new handles."""
    service.database.sql("alter table users disable trigger users_folded_handle")
    service.database.sql(
        """insert into users (display_name, handle, folded_handle, email, cognito_user_id)
           select 'Odd', handle, fold_text(handle), 'odd@example.com', 'odd' from (values (%s)) given (handle)""",
        "é%+?&#=\U0001f600",
    )  # fmt: skip
    service.database.sql("alter table users enable trigger users_folded_handle")
    reply = service.get("/api/users/@%C3%A9%25+%3F%26%23=%F0%9F%98%80/short")
    assert (reply.status, reply.json["display_name"]) == (200, "Odd")
    assert service.get("/api/users/@nobody/short").status == 404
