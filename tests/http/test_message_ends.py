"""Messages that end: their sender deletes them, or they expire; and which of them are unread."""

import uuid

import pytest

from client import Asking
from issuer import TokenService
from social import check_strangers
from test_messages import GROUPS, begin, groups, messages
from waiting import eventually

TTL = {"30-days": 2592000, "7-days": 604800, "3-days": 259200, "1-day": 86400, "12-hours": 43200, "3-hours": 10800, "1-hour": 3600}
NO_SUCH = "00000000-0000-4000-8000-000000000000"
EXPIRE = "update messages set expires_at = now() where uuid = %s"
PURGE = "select purge_messages(100)"


@pytest.fixture
def service(tokens):
    """Without any message."""
    tokens.database.sql("truncate message_groups cascade")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        yield service


def send(service, sender="londo", receiver="bayko", message="psst", **more):
    reply = service.message_as(sender, message=message, handle=receiver, **more)
    assert reply.status == 200, reply
    return reply.json


def delete(service, handle, sent):
    return service.ask_as(handle, "DELETE", f"/api/messages/{sent['message_group_uuid']}/{sent['uuid']}")


def deleted(service, handle, sent):
    reply = delete(service, handle, sent)
    assert (reply.status, reply.json) == (200, {"uuid": sent["uuid"]})


def read(service, handle, group, **document):
    reply = service.ask_as(handle, "PUT", f"{GROUPS}/{group}/read", document)
    assert reply.status == 200, reply
    return reply.json["read_at"]


def texts(service, handle="bayko", other="londo"):
    return [row["message"] for row in messages(service, handle, f"@{other}")]


def unread(service, handle="bayko"):
    return {row["handle"]: row["unread"] for row in groups(service, handle)}


# --- deleting ---


def test_a_message_is_gone_for_both(service):
    sent = [send(service, message=str(number)) for number in range(3)]
    deleted(service, "londo", sent[1])
    for handle, other in (("londo", "bayko"), ("bayko", "londo")):
        assert texts(service, handle, other) == ["0", "2"]
        assert [row["message"] for row in groups(service, handle)] == ["2"]
    deleted(service, "londo", sent[2])
    for handle in ("londo", "bayko"):
        assert [(row["message"], row["created_at"]) for row in groups(service, handle)] == [("0", sent[0]["created_at"])]
    deleted(service, "londo", sent[0])
    for handle, other in (("londo", "bayko"), ("bayko", "londo")):
        assert (groups(service, handle), texts(service, handle, other)) == ([], [])
    send(service, "bayko", "londo", "anew")
    assert [row["message"] for row in groups(service, "londo")] == ["anew"]


def test_again(service):
    sent = send(service)
    for _ in range(2):
        deleted(service, "londo", sent)
    before = service.database.sql("select deleted_at from messages")
    deleted(service, "londo", sent)
    assert service.database.sql("select deleted_at from messages") == before
    service.database.sql("update messages set deleted_at = now() - interval '61 minutes'")
    assert service.database.sql(PURGE) == [(1,)]
    assert delete(service, "londo", sent).json == ["not_found"]


def test_the_other_user_and_others(service):
    sent = send(service)
    reply = delete(service, "bayko", sent)
    assert (reply.status, reply.json) == (403, ["not_yours"])
    for handle in ("altbrown", "andrewbrown"):
        reply = delete(service, handle, sent)
        assert (reply.status, reply.json) == (404, ["not_found"])
    check_strangers(service, "DELETE", f"/api/messages/{sent['message_group_uuid']}/{sent['uuid']}")
    assert texts(service) == ["psst"]
    deleted(service, "londo", sent)
    assert delete(service, "bayko", sent).json == ["not_found"]


def test_what_is_not_there(service):
    sent, other = send(service), send(service, "londo", "altbrown")
    for wrong in ({"uuid": NO_SUCH}, {"message_group_uuid": NO_SUCH}, {"message_group_uuid": other["message_group_uuid"]}):
        reply = delete(service, "londo", sent | wrong)
        assert (reply.status, reply.json) == (404, ["not_found"])
    assert texts(service) == ["psst"]


def test_deletes_at_once(service):
    sent = send(service)
    askings = [Asking(delete, service, "londo", sent) for _ in range(8)]
    assert {asking.reply().status for asking in askings} == {200}


def test_a_key_brings_nothing_back(service):
    """A repeated key finds the deleted row for an hour, and the stored key for a week."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}

    def again(field="handle", value="bayko"):
        return service.ask_as("londo", "POST", "/api/messages", {"message": "once", field: value}, headers)

    sent = again().json
    deleted(service, "londo", sent)
    for step in range(2):
        for field, value in (("handle", "bayko"), ("message_group_uuid", sent["message_group_uuid"])):
            reply = again(field, value)
            assert (reply.status, reply.json) == (410, ["message_deleted"]), step
        service.database.sql("update messages set deleted_at = now() - interval '2 hours'")
        service.database.sql(PURGE)
    assert service.database.sql("select count(*) from messages") == [(0,)]
    service.database.sql("update used_keys set gone_at = now() - interval '8 days'")
    service.database.sql("select purge_used_keys(10)")
    assert again().status == 200


def test_the_list_keeps_its_order(service):
    send(service, "londo", "bayko")
    last = send(service, "londo", "altbrown")
    send(service, "altbrown", "londo", "before")
    last = send(service, "londo", "altbrown", "last")
    deleted(service, "londo", last)
    assert [(row["handle"], row["message"]) for row in groups(service, "londo")] == [("altbrown", "before"), ("bayko", "psst")]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_over_a_conversation_without_messages(service, limit):
    sent = {other: send(service, "londo", other) for other in ("bayko", "altbrown", "andrewbrown")}
    deleted(service, "londo", sent["altbrown"])
    target, handles = f"{GROUPS}?limit={limit}", []
    while target:
        reply = service.ask_as("londo", "GET", target)
        handles += [row["handle"] for row in reply.json]
        target = reply.next_page
    assert handles == ["andrewbrown", "bayko"]


def test_polling_misses_nothing_behind_a_deleted_message(service):
    send(service)
    last = send(service, message="last")
    seen = service.ask_as("bayko", "GET", "/api/messages/@londo").headers["Cruddur-Since"]
    deleted(service, "londo", last)
    send(service, message="new")
    assert [row["message"] for row in messages(service, "bayko", "@londo", f"?since={seen}")] == ["new"]


# --- expiring ---


@pytest.mark.parametrize("ttl", TTL)
@pytest.mark.parametrize("field", ["handle", "message_group_uuid"])
def test_lifetimes(service, ttl, field):
    value = begin(service) if field == "message_group_uuid" else "bayko"
    sent = service.message_as("londo", ttl=ttl, message="brief", **{field: value}).json
    (row,) = [row for row in messages(service, "bayko", "@londo") if row["message"] == "brief"]
    assert row["expires_at"] == sent["expires_at"] is not None
    ((seconds,),) = service.database.sql("select extract(epoch from expires_at - created_at) from messages where uuid = %s", sent["uuid"])
    assert seconds == TTL[ttl]


@pytest.mark.parametrize("more", [{}, {"ttl": None}])
def test_for_ever(service, more):
    assert send(service, **more)["expires_at"] is None


@pytest.mark.parametrize("ttl", ["", "2-days", "1 day", 5, [], "1-DAY"])
def test_lifetimes_that_are_none(service, ttl):
    reply = service.message_as("londo", handle="bayko", ttl=ttl)
    assert (reply.status, reply.json) == (422, ["ttl_blank"])
    reply = service.message_as("londo", message="", ttl=ttl)
    assert (reply.status, reply.json) == (422, ["message_blank", "ttl_blank", "user_reciever_handle_blank"])
    assert service.database.sql("select count(*) from messages") == [(0,)]


def test_expired_is_gone_everywhere_at_once(service):
    sent = [send(service, message=str(number), ttl="1-day") for number in range(2)]
    service.database.sql(EXPIRE, sent[1]["uuid"])
    assert texts(service) == ["0"]
    assert [(row["message"], row["unread"]) for row in groups(service, "bayko")] == [("0", 1)]
    assert delete(service, "londo", sent[1]).json == ["not_found"]
    service.database.sql(EXPIRE, sent[0]["uuid"])
    assert (texts(service), groups(service, "bayko"), groups(service, "londo")) == ([], [], [])
    assert service.database.sql(PURGE) == [(2,)]
    assert service.database.sql("select count(*) from messages") == [(0,)]


def test_an_expired_one_with_a_key_is_not_sent_again(service):
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    document = {"message": "once", "handle": "bayko", "ttl": "1-hour"}
    sent = service.ask_as("londo", "POST", "/api/messages", document, headers).json
    assert service.ask_as("londo", "POST", "/api/messages", document, headers).json == sent
    for other in ({"ttl": "3-hours"}, {"ttl": None}):
        reply = service.ask_as("londo", "POST", "/api/messages", document | other, headers)
        assert (reply.status, reply.json) == (422, ["idempotency_key_reused"])
        reply = service.ask_as("londo", "POST", "/api/messages", document | other | {"message_group_uuid": sent["message_group_uuid"]}, headers)
        assert (reply.status, reply.json) == (422, ["idempotency_key_reused"])
    service.database.sql(EXPIRE, sent["uuid"])
    reply = service.ask_as("londo", "POST", "/api/messages", document, headers)
    assert (reply.status, reply.json) == (410, ["message_deleted"])


def test_the_purge_takes_what_has_ended_and_nothing_else(service):
    send(service, message="for ever")
    later, ended, gone = send(service, ttl="1-day"), send(service, ttl="1-day"), send(service)
    service.database.sql(EXPIRE, ended["uuid"])
    deleted(service, "londo", gone)
    assert service.database.sql(PURGE) == [(1,)]  # what was deleted is kept for an hour
    service.database.sql("update messages set deleted_at = now() - interval '1 hour 1 second' where uuid = %s", gone["uuid"])
    assert service.database.sql("select purge_messages(0)") == [(0,)]
    assert service.database.sql(PURGE) == [(1,)]
    assert {row["uuid"] for row in messages(service, "bayko", "@londo")} >= {later["uuid"]}
    assert texts(service) == ["for ever", "psst"]


def test_the_service_purges_by_itself(cluster):
    with TokenService(cluster, purge_interval=1) as service:
        sent = send(service, ttl="1-hour")
        service.database.sql(EXPIRE, sent["uuid"])
        eventually(lambda: service.database.sql("select count(*) from messages") == [(0,)], what="the purge")


# --- unread ---


def test_unread_until_it_is_read(service):
    group = send(service)["message_group_uuid"]
    assert (unread(service), unread(service, "londo")) == ({"londo": 1}, {"bayko": 0})
    send(service, message="more")
    assert unread(service) == {"londo": 2}
    read(service, "bayko", group)
    assert unread(service) == {"londo": 0}
    send(service, "bayko", "londo", "yes?")
    assert (unread(service), unread(service, "londo")) == ({"londo": 0}, {"bayko": 1})


def test_up_to_a_message(service):
    sent = [send(service, message=str(number)) for number in range(4)]
    group = sent[0]["message_group_uuid"]
    assert read(service, "bayko", group, until=sent[1]["created_at"]) == sent[1]["created_at"]
    assert unread(service) == {"londo": 2}
    assert read(service, "bayko", group, until=sent[0]["created_at"]) == sent[1]["created_at"]  # the mark never moves back
    assert read(service, "bayko", group, until="9999-01-01T00:00:00Z") == sent[3]["created_at"]  # nor beyond the newest message
    send(service)
    assert unread(service) == {"londo": 1}


def test_a_millisecond_is_a_message_s_own(service):
    """A client that cuts times to milliseconds marks nothing that it has not shown."""
    group = begin(service)
    service.database.sql(
        "insert into messages (message_group_uuid, user_uuid, message) select %s, uuid, 'burst' from users, generate_series(1, 20) where handle = 'londo'", group
    )
    times = service.database.sql("select created_at from messages order by created_at")
    cut = {at.replace(microsecond=at.microsecond // 1000 * 1000) for (at,) in times}
    assert len(cut) == len(times) == 21
    shown = times[17][0]
    read(service, "bayko", group, until=shown.isoformat(timespec="milliseconds"))
    assert unread(service) == {"londo": 3}


@pytest.mark.parametrize("count, shown", [(9, 9), (10, 10), (11, 10)])
def test_the_count_ends_at_ten(service, count, shown):
    for _ in range(count):
        send(service)
    send(service, "bayko", "londo", "one's own are none")
    assert unread(service) == {"londo": shown}


def test_deleted_messages_are_not_unread(service):
    sent = send(service), send(service)
    deleted(service, "londo", sent[0])
    assert unread(service) == {"londo": 1}


def test_a_message_that_becomes_visible_later_is_unread(service):
    """The message's transaction was open when the other user marked all messages as read."""
    group = begin(service)
    insert = f"insert into messages (message_group_uuid, user_uuid, message) select '{group}', uuid, 'late' from users where handle = 'londo'"
    with service.database.held(insert) as cursor:
        read(service, "bayko", group)
        assert unread(service) == {"londo": 0}
        cursor.connection.commit()
    assert unread(service) == {"londo": 1}
    assert texts(service) == ["psst", "late"]


def test_of_others(service):
    group = begin(service)
    for handle in ("altbrown", "andrewbrown"):
        reply = service.ask_as(handle, "PUT", f"{GROUPS}/{group}/read", {})
        assert (reply.status, reply.json) == (404, ["not_found"])
    check_strangers(service, "PUT", f"{GROUPS}/{group}/read", {})
    reply = service.ask_as("bayko", "PUT", f"{GROUPS}/{NO_SUCH}/read", {})
    assert (reply.status, reply.json) == (404, ["not_found"])
    assert service.database.sql("select count(*) from conversation_reads") == [(0,)]


@pytest.mark.parametrize("until", ["yesterday", "2026-02-30T00:00:00Z", 5, ""])
def test_times_that_are_none(service, until):
    reply = service.ask_as("bayko", "PUT", f"{GROUPS}/{begin(service)}/read", {"until": until})
    assert (reply.status, reply.json) == (422, ["until_invalid"])
