"""Idempotency-Key: a POST that is sent again makes no second row, whoever sends it how often."""

import concurrent.futures

import pytest

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
    """The list is in the order of the newest messages, and a repetition is none."""
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
