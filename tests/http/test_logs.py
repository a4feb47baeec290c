"""What the daemon logs about its requests, and what it never logs."""

import datetime
import re
import signal
import time

import pytest

from client import PROBLEM, Asking
from daemon import run_once
from waiting import Stopwatch, eventually

REQUEST_KEYS = {"time", "level", "event", "pid", "request_id", "method", "route", "status", "bytes", "ms", "db_ms"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_the_line_of_a_request(service):
    before = time.time()
    with Stopwatch() as watch:
        reply = service.home()
        line = service.line_of(reply)
    assert set(line) == REQUEST_KEYS
    assert TIME.fullmatch(line["time"])
    said = datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00"))
    assert before - 0.001 <= said.timestamp() <= time.time()
    assert (line["level"], line["method"], line["status"]) == ("info", "GET", 200)
    assert line["route"] == "/api/activities/home"
    assert line["bytes"] == len(reply.body)
    assert line["pid"] in service.daemon.workers()
    assert 0 < line["db_ms"] <= line["ms"] <= watch.seconds * 1000


@pytest.mark.parametrize(
    "method, target, body, route, status",
    [
        ("GET", "/livez", None, "/livez", 200),
        ("HEAD", "/api/activities/home", None, "/api/activities/home", 200),
        ("OPTIONS", "/api/activities/home?x=y", None, "/api/activities/home", 204),
        ("GET", "/api/activities/5A3E8B7C-1f94-4d60-8b2a-c6d7e9f0a418", None, "/api/activities/{uuid}", 200),
        ("GET", "/api/users/@londo/short", None, "/api/users/@{handle}/short", 200),
        ("GET", "/api/activities/home?limit=0", None, "/api/activities/home", 422),
        ("POST", "/api/activities", b"{", "/api/activities", 400),
        ("PUT", "/api/trends", b"{}", "/api/trends", 405),
        ("BREW", "/api/trends", None, "/api/trends", 501),
        ("BREW", "/api/nothing", None, "-", 501),
        ("GET", "/api/nothing", None, "-", 404),
        ("GET", "/api/%ff", None, "-", 400),
        ("GET", "/api/" + "x" * 5000, None, "-", 414),
    ],
)
def test_the_route_is_the_pattern(service, method, target, body, route, status):
    line = service.line_of(service.ask(method, target, body))
    assert (line["method"], line["route"], line["status"]) == (method if method != "BREW" else "-", route, status)


def test_what_needs_no_database_took_no_time_of_it(service):
    line = service.line_of(service.get("/livez"))
    assert line["db_ms"] == 0


def test_the_line_of_a_statement(service):
    request_line = service.line_of(service.get("/api/users/@bayko/short"))
    line = [line for line in service.log.entries("statement") if line["pid"] == request_line["pid"]][-1]
    assert (line["level"], line["template"], line["outcome"]) == ("debug", "users/short", "ok")
    assert line["ms"] == request_line["db_ms"]
    assert "handle" not in line


def test_a_failure_of_the_database_shows_its_sqlstate(start):
    service = start(workers=1)
    assert service.get("/readyz").status == 200
    with service.database.locked():
        reply = cancelled(service, service.home)
    line = service.line_of(reply)
    assert line["status"] == reply.status == 504
    assert line["sqlstate"] == "57014"


def cancelled(service, ask, *arguments):
    """The answer to a request whose statement waits for a lock and is cancelled, as after a time-out."""
    asking = Asking(ask, *arguments)
    ((backend, _),) = service.database.wait_for_waiting()
    service.database.run("select pg_cancel_backend(%s)", backend)
    return asking.reply()


@pytest.mark.parametrize(
    "level, events", [("error", set()), ("warning", {"supervisor"}), ("info", {"supervisor", "request"})]
)
def test_levels(start, level, events):
    service = start(log_level=level)
    assert service.get("/readyz").status == 200
    service.daemon.stop()
    assert {entry["event"] for entry in service.log.entries()} == events


def test_text_when_asked_for(start):
    service = start(log_format="text")
    service.get("/api/nothing", X_Request_Id="in-text")
    eventually(lambda: "request_id=in-text" in service.log.text, what="the line")
    (line,) = [line for line in service.log.text.splitlines() if "in-text" in line]
    assert "status=404" in line and "{" not in line


CANARY = "canary-7d1f"
EMAIL = f"{CANARY}@example.com"
CANARIES = {
    "token": f"Bearer {CANARY}.token.x",
    "cookie": f"session={CANARY}-cookie",
    "message": f"{CANARY} message \U0001f600",
    "handle": f"{CANARY}-handle",
}


def provoke(service):
    """Successes and failures of every kind, with a canary wherever a client can put one."""
    headers = {
        "Cookie": CANARIES["cookie"],
        "User-Agent": CANARY,
        "Referer": f"http://{CANARY}/",
        "X-Request-Id": f"bad {CANARY}",
        "traceparent": CANARY,
        "Idempotency-Key": CANARY,
        "Origin": f"http://{CANARY}",
    }
    service.database.sql(
        "insert into users (display_name, handle, email, cognito_user_id) values (%s, %s, %s, %s)",
        CANARY, CANARIES["handle"], EMAIL, CANARY,
    )  # fmt: skip
    message, handle = CANARIES["message"], CANARIES["handle"]
    reply = service.post("/api/activities", {"message": message, "ttl": "1-day", "user_handle": handle}, headers)
    assert reply.status == 200
    bodies = [
        {"message": message, "ttl": CANARY, "user_handle": handle},
        {"message": message * 20, "ttl": "1-day", "user_handle": handle},
        {"message": message, "ttl": "1-day", "user_handle": handle + "-unknown"},
        {"message": EMAIL, "ttl": "1-day", "user_handle": EMAIL},
    ]
    for body in bodies:
        assert service.post("/api/activities", body, headers).status == 422
    for body in (f'{{"message":"{message}"', f'{{"{CANARY}":"{CANARY}","{CANARY}":1}}', CANARY, f"{CANARY}\udcff"):
        raw = body.encode("utf-8", "surrogateescape")
        assert service.post("/api/activities", raw, headers).status == 400
        assert service.post("/api/activities", raw, headers | {"Content-Type": f"text/{CANARY}"}).status == 415
    targets = [
        *(f"/api/activities/home?{query}" for query in (f"limit={CANARY}", f"cursor={CANARY}", f"{CANARY}={CANARY}")),
        *(f"/api/users/@{name}/short" for name in (handle, CANARY)),
        *(f"/api/{path}" for path in (CANARY, f"{CANARY}%0d%0a{CANARY}", CANARY * 500)),
        f"/{CANARY}?{CANARY}",
    ]
    for target in targets:
        for accept in (PROBLEM, f"text/{CANARY}"):
            service.ask("GET", target, headers=headers | {"Accept": accept, "Authorization": CANARIES["token"]})
    refused = service.post("/api/activities", {"message": message}, headers | {"Authorization": CANARIES["token"]})
    assert refused.status == 401
    service.ask(CANARY.upper().replace("-", ""), "/api/activities", headers=headers)
    with service.peer() as peer:
        peer.ask("GET", f"/api/{CANARY}\r\n{CANARY}", HTTP_X_REQUEST_ID=f"{CANARY}\r\n", HTTP_COOKIE=CANARY)
    refuse_by_the_database(service, message, handle)


def refuse_by_the_database(service, message, handle):
    """The server's own messages about these quote the values."""
    create = {"message": message, "ttl": "1-day", "user_handle": handle}
    for condition in ("message not like 'canary%'", "message::integer > 0"):
        service.database.sql(f"alter table activities add constraint refusing check ({condition}) not valid")
        assert service.post("/api/activities", create).status == 422
        service.database.sql("alter table activities drop constraint refusing")
    with service.database.locked():
        assert cancelled(service, service.post, "/api/activities", create).status == 504
    for statement in ("revoke insert on activities from cruddur_app", "drop table activities cascade"):
        service.database.sql(statement)
        assert service.post("/api/activities", create).status == 500


def test_no_log_has_what_is_private(start):
    service = start(workers=1)
    provoke(service)
    service.daemon.stop()
    assert CANARY not in service.log.text.lower()
    assert len(service.log.requests()) > 30
    assert CANARY not in service.front.access_log.text
    for entry in CANARIES.values():
        assert entry not in service.front.error_log.text
    assert EMAIL not in service.front.error_log.text


def test_the_password_is_in_no_log(start):
    service = start(workers=1, feed_watch=0, statement_timeout=300, deadline=500)
    for number, rest in enumerate(("/nowhere?host=/nowhere", "[::1/x"), 1):
        service.write_url(f"postgresql://cruddur:canary-password@{rest}")
        service.daemon.signal(signal.SIGHUP)
        service.database.terminate_sessions()
        eventually(lambda: service.get("/readyz").status == 503, what="the loss of the database")
        service.daemon.wait_for_message("no connection", number)  # each worker logs it once; HUP starts another one
    assert "canary-password" not in service.log.text


def test_values_are_logged_only_when_asked_for(start):
    service = start(log_params=1)
    service.create("a message to see")
    assert [line for line in service.log.entries("statement") if line.get("message") == "a message to see"]


def test_values_are_never_logged_in_token_mode():
    refused = run_once("--log-params", "1", "--listen", "unix:/nowhere/socket")
    assert refused.returncode == 2
    assert "--log-params" in refused.stderr


def test_a_reload_that_fails_keeps_the_log_in_form(start):
    service = start()
    service.url_file.chmod(0o644)
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message("the old ones stay in force")
    service.url_file.chmod(0o600)
    assert any(service.url_file.name in entry.get("message", "") for entry in service.log.entries())
