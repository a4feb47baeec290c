"""A mark that is taken back and set again notifies once; and a notification leads to its activity."""

import uuid

import pytest

from issuer import TokenService
from social import EXPIRE, followed, marked

TARGET = "/api/activities/notifications"


@pytest.fixture
def service(tokens):
    tokens.database.sql("truncate activities, follows, notification_reads cascade")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        service.database.feed_bound = 0
        yield service


def rows(service, handle="londo", query=""):
    reply = service.ask_as(handle, "GET", TARGET + query)
    assert reply.status == 200, reply
    return reply.json


def unread(service, handle="londo"):
    return service.ask_as(handle, "GET", TARGET + "/unread").json["unread"]


def read(service, **document):
    assert service.ask_as("londo", "PUT", TARGET + "/read", document).status == 200


@pytest.fixture(params=["like", "repost", "follow"])
def turn(request, service):
    """turn(handle, method): "PUT" makes the mark for londo, "DELETE" takes it back."""
    post = service.create_as("londo")["uuid"]

    def turn(handle, method):
        if request.param == "follow":
            return followed(service, handle, "londo", method)
        return marked(service, handle, request.param, post, method)

    return turn


def again(turn, handle="bayko", times=3):
    for _ in range(times):
        turn(handle, "DELETE")
        turn(handle, "PUT")


def test_what_was_read_stays_read(service, turn):
    turn("bayko", "PUT")
    before = rows(service)
    read(service)
    again(turn)
    assert rows(service) == [row | {"read": True} for row in before] and unread(service) == 0


def test_what_was_not_read_is_there_once(service, turn):
    turn("altbrown", "PUT")
    turn("bayko", "PUT")
    before = rows(service)
    again(turn)
    assert rows(service) == before and unread(service) == 2
    again(turn, "altbrown")
    after = rows(service)
    assert [row["handle"] for row in after] == ["altbrown", "bayko"] and unread(service) == 2
    assert {row["uuid"] for row in after} == {row["uuid"] for row in before}


def test_what_was_away_while_others_were_shown_is_shown(service, turn):
    turn("bayko", "PUT")
    turn("bayko", "DELETE")
    turn("altbrown", "PUT")
    reply = service.ask_as("londo", "GET", TARGET)
    assert [row["handle"] for row in reply.json] == ["altbrown"]
    turn("bayko", "PUT")
    assert [row["handle"] for row in rows(service, query="?since=" + reply.headers["Cruddur-Since"])] == ["bayko"]
    read(service, until=reply.json[0]["created_at"])
    assert [(row["handle"], row["read"]) for row in rows(service)] == [("bayko", False), ("altbrown", True)]
    assert unread(service) == 1


def test_a_poll_has_it_once(service, turn):
    turn("bayko", "PUT")
    reply = service.ask_as("londo", "GET", TARGET)
    again(turn)
    assert rows(service, query="?since=" + reply.headers["Cruddur-Since"]) == []


def test_while_it_is_taken_back_it_is_not_there(service, turn):
    turn("bayko", "PUT")
    turn("bayko", "DELETE")
    assert rows(service) == [] and unread(service) == 0
    turn("bayko", "DELETE")
    turn("bayko", "PUT")
    assert len(rows(service)) == 1 and unread(service) == 1


def test_what_was_never_shown_is_not_read(service, turn):
    """The notification was withdrawn while the list was marked as read."""
    turn("bayko", "PUT")
    turn("altbrown", "PUT")
    turn("bayko", "DELETE")
    assert [row["handle"] for row in rows(service)] == ["altbrown"]
    read(service, until=rows(service)[0]["created_at"])
    turn("bayko", "PUT")
    assert [(row["handle"], row["read"]) for row in rows(service)] == [("bayko", False), ("altbrown", True)]
    assert unread(service) == 1
    again(turn)
    assert unread(service) == 1


def test_nothing_is_left_of_what_has_ended(service):
    post = service.create_as("londo")["uuid"]
    for what in ("like", "repost"):
        marked(service, "bayko", what, post)
        marked(service, "bayko", what, post, "DELETE")
    assert len(service.database.sql("select key from withdrawn_notifications")) == 2
    service.database.sql("delete from activities where uuid = %s", post)
    assert service.database.sql("select key from withdrawn_notifications") == []


# --- where a notification leads ---


def show(service, target):
    """Asks as the finished frontend does, without a token."""
    return service.get(target, Content_Type="application/json")


@pytest.mark.parametrize("what", ["like", "repost"])
def test_a_notification_leads_to_its_activity(service, what):
    post = service.create_as("londo")["uuid"]
    service.reply_as("altbrown", post, "a reply")
    marked(service, "bayko", what, post)
    row = rows(service)[0]
    assert row["kind"] == what and row["uuid"] != post
    expected = show(service, f"/api/activities/{post}").json
    for path in (f"@{row['handle']}/status/{row['uuid']}", row["uuid"], row["uuid"].upper()):
        reply = show(service, f"/api/activities/{path}")
        assert (reply.status, reply.json) == (200, expected)
    assert show(service, f"/api/activities/@altbrown/status/{row['uuid']}").status == 404
    assert show(service, f"/api/activities/{uuid.uuid4()}").status == 404


def test_a_reply_or_a_mention_leads_to_itself(service):
    post = service.create_as("londo")["uuid"]
    service.reply_as("bayko", post, "a reply")
    service.create_as("altbrown", "hello @londo")
    for row in rows(service):
        reply = show(service, f"/api/activities/@{row['handle']}/status/{row['uuid']}")
        assert (reply.status, reply.json["activity"]["uuid"]) == (200, row["uuid"])


def test_a_follow_leads_to_what_was_told(service):
    followed(service, "bayko", "londo")
    (row,) = rows(service)
    reply = show(service, f"/api/activities/@bayko/status/{row['uuid']}")
    assert reply.status == 200
    activity = reply.json["activity"]
    assert (activity["uuid"], activity["handle"], activity["message"]) == (row["uuid"], "bayko", "follows you")
    assert (reply.json["replies"], reply.next_page) == ([], None)


def test_a_notification_of_what_has_ended_leads_nowhere(service):
    post = service.create_as("londo")["uuid"]
    marked(service, "bayko", "like", post)
    row = rows(service)[0]
    service.database.sql(EXPIRE, post)
    assert show(service, f"/api/activities/@bayko/status/{row['uuid']}").status == 404


def test_who_likes_what_is_not_to_be_guessed(service):
    """A notification's uuid cannot be computed from the user and the activity."""
    post = service.create_as("londo")["uuid"]
    marked(service, "bayko", "like", post)
    ((guess,),) = service.database.sql("select event_uuid('like', uuid, %s) from users where handle = 'bayko'", post)
    assert show(service, f"/api/activities/{guess}").status == 404
