"""Conversations of two: message_groups, messages in both frontends' forms, and what others see of them."""

import datetime
import uuid

import pytest

from issuer import TokenService

GROUP_FIELDS = {"uuid", "display_name", "handle", "message", "created_at", "unread"}
MESSAGE_FIELDS = {"message_group_uuid", "uuid", "display_name", "handle", "message", "created_at", "expires_at"}
SENT_FIELDS = MESSAGE_FIELDS
GROUPS = "/api/message_groups"


@pytest.fixture
def service(tokens):
    """Without any message."""
    tokens.database.sql("truncate message_groups cascade")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        yield service


def begin(service, sender="londo", receiver="bayko", message="psst"):
    reply = service.message_as(sender, message=message, handle=receiver)
    assert reply.status == 200, reply
    return reply.json["message_group_uuid"]


def groups(service, handle, query=""):
    reply = service.ask_as(handle, "GET", GROUPS + query)
    assert reply.status == 200, reply
    return reply.json


def messages(service, handle, what, query=""):
    reply = service.ask_as(handle, "GET", f"/api/messages/{what}{query}")
    assert reply.status == 200, reply
    return reply.json


def test_at_first_there_is_nothing(service):
    for handle in ("londo", "bayko"):
        assert groups(service, handle) == []
    assert messages(service, "londo", "@bayko") == []


@pytest.mark.parametrize("field", ["handle", "user_receiver_handle"])
@pytest.mark.parametrize("receiver", ["bayko", "BAYKO"])
def test_the_first_message(service, field, receiver):
    reply = service.message_as("londo", message="hello", **{field: receiver})
    assert reply.status == 200
    sent = reply.json
    assert set(sent) == SENT_FIELDS
    assert (sent["handle"], sent["display_name"], sent["message"]) == ("londo", "Londo Mollari", "hello")
    for handle, other in (("londo", "bayko"), ("bayko", "londo")):
        (group,) = groups(service, handle)
        assert set(group) == GROUP_FIELDS
        assert (group["uuid"], group["handle"], group["message"]) == (sent["message_group_uuid"], other, "hello")
        for what in (group["uuid"], group["uuid"].upper(), f"@{other}"):
            assert messages(service, handle, what) == [{name: sent[name] for name in MESSAGE_FIELDS}]


def test_further_messages(service):
    group = begin(service)
    reply = service.message_as("bayko", message="what?", message_group_uuid=group)
    assert (reply.status, set(reply.json)) == (200, SENT_FIELDS)
    assert (reply.json["message_group_uuid"], reply.json["handle"], reply.json["message"]) == (group, "bayko", "what?")
    service.message_as("londo", message="nothing", message_group_uuid=group)
    assert [(row["handle"], row["message"]) for row in messages(service, "londo", group)] == [
        ("londo", "psst"), ("bayko", "what?"), ("londo", "nothing"),
    ]  # fmt: skip
    assert groups(service, "bayko")[0]["message"] == "nothing"


def test_a_pair_has_one_conversation(service):
    first = begin(service, "londo", "bayko")
    assert begin(service, "londo", "bayko") == first
    assert begin(service, "bayko", "londo") == first
    assert len(groups(service, "londo")) == len(groups(service, "bayko")) == 1
    assert len(messages(service, "londo", "@bayko")) == 3


def test_both_fields(service):
    """The conversation takes precedence, then `handle`."""
    group = begin(service, "londo", "bayko")
    reply = service.message_as("londo", message_group_uuid=group, handle="altbrown")
    assert reply.json["message_group_uuid"] == group
    reply = service.message_as("londo", handle="bayko", user_receiver_handle="altbrown")
    assert reply.json["message_group_uuid"] == group
    assert len(groups(service, "londo")) == 1


def test_the_newest_conversation_first(service):
    for receiver in ("bayko", "altbrown", "andrewbrown"):
        begin(service, "londo", receiver)
    assert [group["handle"] for group in groups(service, "londo")] == ["andrewbrown", "altbrown", "bayko"]
    begin(service, "bayko", "londo", "again")
    assert [group["handle"] for group in groups(service, "londo")] == ["bayko", "andrewbrown", "altbrown"]
    assert [group["message"] for group in groups(service, "londo")] == ["again", "psst", "psst"]


def test_pages_of_messages(service):
    group = begin(service, message="0")
    for number in range(1, 7):
        service.message_as("londo", message=str(number), message_group_uuid=group)
    for path in (group, "@bayko"):
        target, pages = f"/api/messages/{path}?limit=3", []
        while target:
            reply = service.ask_as("londo", "GET", target)
            assert reply.status == 200
            pages.append([row["message"] for row in reply.json])
            target = reply.next_page
        assert pages == [["4", "5", "6"], ["1", "2", "3"], ["0"]]


def test_pages_of_conversations(service):
    for receiver in ("bayko", "altbrown", "andrewbrown"):
        begin(service, "londo", receiver)
    target, pages = GROUPS + "?limit=2", []
    while target:
        reply = service.ask_as("londo", "GET", target)
        pages.append([row["handle"] for row in reply.json])
        target = reply.next_page
    assert pages == [["andrewbrown", "altbrown"], ["bayko"]]


@pytest.mark.parametrize("query, code", [("?limit=0", "limit_invalid"), ("?limit=201", "limit_invalid"), ("?cursor=x", "cursor_invalid")])
def test_pages_that_are_none(service, query, code):
    for target in (GROUPS, f"/api/messages/{uuid.uuid4()}", "/api/messages/@bayko"):
        reply = service.ask_as("londo", "GET", target + query)
        assert (reply.status, reply.json) == (422, [code])


def test_the_year_does_not_matter(service):
    group = begin(service)
    service.database.sql("update messages set created_at = created_at - interval '2 years'")
    service.database.sql("update message_groups set last_message_at = last_message_at - interval '2 years'")
    assert len(groups(service, "londo")) == len(messages(service, "londo", group)) == 1


@pytest.mark.parametrize("document, status, codes", [
    ({"message": "", "handle": "bayko"}, 422, ["message_blank"]),
    ({"message": None, "handle": "bayko"}, 422, ["message_blank"]),
    ({"message": "x" * 1025, "handle": "bayko"}, 422, ["message_exceed_max_chars_1024"]),
    ({"message": "hi"}, 422, ["user_reciever_handle_blank"]),
    ({"message": "hi", "handle": ""}, 422, ["user_reciever_handle_blank"]),
    ({"message": "hi", "handle": None, "user_receiver_handle": None}, 422, ["user_reciever_handle_blank"]),
    ({"message": "hi", "message_group_uuid": ""}, 422, ["message_group_uuid_blank"]),
    ({"message": "hi", "message_group_uuid": "x"}, 422, ["message_group_uuid_blank"]),
    ({"message": "", "handle": ""}, 422, ["message_blank", "user_reciever_handle_blank"]),
    ({"message": "hi", "handle": "nobody"}, 404, ["receiver_not_found"]),
    ({"message": "hi", "handle": "' or true --"}, 404, ["receiver_not_found"]),
    ({"message": "hi", "handle": "londo"}, 422, ["receiver_is_sender"]),
    ({"message": "hi", "handle": "LONDO"}, 422, ["receiver_is_sender"]),
    ({"message": "hi", "message_group_uuid": "00000000-0000-4000-8000-000000000000"}, 404, ["not_found"]),
])  # fmt: skip
def test_messages_that_are_none(service, document, status, codes):
    reply = service.ask_as("londo", "POST", "/api/messages", document)
    assert (reply.status, reply.json) == (status, codes)
    assert service.database.sql("select count(*) from messages") == [(0,)]
    assert service.database.sql("select count(*) from message_groups") == [(0,)]


@pytest.mark.parametrize("text", ["x" * 1024, "\U0001f600" * 1024, "'; drop table messages; --", "<script>", "a\r\nb", " x "])
def test_payloads(service, text):
    group = begin(service, message=text)
    assert messages(service, "bayko", group)[0]["message"] == text
    assert groups(service, "bayko")[0]["message"] == text


@pytest.mark.parametrize("target", ["/api/messages/x", "/api/messages/", "/api/messages/@", "/api/messages/5e1f0c3a-9d2b-4f6e-8a7c-1b0d9e8f7a6bx"])
def test_paths_that_are_none(service, target):
    assert service.ask_as("londo", "GET", target).status == 404


def test_who_is_not_there(service):
    for target in (f"/api/messages/{uuid.uuid4()}", "/api/messages/@nobody"):
        reply = service.ask_as("londo", "GET", target)
        assert (reply.status, reply.json) == (404, ["not_found"])


def test_oneself(service):
    reply = service.ask_as("londo", "GET", "/api/messages/@londo")
    assert (reply.status, reply.json) == (422, ["receiver_is_sender"])


def test_outsiders(service):
    group = begin(service)
    assert groups(service, "altbrown") == []
    reply = service.ask_as("altbrown", "GET", f"/api/messages/{group}")
    assert (reply.status, reply.json) == (404, ["not_found"])
    reply = service.message_as("altbrown", message_group_uuid=group)
    assert (reply.status, reply.json) == (404, ["not_found"])
    assert [row["message"] for row in messages(service, "londo", group)] == ["psst"]


def test_times(service):
    before = datetime.datetime.now(datetime.timezone.utc)
    group = begin(service)
    after = datetime.datetime.now(datetime.timezone.utc)
    for row in (*groups(service, "londo"), *messages(service, "londo", group)):
        assert before <= datetime.datetime.fromisoformat(row["created_at"]) <= after


def test_no_email_anywhere(service):
    group = begin(service)
    for target in (GROUPS, f"/api/messages/{group}"):
        assert "example.com" not in service.ask_as("londo", "GET", target).body.decode()


def test_handle_mode(start):
    """The week-4 frontend names no user, so it writes as the default user."""
    service = start(default_handle="andrewbrown")
    sent = service.post("/api/messages", {"message": "hi", "user_receiver_handle": "bayko"}).json
    assert sent["handle"] == "andrewbrown"
    assert [row["message"] for row in service.get("/api/messages/@bayko").json] == ["hi"]
    assert [row["handle"] for row in service.get(GROUPS).json] == ["bayko"]
    for field in ("user_handle", "user_sender_handle"):
        assert service.post("/api/messages", {"message": "hi", "handle": "bayko", field: "londo"}).json["handle"] == "londo"


def test_handle_mode_without_a_default(start):
    service = start()
    for target in (GROUPS, "/api/messages/@bayko"):
        reply = service.get(target)
        assert (reply.status, reply.json) == (422, ["user_handle_blank"])
    assert service.post("/api/messages", {"message": "hi", "handle": "bayko"}).json == ["user_handle_blank"]
