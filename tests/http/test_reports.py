"""POST /api/activities/{uuid}/report, and users who are suspended."""

import uuid

import pytest

from issuer import TokenService
from places import TOP
from social import EXPIRE, check_counts, check_strangers, followed, marked
from waiting import eventually

MOST = 3


@pytest.fixture
def service(tokens):
    """Without any post or report, and with no user suspended."""
    tokens.database.sql("truncate activities, reports, follows cascade; update users set suspended_at = null")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster, reports_per_hour=MOST) as service:
        yield service


def report(service, handle, post, reason="spam"):
    return service.ask_as(handle, "POST", f"/api/activities/{post}/report", {"reason": reason})


def rows(service):
    return service.database.sql(
        "select r.handle, a.handle, message, reason, resolved_at from reports join users r on r.uuid = reporter_uuid join users a on a.uuid = author_uuid order by 1"
    )


def suspend(service, handle):
    """Suspends the user as bin/user-suspend does, which tests/bin/users.bats tests."""
    service.database.sql("update users set suspended_at = now() where handle = %s", handle)
    service.database.sql("select hide_activities(uuid, 100) from users where handle = %s", handle)


def restore(service, handle):
    service.database.sql("update users set suspended_at = null where handle = %s", handle)
    service.database.sql("select show_activities(array(select uuid from activities where hidden_expires_at is not null))")


# --- reports ---


def test_a_report(service):
    post = service.create_as("londo", "buy this")["uuid"]
    reply = report(service, "bayko", post)
    assert reply.status == 200
    assert (set(reply.json), reply.json["uuid"], reply.json["reason"]) == ({"uuid", "reason", "created_at"}, post, "spam")
    assert rows(service) == [("bayko", "londo", "buy this", "spam", None)]


def test_once_by_each_user_for_each_post(service):
    posts = [service.create_as("londo")["uuid"] for _ in range(2)]
    first = report(service, "bayko", posts[0]).json
    assert report(service, "bayko", posts[0], "another reason").json == first
    service.database.sql("update reports set resolved_at = now()")
    assert report(service, "bayko", posts[0]).json == first
    assert service.database.sql("select count(resolved_at), count(*) from reports") == [(1, 1)]
    assert report(service, "bayko", posts[1]).status == report(service, "altbrown", posts[0]).status == 200
    assert service.database.sql("select count(*) from reports") == [(3,)]


def test_replies_too(service):
    reply = service.reply_as("londo", service.create_as("bayko")["uuid"]).json["uuid"]
    assert report(service, "bayko", reply).status == 200


@pytest.mark.parametrize("reason, code", [
    ("", "reason_blank"), (" \u3000", "reason_blank"), (None, "reason_blank"), (5, "reason_blank"), ("é" * 501, "reason_exceed_max_chars"),
])  # fmt: skip
def test_reasons_that_are_none(service, reason, code):
    reply = report(service, "bayko", service.create_as("londo")["uuid"], reason)
    assert (reply.status, reply.json) == (422, [code])
    assert rows(service) == []


@pytest.mark.parametrize("reason", ["é" * 500, "'; drop table reports; --", "a\r\nb"])
def test_reasons(service, reason):
    assert report(service, "bayko", service.create_as("londo")["uuid"], reason).json["reason"] == reason


def test_what_is_not_there(service):
    post = service.create_as("londo")["uuid"]
    service.database.sql(EXPIRE, post)
    for target in (post, uuid.uuid4()):
        reply = report(service, "bayko", target)
        assert (reply.status, reply.json) == (404, ["not_found"])
    assert rows(service) == []


def test_one_s_own(service):
    reply = report(service, "londo", service.create_as("londo")["uuid"])
    assert (reply.status, reply.json) == (422, ["reported_is_reporter"])


def test_strangers(service):
    post = service.create_as("londo")["uuid"]
    check_strangers(service, "POST", f"/api/activities/{post}/report", {"reason": "spam"})
    reply = service.ask_as("bayko", "POST", f"/api/activities/{post}/report", {"reason": "spam", "handle": "altbrown"})
    assert (reply.status, reply.json) == (403, ["generic_403"])


def test_so_many_within_an_hour(service):
    posts = [service.create_as("londo")["uuid"] for _ in range(MOST + 1)]
    for post in posts[:MOST]:
        assert report(service, "bayko", post).status == 200
    reply = report(service, "bayko", posts[MOST])
    assert (reply.status, reply.json) == (429, ["reports_exceed_hourly_max"])
    assert 3590 <= int(reply.headers["Retry-After"]) <= 3600
    assert report(service, "bayko", posts[0]).status == 200  # this report exists already
    assert report(service, "altbrown", posts[MOST]).status == 200
    service.database.sql("update reports set created_at = now() - interval '61 minutes' where activity_uuid = %s", posts[0])
    assert report(service, "bayko", posts[MOST]).status == 200


def test_a_copy_outlives_the_post(service):
    post = service.create_as("londo", "for an hour")["uuid"]
    assert report(service, "bayko", post).status == 200
    service.database.sql(EXPIRE, post)
    service.database.sql("select purge_expired(10)")
    assert rows(service) == [("bayko", "londo", "for an hour", "spam", None)]


# --- suspended users ---


def writes(service):
    """All writes of a user: method, path, body."""
    mine, other = service.create_as("londo")["uuid"], service.create_as("bayko")["uuid"]
    sent = service.message_as("londo", handle="bayko").json
    return [
        ("POST", "/api/activities", {"message": "x", "ttl": "1-day"}),
        ("POST", f"/api/activities/{other}/reply", {"message": "x"}),
        ("POST", f"/api/activities/{other}/report", {"reason": "x"}),
        ("PUT", f"/api/activities/{mine}/keep", {"ttl": "7-days"}),
        ("DELETE", f"/api/activities/{mine}", None),
        *((method, f"/api/activities/{other}/{what}", None) for what in ("like", "repost") for method in ("PUT", "DELETE")),
        *((method, "/api/users/@bayko/follow", None) for method in ("PUT", "DELETE")),
        *((method, "/api/profile/update", {"display_name": "x", "bio": ""}) for method in ("PUT", "POST")),
        ("POST", "/api/messages", {"message": "x", "handle": "bayko"}),
        ("POST", "/api/messages", {"message": "x", "message_group_uuid": sent["message_group_uuid"]}),
        ("DELETE", f"/api/messages/{sent['message_group_uuid']}/{sent['uuid']}", None),
    ]


TABLES = ("users", "activities", "likes", "reposts", "follows", "messages", "reports")


def test_what_a_suspended_user_writes_is_refused(service):
    actions = writes(service)
    suspend(service, "londo")
    before = {table: service.database.sql(f"select * from {table} order by 1, 2") for table in TABLES}
    for method, target, document in actions:
        reply = service.ask_as("londo", method, target, document)
        assert (reply.status, reply.json) == (403, ["user_suspended"]), target
    assert {table: service.database.sql(f"select * from {table} order by 1, 2") for table in TABLES} == before
    restore(service, "londo")
    for method, target, document in actions:
        assert service.ask_as("londo", method, target, document).status == 200, target


def test_no_route_that_writes_is_forgotten(service):
    """Every statement that writes checks for a suspended user by public.writer(), except those that mark as read and the one that lets a
    user leave."""
    names = {path.parent.name + "/" + path.stem for path in (TOP / "sql").glob("*/*.sql") if "not_after" in path.read_text() and path.parent.name != "migrations"}
    without = {name for name in names if "public.writer(" not in (TOP / "sql" / f"{name}.sql").read_text()}
    assert {name for name in without if "%(sub)s" in (TOP / "sql" / f"{name}.sql").read_text()} == {"social/read", "messages/read", "users/delete"}


def test_a_suspended_user_reads(service):
    group = service.message_as("bayko", handle="londo").json["message_group_uuid"]
    suspend(service, "londo")
    for target in ("home", "following", "notifications", "notifications/unread", "@bayko"):
        assert service.ask_as("londo", "GET", f"/api/activities/{target}").status == 200
    assert len(service.ask_as("londo", "GET", "/api/message_groups").json) == 1
    for target in ("/api/activities/notifications/read", f"/api/message_groups/{group}/read"):
        assert service.ask_as("londo", "PUT", target, {}).status == 200


def shown(service, target, handle="bayko"):
    body = service.ask_as(handle, "GET", target).json
    body = body if isinstance(body, list) else body.get("activities", [])
    return [row["message"] for row in body]


def test_the_posts_are_hidden_everywhere_and_come_back(service):
    followed(service, "bayko", "londo")
    top = service.create_as("bayko", "top")["uuid"]
    mine = service.create_as("londo", "mine #tagged @bayko")["uuid"]
    reply = service.reply_as("londo", top, "my reply @bayko").json["uuid"]
    answer = service.reply_as("altbrown", reply, "an answer").json["uuid"]
    marked(service, "altbrown", "repost", mine)
    followed(service, "bayko", "altbrown")
    lists = ["/api/activities/home", "/api/activities/following", "/api/activities/notifications", "/api/activities/@londo?with=replies",
             "/api/activities/search?term=mine", "/api/activities/search?term=@londo"]  # fmt: skip
    before = [shown(service, target) for target in lists]
    assert all("mine #tagged @bayko" in messages for messages in before), before
    thread = service.get(f"/api/activities/{top}").json
    suspend(service, "londo")
    for target in lists:
        eventually(lambda: not any("my" in message or "mine" in message for message in shown(service, target)), what=target)  # noqa: B023
    for post in (mine, reply):
        assert service.get(f"/api/activities/{post}").json == ["not_found"]
    now = service.get(f"/api/activities/{top}").json
    assert (now["activity"]["replies_count"], now["replies"]) == (0, [])
    assert service.ask_as("bayko", "GET", "/api/activities/notifications/unread").json == {"unread": 0}
    assert service.get("/api/activities/@londo").json["profile"]["cruds_count"] == 0
    assert service.get("/api/trends").json == []
    assert service.get(f"/api/activities/{answer}").json["ancestors"] == []
    check_counts(service.database)
    for method, target in (("PUT", f"/api/activities/{mine}/like"), ("POST", f"/api/activities/{mine}/reply")):
        assert service.ask_as("bayko", method, target, {"message": "x"} if method == "POST" else None).json == ["not_found"]
    restore(service, "londo")
    for target, messages in zip(lists, before):
        eventually(lambda: shown(service, target) == messages, what=target)  # noqa: B023
    assert service.get(f"/api/activities/{top}").json == thread
    check_counts(service.database)


def test_a_suspended_user_is_not_suggested(service):
    assert "londo" in [row["handle"] for row in service.ask_as("bayko", "GET", "/api/users/suggested").json]
    suspend(service, "londo")
    assert "londo" not in [row["handle"] for row in service.ask_as("bayko", "GET", "/api/users/suggested").json]


def test_a_hidden_reply_follows_what_it_replies_to(service):
    """A keep of the post extends the hidden reply's life, too, and a delete deletes the reply."""
    top = service.create_as("bayko", "top", "1-day")["uuid"]
    reply = service.reply_as("londo", top, "hidden").json["uuid"]
    below = service.reply_as("altbrown", reply, "below").json["uuid"]
    suspend(service, "londo")
    kept = service.ask_as("bayko", "PUT", f"/api/activities/{top}/keep", {"ttl": "30-days"}).json["expires_at"]
    assert service.get(f"/api/activities/{below}").status == 200
    service.database.sql("select settle_threads(100)")
    assert service.get(f"/api/activities/{reply}").status == 404
    restore(service, "londo")
    for each in (reply, below):
        assert service.get(f"/api/activities/{each}").json["activity"]["expires_at"] == kept
    suspend(service, "londo")
    assert service.ask_as("bayko", "DELETE", f"/api/activities/{top}").status == 200
    service.database.sql("select settle_threads(100)")
    restore(service, "londo")
    for each in (top, reply, below):
        assert service.get(f"/api/activities/{each}").status == 404
    check_counts(service.database)


def test_hidden_posts_are_purged_when_their_time_has_come(service):
    top = service.create_as("bayko")["uuid"]
    for _ in range(3):
        service.reply_as("londo", top)
    service.create_as("londo")
    suspend(service, "londo")
    assert service.database.sql("select purge_expired(10)") == [(0,)]
    service.database.sql("update activities set hidden_expires_at = created_at + interval '1 microsecond' where hidden_expires_at is not null")
    service.database.sql("select release_hidden(10)")
    service.database.sql("select purge_expired(10)")
    assert service.database.sql("select message, replies_count from activities") == [("hello", 0)]
    check_counts(service.database)
