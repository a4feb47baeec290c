"""Idempotency-Key: a POST that is sent again makes no second row, however often it is sent."""

import concurrent.futures
import json

import pytest

from client import Asking
from issuer import TokenService

TIMES = 50


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster, workers=4) as service:
        yield service


def at_once(ask, times=TIMES):
    with concurrent.futures.ThreadPoolExecutor(times) as pool:
        return list(pool.map(lambda _: ask(), range(times)))


def create(service, key, handle="londo", message="hello", ttl="1-day"):
    return service.ask_as(handle, "POST", "/api/activities", {"message": message, "ttl": ttl}, {"Idempotency-Key": key})


def reply_to(service, parent, key, handle="londo", message="indeed"):
    return service.reply_as(handle, parent, message, **{"Idempotency-Key": key})


def send(service, key, sender="londo", **document):
    body = {"message": "psst"} | document
    return service.ask_as(sender, "POST", "/api/messages", body, {"Idempotency-Key": key})


def check_reused(reply):
    assert (reply.status, reply.json) == (422, ["idempotency_key_reused"])


def count(service, table, message):
    ((rows,),) = service.database.sql(f"select count(*) from {table} where message = %s", message)
    return rows


def replies_count(service, uuid):
    return service.get(f"/api/activities/{uuid}").json["activity"]["replies_count"]


def test_fifty_creates_at_once(service):
    replies = at_once(lambda: create(service, "fifty", message="fifty at once"))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert count(service, "activities", "fifty at once") == 1


def test_fifty_replies_at_once(service):
    parent = service.create_as("bayko")["uuid"]
    replies = at_once(lambda: reply_to(service, parent, "fifty", message="fifty replies"))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert count(service, "activities", "fifty replies") == 1
    assert replies_count(service, parent) == 1


@pytest.mark.parametrize("field", ["handle", "user_receiver_handle"])
def test_fifty_first_messages_at_once(service, field):
    message = f"fifty messages by {field}"
    replies = at_once(lambda: send(service, message.replace(" ", "-"), "andrewbrown", message=message, **{field: "altbrown"}))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert count(service, "messages", message) == 1
    ((groups,),) = service.database.sql(
        """select count(*) from message_groups g join users u on u.uuid in (g.first_user_uuid, g.second_user_uuid)
           where handle = 'altbrown'"""
    )
    assert groups == 1


def test_fifty_further_messages_at_once(service):
    group = service.message_as("londo", handle="bayko").json["message_group_uuid"]
    replies = at_once(lambda: send(service, "further", message="fifty further", message_group_uuid=group))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert count(service, "messages", "fifty further") == 1


def test_different_keys_make_different_rows(service):
    uuids = {create(service, key, message="many keys").json["uuid"] for key in ("a", "b", "A", "a ".strip() + "-", "%61")}
    assert len(uuids) == 5
    assert count(service, "activities", "many keys") == 5


def test_without_a_key_every_post_counts(service):
    for _ in range(3):
        service.create_as("londo", "no key")
    assert count(service, "activities", "no key") == 3


def test_a_key_is_good_for_one_body(service):
    first = create(service, "one body")
    assert first.status == 400  # a blank is no visible character
    first = create(service, "one-body", message="one body")
    check_reused(create(service, "one-body", message="another body"))
    check_reused(create(service, "one-body", message="one body", ttl="7-days"))
    assert create(service, "one-body", message="one body").body == first.body
    assert count(service, "activities", "another body") == 0


def test_a_reply_key_is_good_for_one_body(service):
    parents = [service.create_as("bayko")["uuid"] for _ in range(2)]
    first = reply_to(service, parents[0], "one-reply")
    check_reused(reply_to(service, parents[0], "one-reply", message="another"))
    check_reused(reply_to(service, parents[1], "one-reply"))
    assert reply_to(service, parents[0], "one-reply").body == first.body
    assert [replies_count(service, parent) for parent in parents] == [1, 0]


def test_a_message_key_is_good_for_one_body(service):
    first = send(service, "one-message", handle="bayko")
    group = first.json["message_group_uuid"]
    check_reused(send(service, "one-message", message="another", handle=None, message_group_uuid=group))
    check_reused(send(service, "one-message", handle="andrewbrown"))
    assert send(service, "one-message", handle="bayko").body == first.body


def test_a_refused_repetition_begins_no_conversation(service):
    before = service.database.sql("select uuid, last_message_at from message_groups order by uuid")
    check_reused(send(service, "one-message", handle="altbrown"))
    assert service.database.sql("select uuid, last_message_at from message_groups order by uuid") == before


def test_a_repeated_message_moves_no_conversation(service):
    """The list is sorted by each conversation's newest message, and a repetition is not a new message."""
    send(service, "moves", "bayko", message="older", handle="altbrown")
    send(service, "moves-on", "bayko", message="newer", handle="andrewbrown")
    order = [group["handle"] for group in service.ask_as("bayko", "GET", "/api/message_groups").json]
    assert order[:2] == ["andrewbrown", "altbrown"]
    send(service, "moves", "bayko", message="older", handle="altbrown")
    assert [group["handle"] for group in service.ask_as("bayko", "GET", "/api/message_groups").json] == order


def test_users_have_keys_of_their_own(service):
    rows = [create(service, "shared", handle, "shared key").json for handle in ("londo", "bayko")]
    assert [row["handle"] for row in rows] == ["londo", "bayko"]
    assert rows[0]["uuid"] != rows[1]["uuid"]
    assert create(service, "shared", "bayko", "shared key").json == rows[1]


def test_kinds_have_keys_of_their_own(service):
    parent = create(service, "kinds", message="kinds").json["uuid"]
    reply = reply_to(service, parent, "kinds", message="kinds").json["uuid"]
    message = send(service, "kinds", message="kinds", handle="bayko").json["uuid"]
    assert len({parent, reply, message}) == 3
    assert (count(service, "activities", "kinds"), count(service, "messages", "kinds")) == (2, 1)


@pytest.mark.parametrize("key, status", [("k" * 255, 200), ("!~", 200), ('"quoted"', 200), ("k" * 256, 400), ("a b", 400), ("é", 400)])
def test_what_is_a_key(service, key, status):
    reply = create(service, key, message="forms")
    assert reply.status == status
    if status == 400:
        assert reply.json == ["idempotency_key_invalid"]
        assert reply_to(service, service.create_as("bayko")["uuid"], key).status == 400
        assert send(service, key, handle="bayko").status == 400


def test_a_repetition_after_delete_brings_nothing_back(service):
    parent = service.create_as("bayko")["uuid"]
    ways = (
        lambda: create(service, "deleted", message="deleted and again"),
        lambda: reply_to(service, parent, "deleted", message="deleted and again"),
    )
    for way in ways:
        first = way().json["uuid"]
        assert service.ask_as("londo", "DELETE", f"/api/activities/{first}").status == 200
        for _ in range(3):
            reply = way()
            assert (reply.status, reply.json) == (410, ["activity_deleted"])
        assert service.get(f"/api/activities/{first}").status == 404
        assert service.ask_as("londo", "DELETE", f"/api/activities/{first}").status == 200
    assert replies_count(service, parent) == 0


def test_handles_in_either_case_are_one_user(start):
    service = start()
    ask = lambda handle: service.post(  # noqa: E731
        "/api/activities", {"message": "case", "ttl": "1-day", "user_handle": handle}, {"Idempotency-Key": "case"}
    )
    assert ask("londo").body == ask("LonDo").body
    assert ask("bayko").json["uuid"] != ask("londo").json["uuid"]


# --- the object was changed or has ended meanwhile ---


def check_gone(reply):
    assert (reply.status, reply.json) == (410, ["activity_deleted"])


def keep(service, uuid, ttl="30-days", handle="londo"):
    reply = service.ask_as(handle, "PUT", f"/api/activities/{uuid}/keep", {"ttl": ttl})
    assert reply.status == 200, reply
    return reply.json


def test_a_repetition_after_keep_is_the_same(service):
    first = create(service, "kept", message="kept").json
    for ttl in ("3-days", "30-days"):
        kept = keep(service, first["uuid"], ttl)
        reply = create(service, "kept", message="kept")
        assert (reply.status, reply.json) == (200, first | {"expires_at": kept["expires_at"]})
    check_reused(create(service, "kept", message="kept", ttl="30-days"))
    check_reused(create(service, "kept", message="something else"))


def test_a_reply_is_the_same_after_its_parent_was_kept(service):
    parent = create(service, "kept-parent", "bayko", "kept parent").json["uuid"]
    first = reply_to(service, parent, "kept-reply").json
    kept = keep(service, parent, handle="bayko")
    reply = reply_to(service, parent, "kept-reply")
    assert (reply.status, reply.json) == (200, first | {"expires_at": kept["expires_at"]})
    assert replies_count(service, parent) == 1


def age(service, message, interval="2 days"):
    """Changes the activities as if they had been posted so long ago."""
    service.database.sql(
        """update activities
           set created_at = created_at - %s::interval, expires_at = expires_at - %s::interval, deleted_at = deleted_at - %s::interval
           where message = %s""",
        *[interval] * 3,
        message,
    )


def purge(service):
    """Does all that the service's purger would do."""
    while service.database.sql("select purge_step(100)") != [(0,)]:
        pass


ENDS = {
    "expired": lambda service, uuid, message: age(service, message),
    "purged when expired": lambda service, uuid, message: (age(service, message), purge(service)),
    "deleted": lambda service, uuid, message: service.ask_as("londo", "DELETE", f"/api/activities/{uuid}"),
    "purged when deleted": lambda service, uuid, message: (
        service.ask_as("londo", "DELETE", f"/api/activities/{uuid}"), age(service, message), purge(service),
    ),
    "deleted by hand": lambda service, uuid, message: service.database.sql("delete from activities where uuid = %s", uuid),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_a_repetition_after_the_end_brings_nothing_back(service, end):
    message = f"it has {end}"
    key = message.replace(" ", "-")
    first = create(service, key, message=message).json["uuid"]
    ENDS[end](service, first, message)
    for _ in range(2):
        check_gone(create(service, key, message=message))
    for reply in at_once(lambda: create(service, key, message=message), 8):
        check_gone(reply)
    assert service.get(f"/api/activities/{first}").status == 404
    purge(service)
    assert count(service, "activities", message) == (1 if end == "deleted" else 0)
    assert create(service, key + "-new", message=message).status == 200


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("what", ["the reply", "its parent"])
def test_a_repeated_reply_after_the_end(service, end, what):
    """If the reply or its parent has ended, nothing is counted again."""
    message = f"{what} has {end}"
    key = message.replace(" ", "-")
    parent = create(service, key + "-parent", message=f"{message}, parent").json["uuid"]
    reply = reply_to(service, parent, key, message=message).json["uuid"]
    if what == "the reply":
        ENDS[end](service, reply, message)
    else:
        ENDS[end](service, parent, f"{message}, parent")
        if end == "expired":
            age(service, message)  # with its parent
    for _ in range(2):
        check_gone(reply_to(service, parent, key, message=message))
    assert service.get(f"/api/activities/{reply}").status == 404
    if what == "the reply" and end in ("deleted", "purged when deleted"):
        assert replies_count(service, parent) == 0


def test_a_key_is_remembered_for_seven_days(service):
    """The days count from the purge on. After them the key makes a new object."""
    first = create(service, "remembered", message="remembered").json["uuid"]
    age(service, "remembered")
    purge(service)
    for days in (6, 8):
        service.database.sql("update used_keys set gone_at = now() - %s * interval '1 day' where uuid = %s", days, first)
        purge(service)
        reply = create(service, "remembered", message="remembered")
        if days == 6:
            check_gone(reply)
    assert (reply.status, reply.json["uuid"]) == (200, first)


def test_what_had_no_key_leaves_none(service):
    post = service.create_as("londo", "no key to remember")["uuid"]
    service.database.sql("delete from activities where uuid = %s", post)
    assert service.database.sql("select uuid from used_keys where uuid = %s", post) == []


def test_a_repetition_that_waits_for_the_purge(service):
    """It began before the row was deleted, so its snapshot still has the row that it waits for."""
    first = create(service, "waits", message="waits for the purge").json["uuid"]
    age(service, "waits for the purge")
    with service.database.held(f"delete from activities where uuid = '{first}'") as cursor:
        repetition = Asking(create, service, "waits", "londo", "waits for the purge")
        service.database.wait_for_waiting()
        cursor.connection.commit()
        check_gone(repetition.reply())
    assert count(service, "activities", "waits for the purge") == 0


@pytest.mark.parametrize("key", ["", " "])
def test_an_empty_key(service, key):
    """Some front servers pass an empty header on. nginx treats it like no header, so the request is sent without nginx."""
    parent = service.create_as("bayko")["uuid"]
    asks = {
        "/api/activities": {"message": "empty key", "ttl": "1-day"},
        f"/api/activities/{parent}/reply": {"message": "empty key"},
        "/api/messages": {"message": "empty key", "handle": "bayko"},
    }
    for target, document in asks.items():
        with service.peer() as peer:
            parameters = {"HTTP_AUTHORIZATION": f"Bearer {service.token('londo')}", "HTTP_IDEMPOTENCY_KEY": key}
            reply = peer.ask("POST", target, json.dumps(document).encode(), **parameters)
        assert (reply.status, reply.json) == (400, ["idempotency_key_invalid"])
