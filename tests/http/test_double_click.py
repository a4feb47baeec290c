"""A second click makes no second post: same author, text and ttl within --repeat-window seconds, without an Idempotency-Key."""

import pytest

from client import Asking
from issuer import TokenService
from social import check_counts

WINDOW = "update activities set created_at = created_at - interval '61 seconds', expires_at = expires_at - interval '61 seconds'"


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster, repeat_window=60, workers=4) as service:
        yield service


def count(service, message):
    return service.database.sql("select count(*) from activities where message = %s and deleted_at is null", message)[0][0]


def uuids(ask, times):
    """Sends so many requests at once. Returns the uuids in the answers."""
    threads = [Asking(ask) for _ in range(times)]
    replies = [thread.reply() for thread in threads]
    assert {reply.status for reply in replies} == {200}, replies
    return {reply.json["uuid"] for reply in replies}


def post(service, message, handle="londo", ttl="1-day", **headers):
    reply = service.ask_as(handle, "POST", "/api/activities", {"message": message, "ttl": ttl}, headers)
    assert reply.status == 200, reply
    return reply


def test_two_clicks(service):
    first, second = post(service, "two clicks"), post(service, "two clicks")
    assert first.body == second.body and count(service, "two clicks") == 1


@pytest.mark.parametrize("number", range(10))
def test_clicks_at_the_same_time(service, number):
    message = f"at the same time {number}"
    assert len(uuids(lambda: post(service, message), 8)) == 1
    assert count(service, message) == 1


def test_what_is_another_post(service):
    ways = [{"message": message} for message in ("same", "same ", "Same")]
    ways += [{"message": "same", "ttl": "7-days"}, {"message": "same", "handle": "bayko"}]
    assert len({post(service, **way).json["uuid"] for way in ways}) == len(ways)


def test_keys_say_for_themselves_which_post_it_is(service):
    plain = post(service, "by key").json["uuid"]
    keyed = {post(service, "by key", **{"Idempotency-Key": key}).json["uuid"] for key in ("one", "two", "one")}
    assert len(keyed | {plain}) == 3


def test_after_the_window(service):
    first = post(service, "later again").json["uuid"]
    service.database.sql(f"{WINDOW} where uuid = %s", first)
    second = post(service, "later again").json["uuid"]
    assert second != first
    assert post(service, "later again").json["uuid"] == second


def test_what_was_deleted_is_posted_again(service):
    first = post(service, "deleted and again").json["uuid"]
    assert service.ask_as("londo", "DELETE", f"/api/activities/{first}").status == 200
    second = post(service, "deleted and again").json["uuid"]
    assert second != first and count(service, "deleted and again") == 1


def test_what_was_kept_for_longer_is_the_same(service):
    first = post(service, "kept").json["uuid"]
    assert service.ask_as("londo", "PUT", f"/api/activities/{first}/keep", {"ttl": "30-days"}).status == 200
    assert post(service, "kept").json["uuid"] == first


def test_replies(service):
    parents = [post(service, f"parent {number}").json["uuid"] for number in range(2)]
    for parent in parents:
        assert len(uuids(lambda parent=parent: service.reply_as("bayko", parent, "indeed"), 6)) == 1
    assert count(service, "indeed") == 2
    top = post(service, "indeed").json["uuid"]
    assert service.reply_as("londo", parents[0], "indeed").json["uuid"] != top
    assert [service.get(f"/api/activities/{parent}").json["activity"]["replies_count"] for parent in parents] == [2, 1]
    check_counts(service.database)


def test_messages_are_not_compared(service):
    assert len(uuids(lambda: service.message_as("londo", handle="bayko", message="haha"), 3)) == 3


def test_a_click_waits_for_the_first_one(service):
    with service.database.held(
        """insert into activities (user_uuid, message, expires_at)
           select uuid, 'under way', now() + interval '1 day' from users where handle = 'londo'"""
    ) as cursor:
        cursor.execute("select pg_advisory_xact_lock(1668445542, uuid_hash(uuid) # hashtext('under way')) from users where handle = 'londo'")
        second = Asking(post, service, "under way")
        service.database.wait_for_waiting()
        cursor.connection.commit()
        second.join()
    assert second.answer.status == 200 and count(service, "under way") == 1


def test_the_window_may_be_closed(cluster):
    with TokenService(cluster, repeat_window=0) as service:
        assert len({post(service, "again").json["uuid"] for _ in range(3)}) == 3
