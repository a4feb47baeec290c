"""Members of a body that are no strings, and null for a member that stays as it is."""

import datetime

import pytest

from issuer import TokenService
from social import followed

WRONG = [5, 0, 1.5, True, False, [], ["x"], {}, {"x": "y"}]
NOTIFICATIONS = "/api/activities/notifications"
MARK, PROFILE, MESSAGES = NOTIFICATIONS + "/read", "/api/profile/update", "/api/messages"

# A good body of each operation, and the code for each of its members that is no string.
BODIES = {
    "create": ({"message": "hello", "ttl": "1-day"}, {"message": "message_blank", "ttl": "ttl_blank"}),
    "reply": ({"message": "hello"}, {"message": "message_blank"}),
    "keep": ({"ttl": "7-days"}, {"ttl": "ttl_blank"}),
    "read": ({}, {"until": "until_invalid"}),
    "profile": ({"display_name": "Londo"}, {"display_name": "display_name_blank", "bio": "bio_invalid"}),
    "message": (
        {"message": "psst", "handle": "bayko"},
        {
            "message": "message_blank", "message_group_uuid": "message_group_uuid_blank", "handle": "user_reciever_handle_blank",
            "user_receiver_handle": "user_reciever_handle_blank", "user_handle": "user_handle_blank",
            "user_sender_handle": "user_handle_blank",
        },
    ),
}  # fmt: skip
AUTHOR = {"user_handle": "user_handle_blank", "handle": "user_handle_blank"}
CASES = [
    (operation, member, code)
    for operation, (_, codes) in BODIES.items()
    for member, code in (codes if operation == "message" else codes | AUTHOR).items()
]


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        service.post_uuid = service.create_as("londo")["uuid"]
        yield service


def ask(service, operation, document):
    post = f"/api/activities/{service.post_uuid}"
    method, target = {
        "create": ("POST", "/api/activities"),
        "reply": ("POST", post + "/reply"),
        "keep": ("PUT", post + "/keep"),
        "read": ("PUT", MARK),
        "profile": ("PUT", PROFILE),
        "message": ("POST", MESSAGES),
    }[operation]
    return service.ask_as("londo", method, target, document)


def state(service):
    """Whatever such a request may change."""
    return service.database.sql(
        """select (select count(*) from activities), (select count(*) from messages),
           (select string_agg(bio || display_name, '' order by uuid) from users),
           (select count(*) from notification_reads), (select max(expires_at) from activities)"""
    )


@pytest.mark.parametrize("operation, member, code", CASES)
def test_no_text(service, operation, member, code):
    before = state(service)
    for wrong in WRONG:
        reply = ask(service, operation, BODIES[operation][0] | {member: wrong})
        assert (reply.status, reply.json) == (422, [code]), (wrong, reply)
    assert state(service) == before


@pytest.mark.parametrize("operation", BODIES)
def test_null_is_as_if_it_were_missing(service, operation):
    document, codes = BODIES[operation]
    optional = (codes if operation == "message" else codes | AUTHOR).keys() - document.keys()
    assert ask(service, operation, document | dict.fromkeys(optional)).status == 200


def test_unknown_members_are_ignored(service):
    for operation, (document, _) in BODIES.items():
        assert ask(service, operation, document | {"activity_uuid": 5, "more": [1]}).status == 200


def test_all_wrong_members_are_told(service):
    reply = ask(service, "message", {"message": 5, "message_group_uuid": 5, "handle": 5, "user_handle": 5})
    assert reply.json == ["message_blank", "message_group_uuid_blank", "user_reciever_handle_blank", "user_handle_blank"]


def test_in_handle_mode(cluster):
    with TokenService(cluster, identity="handle", default_handle="londo") as service:
        for document in ({"user_handle": 5}, {"handle": []}, {"user_handle": None, "handle": False}):
            reply = service.ask_as(None, "PUT", MARK, document)
            assert (reply.status, reply.json) == (422, ["user_handle_blank"])


def test_a_mark_of_a_wrong_type_marks_nothing(service):
    followed(service, "bayko", "londo")
    unread = service.ask_as("londo", "GET", NOTIFICATIONS + "/unread").json
    assert unread["unread"] >= 1
    for until in WRONG:
        ask(service, "read", {"until": until})
    assert service.ask_as("londo", "GET", NOTIFICATIONS + "/unread").json == unread


# --- times ---


def microseconds(text):
    moment = datetime.datetime.fromisoformat(text)
    return moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)


@pytest.mark.parametrize(
    "until, marked",
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02t03:04:05z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678999+00:00"),
        ("2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05.600999+00:00"),
        ("2026-01-02T03:04:05.6780Z", "2026-01-02T03:04:05.678000+00:00"),
        ("2026-01-02T03:04:05.678123Z", "2026-01-02T03:04:05.678123+00:00"),
        ("2026-01-02T03:04:05.678123999Z", "2026-01-02T03:04:05.678123+00:00"),
        ("2026-01-02T03:04:05.67812345678901234567890Z", "2026-01-02T03:04:05.678123+00:00"),
        ("2026-01-02T03:04:05+23:59", "2026-01-01T03:05:05+00:00"),
        ("2026-01-02T03:04:05-23:59", "2026-01-03T03:03:05+00:00"),
        ("2026-01-02T03:04:05-00:00", "2026-01-02T03:04:05+00:00"),
        ("2024-02-29T23:59:59.5+05:30", "2024-02-29T18:29:59.500999+00:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999+00:00"),
        ("2017-01-01T05:29:60+05:30", "2016-12-31T23:59:59.999999+00:00"),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59+00:00"),
        ("1900-03-01T00:00:00Z", "1900-03-01T00:00:00+00:00"),
        ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00+00:00"),
    ],
)
def test_times(cluster_reads, until, marked):
    reply = cluster_reads.ask_as("londo", "PUT", MARK, {"until": until})
    assert reply.status == 200, reply
    assert microseconds(reply.json["read_at"]) == microseconds(marked)
    cluster_reads.database.sql("delete from notification_reads")


@pytest.fixture(scope="module")
def cluster_reads(service):
    """A service in which londo has a notification that is newer than all those times."""
    followed(service, "altbrown", "londo")
    return service


@pytest.mark.parametrize(
    "until",
    [
        "2026-01-02 03:04:05Z", "2026-01-02T03:04:60Z", "2016-12-31T22:59:60Z", "2016-12-31T23:59:61Z", "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05", "2026-01-02T03:04:05+24:00", "2026-01-02T03:04:05+00:60", "2026-01-02T03:04:05+0100",
        "2026-01-02T03:04:05,5Z",
        "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "0000-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "2026-01-02T03:04Z",
        "2026-01-02T03:04:05ZZ", " 2026-01-02T03:04:05Z", "2026-1-2T03:04:05Z", "１2026-01-02T03:04:05Z", "1767323045",
    ],
)  # fmt: skip
def test_times_that_are_none(service, until):
    reply = ask(service, "read", {"until": until})
    assert (reply.status, reply.json) == (422, ["until_invalid"])


# --- the finished frontend ---


def test_a_second_save_keeps_the_bio(service):
    """The frontend sends null for a bio that was not edited."""
    assert ask(service, "profile", {"display_name": "Londo", "bio": "Ambassador"}).json["bio"] == "Ambassador"
    for document in ({"bio": None}, {}):
        assert ask(service, "profile", {"display_name": "Mollari"} | document).json["bio"] == "Ambassador"
    assert ask(service, "profile", {"display_name": "Londo", "bio": ""}).json["bio"] == ""


@pytest.mark.parametrize("handle", ["bayko", "BAYKO"])
def test_a_message_to_a_conversation_that_is_a_handle(service, handle):
    """A click on an avatar leads to /messages/@handle, and the form takes that for the conversation."""
    reply = ask(service, "message", {"message": "by handle", "message_group_uuid": f"@{handle}"})
    assert reply.status == 200, reply
    rows = service.ask_as("bayko", "GET", "/api/messages/@londo").json
    assert reply.json["uuid"] in [row["uuid"] for row in rows]


@pytest.mark.parametrize(
    "group, status, code",
    [("@nobody-of-that-name", 404, "receiver_not_found"), ("@londo", 422, "receiver_is_sender"), ("@", 422, "user_reciever_handle_blank"),
     ("bayko", 422, "message_group_uuid_blank"), ("", 422, "message_group_uuid_blank")],
)  # fmt: skip
def test_conversations_that_are_none(service, group, status, code):
    reply = service.message_as("londo", message_group_uuid=group)
    assert (reply.status, reply.json) == (status, [code])


def test_the_conversation_with_oneself_is_none_for_both_methods(service):
    for reply in (service.message_as("londo", handle="LONDO"), service.ask_as("londo", "GET", "/api/messages/@Londo")):
        assert (reply.status, reply.json) == (422, ["receiver_is_sender"])
