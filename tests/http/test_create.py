"""POST /api/activities in handle mode: what is accepted, what is answered, what is stored."""

import datetime
import json
import threading

import pytest

FIELDS = {
    "uuid", "display_name", "handle", "message", "replies_count", "reposts_count", "likes_count",
    "reply_to_activity_uuid", "expires_at", "created_at", "liked", "reposted", "replies",
}  # fmt: skip
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)


def code(service, **fields):
    """The codes of a refusal."""
    reply = service.create(**fields)
    assert reply.status == 422, reply
    return reply.json


def stored(service, uuid):
    ((message,),) = service.database.sql("select message from activities where uuid = %s", uuid)
    return message


def test_the_created_object(service):
    reply = service.create("hello, world")
    row = reply.json
    assert reply.status == 200
    assert set(row) == FIELDS
    assert (row["display_name"], row["handle"], row["message"]) == ("Andrew Brown", "andrewbrown", "hello, world")
    assert (row["replies_count"], row["reposts_count"], row["likes_count"], row["replies"]) == (0, 0, 0, [])
    assert row["reply_to_activity_uuid"] is None
    assert stored(service, row["uuid"]) == "hello, world"


def test_the_next_read_shows_it_first(service):
    for number in range(5):
        created = service.create(f"number {number}").json
        (shown,) = service.home("?limit=1").json
        assert created == shown | {"liked": False, "reposted": False}


@pytest.mark.parametrize(
    "ttl, lifetime",
    [
        ("30-days", 30 * DAY), ("7-days", 7 * DAY), ("3-days", 3 * DAY), ("1-day", DAY),
        ("12-hours", 12 * HOUR), ("3-hours", 3 * HOUR), ("1-hour", HOUR),
    ],
)  # fmt: skip
def test_lifetimes(service, ttl, lifetime):
    before = datetime.datetime.now(datetime.timezone.utc)
    row = service.create(ttl=ttl).json
    after = datetime.datetime.now(datetime.timezone.utc)
    created, expires = (datetime.datetime.fromisoformat(row[name]) for name in ("created_at", "expires_at"))
    assert expires - created == lifetime
    assert before <= created <= after


@pytest.mark.parametrize(
    "ttl", ["", "2-days", "30 days", "30-DAYS", "30-days ", "1 day'; --", None, 30, True, ["1-day"], {}]
)
def test_lifetimes_that_are_none(service, ttl):
    assert code(service, ttl=ttl) == ["ttl_blank"]


@pytest.mark.parametrize(
    "body",
    [
        {"user_handle": "bayko"},
        {"handle": "bayko"},
        {"user_handle": None, "handle": "bayko"},
        {"user_handle": "bayko", "handle": "londo"},
        {"user_handle": "BaYkO"},
    ],
)
def test_the_author(service, body):
    reply = service.post("/api/activities", {"message": "hi", "ttl": "1-day"} | body)
    assert (reply.json["handle"], reply.json["display_name"]) == ("bayko", "Andrew Bayko")


@pytest.mark.parametrize("handle", ["nobody", "andrewbrown ", "andrew%", "x" * 5000, "' or true --", "ändrew"])
def test_an_author_that_does_not_exist(service, handle):
    assert code(service, user_handle=handle) == ["user_not_found"]


@pytest.mark.parametrize("handle", ["", None, 7, ["andrewbrown"]])
def test_no_author(service, handle):
    assert code(service, user_handle=handle) == ["user_handle_blank"]


@pytest.mark.parametrize("message", ["", None, 7, ["hello"], {"text": "hello"}, False, " ", "\u3000\u200b\n", "\u2800", "\u3164"])
def test_no_message(service, message):
    assert code(service, message=message) == ["message_blank"]


def test_all_codes_at_once_and_the_message_first(service):
    everything = {"message": "", "ttl": "", "user_handle": ""}
    reply = service.post("/api/activities", everything)
    assert reply.json[0] == "message_blank"
    assert set(reply.json) == {"message_blank", "ttl_blank", "user_handle_blank"}
    assert service.post("/api/activities", {}).json == reply.json
    assert service.post("/api/activities", everything | {"message": "x" * 281}).json[0] == "message_exceed_max_chars"


@pytest.mark.parametrize(
    "character",
    ["x", "é", "e\u0301"[1], "\U0001f600", "\u200d", "\ufeff", "\u2028", "\U0010ffff", "\t", " "],
    ids=lambda character: f"U+{ord(character):04X}",
)
def test_lengths_are_in_code_points(service, character):
    row = service.create("." + character * 279).json
    assert row["message"] == stored(service, row["uuid"]) == "." + character * 279
    assert code(service, message="." + character * 280) == ["message_exceed_max_chars"]


def test_a_family_counts_as_its_code_points(service):
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one glyph, five code points
    assert service.create(family * 56).status == 200
    assert code(service, message=family * 56 + "x") == ["message_exceed_max_chars"]


@pytest.mark.parametrize(
    "message",
    [
        "'; drop table activities; --", "$1 $$ $tag$ %(uuid)s %s %%", "\\'; select 1; \\", 'a "quoted" \\" word',
        "<script>alert('x')</script>", "</script><img src=x onerror=alert(1)>", "&lt;b&gt; &amp;amp;", "{{7*7}} ${7*7}",
        "\x01\x1f\x7f.", "line one\r\nline two\n\ttabbed", "\r\nX-Injected: yes\r\n\r\n", "\u202eright to left",
        "   blanks around   ", "null", "[]", "0", "İıſK", "\ud7ff\ue000\uffff",
    ],
)  # fmt: skip
def test_payloads_come_back_byte_for_byte(service, message):
    reply = service.create(message)
    assert reply.status == 200, reply
    assert reply.json["message"] == stored(service, reply.json["uuid"]) == message
    assert service.home("?limit=1").json[0]["message"] == message
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Content-Type"] == "application/json"
    assert "X-Injected" not in reply.headers


def test_escapes_and_plain_text_mean_the_same(service):
    message = "é \U0001f600 / \" \\"
    body = {"message": message, "ttl": "1-day", "user_handle": "londo"}
    for text in (json.dumps(body), json.dumps(body, ensure_ascii=False), json.dumps(body).replace("/", "\\/")):
        assert service.post("/api/activities", text.encode()).json["message"] == message


def test_other_members_are_passed_over(service):
    taken = {"uuid": "5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a418", "likes_count": 99, "created_at": "1970-01-01"}
    reply = service.create(**taken, extra=[{}])
    assert reply.status == 200
    assert all(reply.json[name] != value for name, value in taken.items())


def test_a_refused_create_stores_nothing(service):
    before = service.database.messages()
    for fields in ({"message": "x" * 281}, {"ttl": "never"}, {"user_handle": "nobody"}):
        service.create(**{"message": "refused"} | fields)
    assert service.database.messages() == before


def test_creates_at_the_same_time(service):
    replies = []

    def create(number):
        replies.append(service.create(f"at once {number}"))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.status for reply in replies] == [200] * 40
    assert len({reply.json["uuid"] for reply in replies}) == 40
    messages = service.database.messages()
    assert all(messages[f"at once {number}"] == 1 for number in range(40))
