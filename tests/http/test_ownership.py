"""No user can touch what belongs to another one: every object, every action, every other caller."""

import pytest

from issuer import TokenService
from social import followed, marked

OWNER, PARTNER = "londo", "bayko"
OTHERS = ["andrewbrown", "altbrown"]
HANDLES = [OWNER, PARTNER, *OTHERS]
STRANGER = "stranger"  # a good token, but no user
TABLES = ("users", "activities", "likes", "reposts", "follows", "notifications", "notification_reads", "message_groups", "messages",
          "conversation_reads", "reports", "blocks", "mutes", "departures")  # fmt: skip


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        service.objects = objects(service)
        yield service


@pytest.fixture(scope="module")
def by_handle(cluster):
    """Handle mode, where callers are the default user unless their body names another."""
    with TokenService(cluster, identity="handle", default_handle="altbrown") as service:
        service.objects = objects(service)
        yield service


def objects(service):
    """OWNER's objects, and the post that the reply is to. Also makes OWNER's marks on others, which no other user may take back."""
    post = service.create_as(OWNER, "mine")["uuid"]
    elsewhere = service.create_as(OTHERS[0], "somebody's")["uuid"]
    reply = service.reply_as(OWNER, elsewhere, "my reply").json["uuid"]
    sent = service.message_as(OWNER, message="for your eyes only", handle=PARTNER).json
    group = sent["message_group_uuid"]
    assert service.ask_as(OWNER, "PUT", f"/api/message_groups/{group}/read", {}).status == 200
    for what in ("like", "repost"):
        marked(service, OWNER, what, elsewhere)
    for followed_one in (OTHERS[0], PARTNER):
        followed(service, OWNER, followed_one)
    service.database.sql(
        "insert into users (handle, display_name, email, cognito_user_id) values ('shunned', 'Shunned', 'shunned@example.com', 'mock-shunned') on conflict do nothing"
    )
    for what in ("block", "mute"):
        assert service.ask_as(OWNER, "PUT", f"/api/users/@shunned/{what}").status == 200
    service.ask_as(OWNER, "PUT", "/api/activities/notifications/read", {})
    return {"post": post, "reply": reply, "group": group, "message": sent["uuid"], "elsewhere": elsewhere}


def everything(service):
    return {table: service.database.sql(f"select * from {table} order by {table}::text") for table in TABLES}


# The actions: method, path, body. {post}, {reply}, {group} and {message} are the objects, {owner} and {partner} the two users.
DELETE_POST = ("DELETE", "/api/activities/{post}", None)
DELETE_REPLY = ("DELETE", "/api/activities/{reply}", None)
DELETE_NAMING = ("DELETE", "/api/activities/{post}", {"handle": "{owner}", "user_handle": "{owner}"})
READ = ("GET", "/api/messages/{group}", None)
READ_PAGE = ("GET", "/api/messages/{group}?limit=1", None)
READ_HEAD = ("HEAD", "/api/messages/{group}", None)
WRITE = ("POST", "/api/messages", {"message": "let me in", "message_group_uuid": "{group}"})
WRITE_NAMING = ("POST", "/api/messages", {"message": "let me in", "message_group_uuid": "{group}", "handle": "{partner}"})
READ_UP = ("PUT", "/api/message_groups/{group}/read", {})
READ_UP_AS = ("PUT", "/api/message_groups/{group}/read", {"user_handle": "{owner}"})
READ_UP_AS_TOO = ("PUT", "/api/message_groups/{group}/read", {"handle": "{owner}"})
DELETE_MESSAGE = ("DELETE", "/api/messages/{group}/{message}", None)
DELETE_MESSAGE_NAMING = ("DELETE", "/api/messages/{group}/{message}", {"handle": "{owner}", "user_handle": "{owner}"})
CREATE_AS = ("POST", "/api/activities", {"message": "not me", "ttl": "1-day", "user_handle": "{owner}"})
CREATE_AS_TOO = ("POST", "/api/activities", {"message": "not me", "ttl": "1-day", "handle": "{owner}"})
KEEP = ("PUT", "/api/activities/{post}/keep", {"ttl": "30-days"})
KEEP_REPLY = ("PUT", "/api/activities/{reply}/keep", {"ttl": "30-days"})
KEEP_AS = ("PUT", "/api/activities/{post}/keep", {"ttl": "30-days", "user_handle": "{owner}"})
KEEP_AS_TOO = ("PUT", "/api/activities/{post}/keep", {"ttl": "30-days", "handle": "{owner}"})
KNOW_AS = ("PUT", "/api/activities/notifications/read", {"user_handle": "{owner}"})
KNOW_AS_TOO = ("PUT", "/api/activities/notifications/read", {"handle": "{owner}"})
REPORT_AS = ("POST", "/api/activities/{elsewhere}/report", {"reason": "not me", "user_handle": "{owner}"})
REPORT_AS_TOO = ("POST", "/api/activities/{elsewhere}/report", {"reason": "not me", "handle": "{owner}"})
REPLY_AS = ("POST", "/api/activities/{post}/reply", {"message": "not me", "user_handle": "{owner}"})
LEAVE_AS = ("DELETE", "/api/profile", {"user_handle": "{owner}"})
LEAVE_AS_TOO = ("DELETE", "/api/profile", {"handle": "{owner}"})
REPLY_AS_TOO = ("POST", "/api/activities/{post}/reply", {"message": "not me", "handle": "{owner}"})
NAMING = [
    (method, path, {**body, field: "{owner}"})
    for method, path, body, fields in (
        ("PUT", "/api/profile/update", {"display_name": "not me", "bio": ""}, ("user_handle", "handle")),
        ("POST", "/api/profile/update", {"display_name": "not me", "bio": ""}, ("user_handle", "handle")),
        ("POST", "/api/messages", {"message": "not me", "message_group_uuid": "{group}"}, ("user_handle", "user_sender_handle")),
        ("POST", "/api/messages", {"message": "not me", "handle": "{partner}"}, ("user_handle", "user_sender_handle")),
        ("POST", "/api/messages", {"message": "not me", "user_receiver_handle": "{partner}"}, ("user_handle", "user_sender_handle")),
    )
    for field in fields
]

# Actions that have another answer for PARTNER, who is in the conversation.
PARTNERS_TOO = (READ, READ_PAGE, READ_HEAD, WRITE, WRITE_NAMING, READ_UP, DELETE_MESSAGE, DELETE_MESSAGE_NAMING)

# The answers to other users; the owner gets 200.
TABLE = [
    (DELETE_POST, 403, "not_yours"),
    (DELETE_REPLY, 403, "not_yours"),
    (DELETE_NAMING, 403, "not_yours"),
    (READ, 404, "not_found"),
    (READ_PAGE, 404, "not_found"),
    (READ_HEAD, 404, None),
    (WRITE, 404, "not_found"),
    (WRITE_NAMING, 404, "not_found"),
    (READ_UP, 404, "not_found"),
    (READ_UP_AS, 403, "generic_403"),
    (READ_UP_AS_TOO, 403, "generic_403"),
    (DELETE_MESSAGE, 404, "not_found"),
    (DELETE_MESSAGE_NAMING, 404, "not_found"),
    (CREATE_AS, 403, "generic_403"),
    (CREATE_AS_TOO, 403, "generic_403"),
    (KEEP, 403, "not_yours"),
    (KEEP_REPLY, 403, "not_yours"),
    (KEEP_AS, 403, "generic_403"),
    (KEEP_AS_TOO, 403, "generic_403"),
    (KNOW_AS, 403, "generic_403"),
    (KNOW_AS_TOO, 403, "generic_403"),
    (REPORT_AS, 403, "generic_403"),
    (REPORT_AS_TOO, 403, "generic_403"),
    (LEAVE_AS, 422, "user_handle_mismatch"),
    (LEAVE_AS_TOO, 422, "user_handle_mismatch"),
    (REPLY_AS, 403, "generic_403"),
    (REPLY_AS_TOO, 403, "generic_403"),
    *((action, 403, "generic_403") for action in NAMING),
]


def filled(service, value):
    names = service.objects | {"owner": OWNER, "partner": PARTNER}
    if isinstance(value, dict):
        return {name: filled(service, inner) for name, inner in value.items()}
    return value.format(**names) if isinstance(value, str) else value


def do(service, handle, action, **headers):
    method, path, body = action
    return service.ask_as(handle, method, filled(service, path), filled(service, body), headers)


def name(action):
    return f"{action[0]} {action[1]} {','.join(action[2] or ())}"


CASES = [
    pytest.param(handle, action, status, code, id=f"{handle}-{name(action)}")
    for action, status, code in TABLE
    for handle in [*OTHERS, PARTNER]
    if not (handle == PARTNER and action in PARTNERS_TOO)
]


@pytest.mark.parametrize("handle, action, status, code", CASES)
def test_other_users(service, handle, action, status, code):
    before = everything(service)
    reply = do(service, handle, action)
    assert reply.status == status
    assert code is None or reply.json == [code]
    assert b"eyes only" not in reply.body
    assert everything(service) == before


@pytest.mark.parametrize("action", [row[0] for row in TABLE], ids=name)
def test_nobody_and_strangers(service, action):
    before = everything(service)
    for handle, status, code in ((None, 401, "generic_401"), (STRANGER, 403, "user_not_registered")):
        reply = do(service, handle, action)
        assert reply.status == status
        assert action[0] == "HEAD" or reply.json == [code]
    assert everything(service) == before


def test_somebody_elses_idempotency_key(service):
    """A user cannot get at a row by the idempotency key of the row's owner."""
    headers = {"Idempotency-Key": "the-owners"}
    body = {"message": "mine too", "ttl": "1-day"}
    owners = service.ask_as(OWNER, "POST", "/api/activities", body, headers).json
    for handle in [*OTHERS, PARTNER]:
        row = service.ask_as(handle, "POST", "/api/activities", body, headers).json
        assert row["uuid"] != owners["uuid"]
        assert row["handle"] == handle


@pytest.mark.parametrize("handle", HANDLES)
@pytest.mark.parametrize("more", ["user_handle", "handle", "uuid", "cognito_user_uuid", "cognito_user_id", "sub"])
def test_profiles(service, handle, more):
    """A handle that isn't the caller's is refused; whatever else the body names, the caller's own profile changes."""
    for victim in HANDLES:
        if victim == handle:
            continue
        shown = service.get(f"/api/activities/@{victim}").json["profile"]
        value = {"user_handle": victim, "handle": victim, "uuid": shown["uuid"]}.get(more, f"mock-{victim}")
        reply = service.ask_as(handle, "PUT", "/api/profile/update", {"display_name": f"by {handle}", "bio": "", more: value})
        if more in ("user_handle", "handle"):
            assert (reply.status, reply.json) == (403, ["generic_403"])
        else:
            assert (reply.status, reply.json["handle"]) == (200, handle)
        assert service.get(f"/api/activities/@{victim}").json["profile"] == shown


@pytest.mark.parametrize("handle", HANDLES)
@pytest.mark.parametrize("field", ["user_handle", "user_sender_handle"])
def test_senders(service, handle, field):
    """No user can send a message in another user's name."""
    for victim in [other for other in HANDLES if other != handle]:
        receiver = next(other for other in HANDLES if other not in (handle, victim))
        reply = service.message_as(handle, message=f"{handle} {field}", **{"handle": receiver, field: victim})
        assert (reply.status, reply.json) == (403, ["generic_403"])
    assert service.database.sql("select from messages where message = %s", f"{handle} {field}") == []


@pytest.mark.parametrize("handle", HANDLES)
def test_ones_own_handle_may_be_named(service, handle):
    """In upper or lower case, as handles are case-insensitive."""
    named = handle.upper()
    receiver = next(other for other in HANDLES if other != handle)
    for method, path, body in (
        ("PUT", "/api/profile/update", {"display_name": handle, "bio": "", "user_handle": named}),
        ("POST", "/api/profile/update", {"display_name": handle, "bio": "", "handle": named}),
        ("POST", "/api/messages", {"message": "hi", "handle": receiver, "user_handle": named}),
        ("POST", "/api/messages", {"message": "hi", "handle": receiver, "user_sender_handle": named}),
        ("POST", "/api/activities", {"message": "hi", "ttl": "1-day", "user_handle": named}),
    ):
        reply = service.ask_as(handle, method, path, body)
        assert (reply.status, reply.json["handle"]) == (200, handle)


# Marks that each user may set. They change only that user's rows.
@pytest.mark.parametrize("handle", [*OTHERS, PARTNER])
@pytest.mark.parametrize(
    "table, path, column",
    [
        ("likes", "/api/activities/{elsewhere}/like", "user_uuid"),
        ("reposts", "/api/activities/{elsewhere}/repost", "user_uuid"),
        ("follows", "/api/users/@{partner}/follow", "follower_uuid"),
        ("blocks", "/api/users/@shunned/block", "user_uuid"),
        ("mutes", "/api/users/@shunned/mute", "user_uuid"),
    ],
)
def test_marks(service, handle, table, path, column):
    """OWNER's marks stay, whatever others set or remove and whichever user the body names."""
    own = f"select * from {table} where {column} = (select uuid from users where handle = %s) order by {table}::text"
    before = service.database.sql(own, OWNER)
    assert before
    for method in ("DELETE", "PUT", "DELETE"):
        for body in (None, {"handle": OWNER, "user_handle": OWNER, "user_uuid": str(before[0][0])}):
            reply = do(service, handle, (method, path, body))
            assert reply.status == (422 if handle == PARTNER and table == "follows" else 200)
            assert service.database.sql(own, OWNER) == before


@pytest.mark.parametrize("handle", HANDLES)
def test_feeds_hold_ones_own(service, handle):
    """Following has only users that the caller follows; notifications have only what others did."""
    follows = "select f.handle from follows join users f on f.uuid = followed_uuid join users u on u.uuid = follower_uuid where u.handle = %s"
    mine = {name for (name,) in service.database.sql(follows, handle)}
    for row in service.ask_as(handle, "GET", "/api/activities/following?limit=200").json:
        assert (row["reposted_by"] or row)["handle"] in mine
    for row in service.ask_as(handle, "GET", "/api/activities/notifications?limit=200").json:
        assert row["handle"] != handle


@pytest.mark.parametrize("handle", HANDLES)
def test_lists_hold_ones_own(service, handle):
    """Every conversation in the list is the caller's, and one that is read by a user's name is the caller's with that user."""
    member = """select g.uuid::text from message_groups g join users u on u.uuid in (g.first_user_uuid, g.second_user_uuid)
                where handle = %s"""
    mine = {uuid for (uuid,) in service.database.sql(member, handle)}
    assert {group["uuid"] for group in service.ask_as(handle, "GET", "/api/message_groups?limit=200").json} == mine
    for other in set(HANDLES) - {handle}:
        rows = service.ask_as(handle, "GET", f"/api/messages/@{other}?limit=200").json
        assert {row["handle"] for row in rows} <= {handle, other}
        if handle not in (OWNER, PARTNER):
            assert "for your eyes only" not in [row["message"] for row in rows]


@pytest.mark.parametrize("action", [DELETE_MESSAGE, DELETE_MESSAGE_NAMING], ids=name)
def test_the_partner_s_messages(service, action):
    """A member of a conversation cannot delete the other member's messages."""
    before = everything(service)
    reply = do(service, PARTNER, action)
    assert (reply.status, reply.json) == (403, ["not_yours"])
    assert everything(service) == before


@pytest.mark.parametrize("action", [DELETE_POST, DELETE_REPLY, DELETE_MESSAGE, READ_UP, READ, READ_PAGE, READ_HEAD, WRITE], ids=name)
def test_by_handle(by_handle, action):
    """In handle mode a request that names no user is the default user's, who has no access to others' objects."""
    before = everything(by_handle)
    ((status, code),) = [(status, code) for row, status, code in TABLE if row == action]
    reply = do(by_handle, None, action)
    assert reply.status == status
    assert code is None or reply.json == [code]
    assert everything(by_handle) == before


@pytest.mark.parametrize("handle", [*OTHERS, PARTNER])
def test_a_token_outdoes_a_handle(by_handle, handle):
    for action, status, code in TABLE:
        if handle == PARTNER and action in PARTNERS_TOO:
            continue
        before = everything(by_handle)
        reply = do(by_handle, handle, action)
        assert reply.status == status
        assert code is None or reply.json == [code]
        assert everything(by_handle) == before


@pytest.mark.parametrize("handle", OTHERS)
def test_named_handles(by_handle, handle):
    """A handle in the body makes the caller that user, who has no access to others' objects."""
    before = everything(by_handle)
    for field in ("user_handle", "user_sender_handle"):
        body = {"message": "let me in", "message_group_uuid": by_handle.objects["group"], field: handle}
        reply = by_handle.ask_as(None, "POST", "/api/messages", body)
        assert (reply.status, reply.json) == (404, ["not_found"])
    assert everything(by_handle) == before


def test_the_owner_may(service):
    """The owner may do all actions of the table. This test is the last one, because it deletes the objects."""
    assert do(service, PARTNER, READ).status == do(service, PARTNER, WRITE).status == 200
    assert do(service, OWNER, KEEP_REPLY).json == ["reply_expires_with_parent"]
    order = [row[0] for row in TABLE if row[0][0] != "DELETE" and row[0] != KEEP_REPLY] + [DELETE_REPLY, DELETE_POST, DELETE_MESSAGE, LEAVE_AS, LEAVE_AS_TOO]
    for action in order:
        assert do(service, OWNER, action).status == 200, name(action)
