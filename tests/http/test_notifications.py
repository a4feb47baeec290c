"""GET /api/activities/notifications: what others wrote to the caller."""

import pytest

from issuer import TokenService

TARGET = "/api/activities/notifications"


@pytest.fixture
def service(tokens):
    """Without any activity."""
    tokens.database.sql("truncate activities cascade")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        yield service


def notifications(service, handle, query=""):
    reply = service.ask_as(handle, "GET", TARGET + query)
    assert reply.status == 200, reply
    return reply.json


def replied(service, handle, parent, message="indeed"):
    reply = service.reply_as(handle, parent, message)
    assert reply.status == 200, reply
    return reply.json


def test_at_first_there_is_nothing(service):
    service.create_as("bayko", "hello @londo")
    assert notifications(service, "londo") == []


def test_replies_to_me_newest_first(service):
    posts = [service.create_as("londo")["uuid"] for _ in range(2)]
    rows = [replied(service, handle, post) for handle, post in [("bayko", posts[0]), ("altbrown", posts[1]), ("bayko", posts[0])]]
    assert notifications(service, "londo") == rows[::-1]
    for handle in ("bayko", "altbrown", "andrewbrown"):
        assert notifications(service, handle) == []


def test_replies_to_my_replies(service):
    """They are mine as well; the thread's beginner hears nothing of them."""
    mine = replied(service, "londo", service.create_as("bayko")["uuid"])
    answer = replied(service, "altbrown", mine["uuid"])
    assert notifications(service, "londo") == [answer]
    assert [row["uuid"] for row in notifications(service, "bayko")] == [mine["uuid"]]


def test_never_my_own(service):
    post = service.create_as("londo")["uuid"]
    replied(service, "londo", post)
    assert notifications(service, "londo") == []
    theirs = replied(service, "bayko", post)
    replied(service, "londo", post)
    assert notifications(service, "londo", "?limit=1") == [theirs]


def test_never_what_has_expired(service):
    """Not with its parent, as is the rule, and not alone."""
    post = service.create_as("londo")["uuid"]
    first, second = (replied(service, "bayko", post)["uuid"] for _ in range(2))
    expire = "update activities set created_at = now() - interval '2 days', expires_at = now() - interval '1 second' where uuid = %s"
    service.database.sql(expire, second)
    assert [row["uuid"] for row in notifications(service, "londo")] == [first]
    service.database.sql(expire, post)
    assert notifications(service, "londo") == []


def test_never_what_is_gone(service):
    post = service.create_as("londo")["uuid"]
    first, second = (replied(service, "bayko", post)["uuid"] for _ in range(2))
    assert service.ask_as("bayko", "DELETE", f"/api/activities/{second}").status == 200
    assert [row["uuid"] for row in notifications(service, "londo")] == [first]
    assert service.ask_as("londo", "DELETE", f"/api/activities/{post}").status == 200
    assert notifications(service, "londo") == []


def test_pages(service):
    posts = [service.create_as("londo")["uuid"] for _ in range(3)]
    uuids = [replied(service, "bayko", posts[i % 3], f"number {i}")["uuid"] for i in range(8)]
    # Some of the same moment, so that the cursor has to go by the uuid too.
    service.database.sql("update activities set created_at = %s where reply_to_activity_uuid = %s", "2026-01-01", posts[0])
    target, seen = f"{TARGET}?limit=2", []
    while target:
        reply = service.ask_as("londo", "GET", target)
        assert reply.status == 200 and len(reply.json) <= 2
        seen += reply.json
        target = reply.next_page
    assert len(seen) == len(uuids) and {row["uuid"] for row in seen} == set(uuids)
    order = [(row["created_at"], row["uuid"]) for row in seen]
    assert order == sorted(order, reverse=True)
    assert seen == notifications(service, "londo")


@pytest.mark.parametrize("query, code", [("?limit=0", "limit_invalid"), ("?limit=x", "limit_invalid"), ("?cursor=x", "cursor_invalid")])
def test_pages_that_are_none(service, query, code):
    reply = service.ask_as("londo", "GET", TARGET + query)
    assert (reply.status, reply.json) == (422, [code])


def test_strangers(service):
    assert (service.get(TARGET).status, service.get(TARGET).json) == (401, ["generic_401"])
    reply = service.ask_as("stranger", "GET", TARGET)
    assert (reply.status, reply.json) == (403, ["user_not_registered"])


def test_by_handle(cluster):
    """Where callers are believed the request names nobody, so it is the default user's, or the token's."""
    with TokenService(cluster, identity="handle", default_handle="londo") as service:
        row = replied(service, "bayko", service.create_as("londo")["uuid"])
        assert notifications(service, None) == [row]
        assert notifications(service, "bayko") == []
    with TokenService(cluster, identity="handle") as service:
        reply = service.get(TARGET)
        assert (reply.status, reply.json) == (422, ["user_handle_blank"])
