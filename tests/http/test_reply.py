"""POST /api/activities/{uuid}/reply: the thread, the count, and how long a reply lives."""

import concurrent.futures
import datetime
import uuid

import pytest

from client import Asking

from issuer import TokenService

FIELDS = {
    "uuid", "display_name", "handle", "message", "replies_count", "reposts_count", "likes_count",
    "reply_to_activity_uuid", "expires_at", "created_at", "liked", "reposted", "replies",
}  # fmt: skip
IN_THREAD = FIELDS - {"expires_at", "liked", "reposted", "replies"}


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        yield service


@pytest.fixture
def parent(service):
    return service.create_as("andrewbrown", "what do you think?")


def show(service, parent):
    return service.get(f"/api/activities/{parent}")


def test_the_reply(service, parent):
    reply = service.reply_as("londo", parent["uuid"], "a lot")
    assert reply.status == 200
    row = reply.json
    assert set(row) == FIELDS
    assert (row["handle"], row["display_name"], row["message"]) == ("londo", "Londo Mollari", "a lot")
    assert row["reply_to_activity_uuid"] == parent["uuid"]
    assert (row["replies_count"], row["reposts_count"], row["likes_count"], row["replies"]) == (0, 0, 0, [])


def test_the_thread(service, parent):
    rows = [service.reply_as(handle, parent["uuid"], f"says {handle}").json for handle in ("londo", "bayko", "andrewbrown")]
    for path in (parent["uuid"], f"@andrewbrown/status/{parent['uuid']}"):
        thread = show(service, path).json
        assert [{name: row[name] for name in IN_THREAD} for row in thread["replies"]] == [
            {name: row[name] for name in IN_THREAD} for row in rows
        ]
        assert thread["activity"]["replies_count"] == 3


def test_it_expires_with_its_parent(service, parent):
    assert service.reply_as("londo", parent["uuid"]).json["expires_at"] == parent["expires_at"]
    (eternal,) = service.database.add_activities(1)
    assert service.reply_as("londo", eternal).json["expires_at"] is None


def test_it_is_no_post_of_its_own(service, parent):
    row = service.reply_as("londo", parent["uuid"], "not in the feed").json
    assert row["uuid"] not in [post["uuid"] for post in service.home("?limit=200").json]
    assert row["uuid"] not in [post["uuid"] for post in service.get("/api/activities/@londo?limit=200").json["activities"]]


def test_home_shows_the_count(service, parent):
    for _ in range(2):
        service.reply_as("londo", parent["uuid"])
    (row,) = [post for post in service.home("?limit=200").json if post["uuid"] == parent["uuid"]]
    assert row["replies_count"] == 2


def test_a_reply_to_a_reply(service, parent):
    reply = service.reply_as("londo", parent["uuid"]).json
    answer = service.reply_as("bayko", reply["uuid"])
    assert (answer.status, answer.json["reply_to_activity_uuid"]) == (200, reply["uuid"])
    assert show(service, parent["uuid"]).json["activity"]["replies_count"] == 1
    thread = show(service, reply["uuid"]).json
    assert (thread["activity"]["replies_count"], len(thread["replies"])) == (1, 1)


def test_replies_at_once_are_all_counted(service, parent):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda number: service.reply_as("londo", parent["uuid"], f"no. {number}"), range(40)))
    assert {reply.status for reply in replies} == {200}
    thread = show(service, parent["uuid"]).json
    assert (thread["activity"]["replies_count"], len(thread["replies"])) == (40, 40)


def test_what_is_not_there_has_no_replies(service):
    for what in (str(uuid.uuid4()), *gone(service)):
        reply = service.reply_as("londo", what)
        assert (reply.status, reply.json) == (404, ["not_found"])


def gone(service):
    deleted = service.create_as("londo")["uuid"]
    assert service.ask_as("londo", "DELETE", f"/api/activities/{deleted}").status == 200
    (expired,) = service.database.add_activities(1, created_at="now() - interval '2 days'", expires_at="now() - interval '1 day'")
    return deleted, expired


@pytest.mark.parametrize("what", ["x", "1", "%00", "5a3e8b7c1f944d608b2ac6d7e9f0a418", "5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a41", "@londo"])
def test_what_is_no_uuid(service, what):
    reply = service.reply_as("londo", what)
    assert reply.status in (400, 404) and len(reply.json) == 1


@pytest.mark.parametrize("message, code", [
    ("", "message_blank"), (None, "message_blank"), (7, "message_blank"), ("x" * 1025, "message_exceed_max_chars_1024"),
    ("é" * 1025, "message_exceed_max_chars_1024"),
])  # fmt: skip
def test_messages_that_are_none(service, parent, message, code):
    reply = service.reply_as("londo", parent["uuid"], message)
    assert (reply.status, reply.json) == (422, [code])
    assert show(service, parent["uuid"]).json["activity"]["replies_count"] == 0


@pytest.mark.parametrize("message", ["x" * 1024, "\U0001f600" * 1024, "x" * 281, "'; drop table activities; --", "<b>"])
def test_messages_that_are_some(service, parent, message):
    assert service.reply_as("londo", parent["uuid"], message).json["message"] == message


def test_other_members_are_passed_over(service, parent):
    body = {"message": "hi", "activity_uuid": str(uuid.uuid4()), "ttl": "30-days", "expires_at": None, "replies_count": 9}
    reply = service.ask_as("londo", "POST", f"/api/activities/{parent['uuid']}/reply", body)
    assert reply.status == 200
    assert (reply.json["reply_to_activity_uuid"], reply.json["replies_count"]) == (parent["uuid"], 0)
    assert reply.json["expires_at"] == parent["expires_at"]


def test_times_have_an_offset(service, parent):
    row = service.reply_as("londo", parent["uuid"]).json
    assert datetime.datetime.fromisoformat(row["created_at"]).utcoffset() == datetime.timedelta(0)


def test_handle_mode(start):
    service = start()
    parent = service.create().json["uuid"]
    target = f"/api/activities/{parent}/reply"
    for body in ({"user_handle": "londo"}, {"handle": "londo"}, {"user_handle": "LONDO", "handle": "bayko"}):
        assert service.post(target, {"message": "hi"} | body).json["handle"] == "londo"
    for body, codes in (({}, ["user_handle_blank"]), ({"handle": ""}, ["user_handle_blank"]), ({"handle": "nobody"}, ["user_not_found"])):
        reply = service.post(target, {"message": "hi"} | body)
        assert (reply.status, reply.json) == (422, codes)
    assert service.post(target, {}).json == ["message_blank", "user_handle_blank"]


def test_a_default_handle(start):
    """The frontend of week 4 names no user, so the default user posts and replies."""
    service = start(default_handle="bayko")
    created = service.post("/api/activities", {"message": "hi", "ttl": "1-day"})
    assert (created.status, created.json["handle"]) == (200, "bayko")
    reply = service.post(f"/api/activities/{created.json['uuid']}/reply", {"message": "hi"})
    assert (reply.status, reply.json["handle"]) == (200, "bayko")


def test_a_post_has_so_many_replies_at_most(service):
    """One more reply is refused; a repeated request for an existing one gets the same answer."""
    parent = service.create_as("londo")["uuid"]
    key = {"Idempotency-Key": "the-last-one"}
    service.database.sql("update activities set replies_count = 9999 where uuid = %s", parent)
    first = service.reply_as("bayko", parent, "the last one", **key)
    assert first.status == 200
    reply = service.reply_as("bayko", parent, "one too many")
    assert (reply.status, reply.json) == (409, ["replies_exceed_max"])
    assert service.reply_as("bayko", parent, "the last one", **key).json == first.json
    assert service.get(f"/api/activities/{parent}").json["activity"]["replies_count"] == 10000


def test_a_user_who_is_suspended_while_the_reply_waits(service):
    parent = service.create_as("londo", "locked")["uuid"]
    with service.database.held(f"select from activities where uuid = '{parent}' for no key update"):
        asking = Asking(service.reply_as, "bayko", parent, "too late")
        service.database.wait_for_waiting()
        service.database.sql("update users set suspended_at = now() where handle = 'bayko'")
    try:
        reply = asking.reply()
        assert (reply.status, reply.json) == (403, ["user_suspended"])
    finally:
        service.database.sql("update users set suspended_at = null where handle = 'bayko'")
    assert "too late" not in service.database.messages()
