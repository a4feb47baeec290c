"""Cross-origin calls: only two origins may make them. They may read every answer, also a refusal."""

import pytest

from issuer import TokenService, bearer

FRONTEND = "https://cruddur.example"
BACKEND = "http://localhost:4567"
FOREIGN = [
    "null", "*", "", "http://cruddur.example", "https://cruddur.example:443", "https://cruddur.example:8443", "https://cruddur.example/",
    "https://cruddur.example.evil.example", "https://evilcruddur.example", "https://evil.cruddur.example", "https://cruddur.exampl",
    "https://CRUDDUR.example", "http://localhost:45678", "http://localhost", "http://localhost:4567@evil.example",
    f"{FRONTEND} {FRONTEND}", f"{FRONTEND},{FRONTEND}", f"{FRONTEND}\t", "file://",
]  # fmt: skip
UUID = "00000000-0000-4000-8000-000000000000"
ANSWERS = [
    ("GET", "/api/activities/home", 200),
    ("HEAD", "/api/activities/home", 200),
    ("GET", "/api/activities/home?limit=x", 422),
    ("GET", f"/api/activities/{UUID}", 404),
    ("GET", "/api/nothing", 404),
    ("GET", "/api/message_groups", 401),
    ("POST", "/api/activities", 401),
    ("PUT", "/api/activities/home", 405),
    ("BREW", "/api/activities/home", 501),
    ("GET", "/api/%ff", 400),
    ("OPTIONS", "/api/activities/home", 204),
]
PREFLIGHTS = [
    ("/api/activities/home", "GET"),
    ("/api/activities", "POST"),
    (f"/api/activities/{UUID}/reply", "POST"),
    (f"/api/activities/{UUID}", "DELETE"),
    ("/api/activities/@londo", "GET"),
    (f"/api/activities/@londo/status/{UUID}", "GET"),
    ("/api/users/@londo/short", "GET"),
    ("/api/profile/update", "PUT"),
    ("/api/profile/update", "POST"),
    ("/api/activities/notifications", "GET"),
    ("/api/activities/notifications/unread", "GET"),
    ("/api/activities/notifications/read", "PUT"),
    ("/api/activities/following", "GET"),
    (f"/api/activities/{UUID}/like", "PUT"),
    (f"/api/activities/{UUID}/repost", "DELETE"),
    (f"/api/activities/{UUID}/keep", "PUT"),
    ("/api/users/@londo/follow", "PUT"),
    ("/api/activities/search", "GET"),
    ("/api/message_groups", "GET"),
    (f"/api/messages/{UUID}", "GET"),
    ("/api/messages/@londo", "GET"),
    ("/api/messages", "POST"),
]


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster, frontend_url=FRONTEND, backend_url=BACKEND) as service:
        yield service


def cors_headers(reply):
    return {name: value for name, value in reply.headers.items() if name.lower().startswith("access-control-")}


def words(text):
    return {word.strip().lower() for word in text.split(",")}


def preflight(service, target, method, origin=FRONTEND):
    """As a browser sends it before a call of either frontend."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return service.ask("OPTIONS", target, headers=headers)


@pytest.mark.parametrize("origin", [FRONTEND, BACKEND])
@pytest.mark.parametrize("method, target, status", ANSWERS)
def test_our_origins_read_every_answer(service, method, target, status, origin):
    reply = service.ask(method, target, headers={"Origin": origin})
    assert reply.status == status
    assert reply.headers.get_all("Access-Control-Allow-Origin") == [origin]
    assert {"link", "etag", "x-request-id", "retry-after", "cruddur-since", "cache-status"} <= words(reply.headers["Access-Control-Expose-Headers"])
    assert "Access-Control-Allow-Credentials" not in reply.headers
    assert "origin" in words(reply.headers["Vary"])


@pytest.mark.parametrize("method, target, status", ANSWERS)
@pytest.mark.parametrize("origin", [None, *FOREIGN])
def test_others_get_nothing(service, method, target, status, origin):
    reply = service.ask(method, target, headers={"Origin": origin})
    assert reply.status == status
    assert cors_headers(reply) == {}
    assert "origin" in words(reply.headers["Vary"])


def test_a_foreign_origin_is_nowhere_in_the_answer(service):
    reply = preflight(service, "/api/activities", "POST", "https://evil.example")
    assert "evil" not in str(reply.headers) + reply.body.decode()


@pytest.mark.parametrize("target, method", PREFLIGHTS)
def test_preflights(service, target, method):
    reply = preflight(service, target, method)
    assert 200 <= reply.status < 300
    assert reply.body == b""
    assert reply.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert method.lower() in words(reply.headers["Access-Control-Allow-Methods"])
    assert words(reply.headers["Access-Control-Allow-Headers"]) >= {
        "content-type", "authorization", "idempotency-key", "if-none-match", "last-event-id", "traceparent",
    }  # fmt: skip
    assert 60 <= int(reply.headers["Access-Control-Max-Age"]) <= 86400
    assert "origin" in words(reply.headers["Vary"])


@pytest.mark.parametrize("origin", FOREIGN)
def test_preflights_of_others(service, origin):
    assert cors_headers(preflight(service, "/api/activities", "POST", origin)) == {}


def test_preflights_of_what_is_not_there(service):
    """They are answered as well, so that the page gets not_found and not a network error."""
    for target in ("/api/nothing", "/api/activities/@londo/status/x"):
        assert preflight(service, target, "GET").status == 204
        assert preflight(service, target, "GET", "https://evil.example").status == 404
        assert service.ask("OPTIONS", target).status == 404
        reply = service.ask("GET", target, headers={"Origin": FRONTEND})
        assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (404, FRONTEND)


def test_a_preflight_needs_no_token_and_no_database(cluster):
    with TokenService(cluster, frontend_url=FRONTEND) as service:
        for target, method in PREFLIGHTS:
            assert preflight(service, target, method).status == 204
        assert service.database.backends() == []


def test_the_call_itself(service):
    token = bearer(service.token("londo"))
    body = b'{"message":"hi","ttl":"1-day"}'
    reply = service.ask("POST", "/api/activities", body, token | {"Origin": FRONTEND})
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (200, FRONTEND)
    reply = service.ask("POST", "/api/activities", b"{}", token | {"Origin": FRONTEND})
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (422, FRONTEND)
    # CORS keeps scripts from reading the answer. The token decides who may write.
    reply = service.ask("POST", "/api/activities", body, token | {"Origin": "https://evil.example"})
    assert cors_headers(reply) == {}


def test_without_origins_nobody_is_allowed(cluster):
    with TokenService(cluster) as service:
        for origin in (FRONTEND, BACKEND, "null"):
            assert cors_headers(service.ask("GET", "/api/activities/home", headers={"Origin": origin})) == {}
            assert cors_headers(preflight(service, "/api/activities", "POST", origin)) == {}
