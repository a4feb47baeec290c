"""GET /api/activities/notifications, …/unread and PUT …/read: what others did that concerns the caller."""

import datetime

import pytest

from client import Asking
from issuer import TokenService
from social import EXPIRE, check_strangers, followed, listed, marked

TARGET = "/api/activities/notifications"
FIELDS = {
    "uuid", "display_name", "handle", "message", "replies_count", "reposts_count", "likes_count", "reply_to_activity_uuid",
    "expires_at", "created_at", "liked", "reposted", "replies", "kind", "activity_uuid", "read",
}  # fmt: skip
OTHERS = ("bayko", "altbrown", "andrewbrown")


@pytest.fixture
def service(tokens):
    """A service in which no user has done anything yet."""
    tokens.database.sql("truncate activities, follows, notification_reads cascade")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        service.database.feed_bound = 0  # these tests do not read the cached home page
        yield service


def notifications(service, handle, query=""):
    reply = service.ask_as(handle, "GET", TARGET + query)
    assert reply.status == 200, reply
    assert all(set(row) == FIELDS for row in reply.json)
    return reply.json


def seen(service, handle):
    """The notifications: kind, by which user, about which activity."""
    return [(row["kind"], row["handle"], row["activity_uuid"]) for row in notifications(service, handle)]


def unread(service, handle):
    reply = service.ask_as(handle, "GET", TARGET + "/unread")
    assert (reply.status, set(reply.json)) == (200, {"unread"})
    return reply.json["unread"]


def read(service, reader, /, **document):
    reply = service.ask_as(reader, "PUT", TARGET + "/read", document)
    assert (reply.status, set(reply.json)) == (200, {"read_at"}), reply
    return reply.json["read_at"]


def replied(service, handle, parent, message="indeed"):
    reply = service.reply_as(handle, parent, message)
    assert reply.status == 200, reply
    return reply.json["uuid"]


def nothing_for(service, *handles):
    for handle in handles:
        assert notifications(service, handle) == [] and unread(service, handle) == 0


def test_at_first_there_is_nothing(service):
    service.create_as("bayko", "hello londo")
    nothing_for(service, "londo", *OTHERS)


# --- replies ---


def test_replies_to_me_newest_first(service):
    posts = [service.create_as("londo")["uuid"] for _ in range(2)]
    expected = [
        ("reply", handle, replied(service, handle, post))
        for handle, post in (("bayko", posts[0]), ("altbrown", posts[1]), ("bayko", posts[0]))
    ]
    assert seen(service, "londo") == expected[::-1]
    nothing_for(service, *OTHERS)


def test_a_reply_as_it_is_elsewhere(service):
    post = service.create_as("londo")["uuid"]
    reply = service.reply_as("bayko", post, "so it is").json
    marked(service, "londo", "like", reply["uuid"])
    (row,) = notifications(service, "londo")
    more = {"kind": "reply", "activity_uuid": reply["uuid"], "read": False}
    assert row == reply | more | {"liked": True, "likes_count": 1}


def test_replies_to_my_replies(service):
    """A reply to londo's reply notifies londo, and not the author of the post."""
    post = service.create_as("bayko")["uuid"]
    mine = replied(service, "londo", post)
    answer = replied(service, "altbrown", mine)
    assert seen(service, "londo") == [("reply", "altbrown", answer)]
    assert seen(service, "bayko") == [("reply", "londo", mine)]


# --- likes, reposts, follows ---


@pytest.mark.parametrize("what, words", [("like", "likes: dear all"), ("repost", "reposted: dear all")])
def test_marks(service, what, words):
    post = service.create_as("londo", "dear all")["uuid"]
    for handle in ("bayko", "altbrown"):
        marked(service, handle, what, post)
    assert seen(service, "londo") == [(what, "altbrown", post), (what, "bayko", post)]
    first, second = notifications(service, "londo")
    assert (first["message"], first["display_name"], first["likes_count"] + first["reposts_count"]) == (words, "Alt Brown", 2)
    assert len({first["uuid"], second["uuid"], post}) == 3
    assert notifications(service, "londo") == [first, second]
    marked(service, "bayko", what, post, "DELETE")
    assert seen(service, "londo") == [(what, "altbrown", post)]
    nothing_for(service, *OTHERS)


def test_a_reply_that_is_liked(service):
    mine = replied(service, "londo", service.create_as("bayko")["uuid"])
    marked(service, "altbrown", "like", mine)
    assert seen(service, "londo") == [("like", "altbrown", mine)]


def test_follows(service):
    followed(service, "bayko", "londo")
    (row,) = notifications(service, "londo")
    assert (row["kind"], row["handle"], row["message"], row["activity_uuid"]) == ("follow", "bayko", "follows you", None)
    assert (row["likes_count"], row["expires_at"], row["replies"]) == (0, None, [])
    nothing_for(service, *OTHERS)
    followed(service, "bayko", "londo", "DELETE")
    nothing_for(service, "londo")


# --- mentions ---


@pytest.mark.parametrize(
    "message",
    [
        "@londo", "hello @londo", "@LONDO!", "(@londo)", "@londo's", "@londo.", "@londo,@nobody", "so, @londo: hear", "\n@londo\n",
        "@londo @londo @Londo", "é@nobody @londo", "“@londo”",
    ],
)  # fmt: skip
def test_mentions(service, message):
    post = service.create_as("bayko", message)
    (row,) = notifications(service, "londo")
    assert row == post | {"kind": "mention", "activity_uuid": post["uuid"], "read": False}
    nothing_for(service, *OTHERS)


@pytest.mark.parametrize("message", ["londo", "@ londo", "x@londo", "me@londo.example", "@londos", "@@londo", "/@londo", "@londo-x", "@lond", "_@londo"])
def test_what_mentions_nobody(service, message):
    service.create_as("bayko", message)
    nothing_for(service, "londo")


def test_a_handle_with_signs_in_it(service):
    """A mention takes the longest handle that exists. Some handles are older than the rule for new ones."""
    service.database.sql("alter table users disable trigger users_folded_handle")
    insert = "insert into users (display_name, handle, email, cognito_user_id, folded_handle) values (%s, %s, %s, %s, fold_text(%s))"
    for handle in ("j.d", "j.d.", "o'neill", "ünal"):
        service.database.sql(insert, handle, handle, f"{len(handle)}{handle[0]}@example.com", f"mock-{handle}", handle)
    service.database.sql("alter table users enable trigger users_folded_handle")
    for message, handle in (("@j.d", "j.d"), ("@j.d.", "j.d."), ("@j.d..", "j.d"), ("hi @O'Neill", "o'neill"), ("@ünal?", "ünal")):
        post = service.create_as("bayko", message)["uuid"]
        assert seen(service, handle)[0] == ("mention", "bayko", post)
    assert len(seen(service, "j.d")) == 2 and len(seen(service, "j.d.")) == 1


def test_several_are_mentioned(service):
    post = service.create_as("bayko", "@londo @altbrown @andrewbrown @bayko")["uuid"]
    for handle in ("londo", "altbrown", "andrewbrown"):
        assert seen(service, handle) == [("mention", "bayko", post)]
    nothing_for(service, "bayko")


def test_ten_at_the_most(service):
    """At most ten existing users are notified; other names do not count."""
    service.database.sql(
        """insert into users (display_name, handle, email, cognito_user_id)
           select 'N', 'tenth' || n, 'tenth' || n || '@example.com', 'tenth-' || n from generate_series(1, 9) n"""
    )
    names = " ".join(f"@nobody{number} @tenth{number}" for number in range(1, 10))
    service.create_as("bayko", f"{names} @londo @altbrown")
    assert len(seen(service, "londo")) == 1
    nothing_for(service, "altbrown")
    assert service.reply_as("bayko", service.create_as("bayko")["uuid"], "@londo " * 128).status == 200
    assert len(seen(service, "londo")) == 2
    assert service.database.sql("select kind, count(*) from notifications group by kind order by kind") == [("mention", 11)]


def test_mentions_in_replies(service):
    post = service.create_as("altbrown")["uuid"]
    reply = replied(service, "bayko", post, "what says @londo?")
    assert seen(service, "londo") == [("mention", "bayko", reply)]
    assert seen(service, "altbrown") == [("reply", "bayko", reply)]


def test_a_reply_that_mentions_me_is_a_reply(service):
    reply = replied(service, "bayko", service.create_as("londo")["uuid"], "indeed, @londo")
    assert seen(service, "londo") == [("reply", "bayko", reply)]
    assert unread(service, "londo") == 1


def test_a_create_that_comes_again_mentions_once(service):
    headers = {"Idempotency-Key": "said-twice"}
    assert service.create_as("bayko", "@londo", **headers) == service.create_as("bayko", "@londo", **headers)
    assert len(seen(service, "londo")) == 1


# --- what is no notification ---


def test_a_mentioned_user_who_is_deleted_meanwhile(service):
    """bin/user-delete deletes the row while the create waits for it. The post is made."""
    service.database.sql("insert into users (display_name, handle, email, cognito_user_id) values ('Brief', 'brief', 'brief@example.com', 'brief')")
    with service.database.held("delete from users where handle = 'brief'") as cursor:
        asking = Asking(service.ask_as, "bayko", "POST", "/api/activities", {"message": "hello @brief and @londo", "ttl": "1-day"})
        service.database.wait_for_waiting()
        cursor.connection.commit()
    assert asking.reply().status == 200
    assert seen(service, "londo") == [("mention", "bayko", asking.reply().json["uuid"])]


def test_never_my_own(service):
    post = service.create_as("londo", "I, @londo")["uuid"]
    replied(service, "londo", post, "indeed, @londo")
    for what in ("like", "repost"):
        marked(service, "londo", what, post)
    nothing_for(service, "londo")
    theirs = replied(service, "bayko", post)
    replied(service, "londo", post)
    (row,) = notifications(service, "londo", "?limit=1")
    assert row["uuid"] == theirs


def test_never_what_has_expired(service):
    """An expired reply is not shown, whether it expired with its parent, as is the rule, or alone."""
    post = service.create_as("londo")["uuid"]
    first, second = (replied(service, "bayko", post) for _ in range(2))
    mention = service.create_as("bayko", "@londo")["uuid"]
    for what in ("like", "repost"):
        marked(service, "bayko", what, post)
    service.database.sql(EXPIRE, second)
    kept = [("repost", "bayko", post), ("like", "bayko", post), ("mention", "bayko", mention), ("reply", "bayko", first)]
    assert seen(service, "londo") == kept
    service.database.sql(EXPIRE, mention)
    assert [kind for kind, _, _ in seen(service, "londo")] == ["repost", "like", "reply"]
    assert unread(service, "londo") == 3
    for each in (post, first):
        service.database.sql(EXPIRE, each)
    nothing_for(service, "londo")


def test_never_what_is_gone(service):
    post = service.create_as("londo")["uuid"]
    first, second = (replied(service, "bayko", post) for _ in range(2))
    assert service.ask_as("bayko", "DELETE", f"/api/activities/{second}").status == 200
    assert seen(service, "londo") == [("reply", "bayko", first)]
    for what in ("like", "repost"):
        marked(service, "bayko", what, post)
    assert service.ask_as("londo", "DELETE", f"/api/activities/{post}").status == 200
    nothing_for(service, "londo")


# --- read and unread ---


def test_unread_and_read(service):
    post = service.create_as("londo")["uuid"]
    for handle in OTHERS:
        marked(service, handle, "like", post)
    assert unread(service, "londo") == 3
    read(service, "londo")
    assert unread(service, "londo") == 0
    assert [row["read"] for row in notifications(service, "londo")] == [True] * 3
    followed(service, "bayko", "londo")
    assert unread(service, "londo") == 1
    assert [row["read"] for row in notifications(service, "londo")] == [False, True, True, True]


def test_read_up_to_what_was_seen(service):
    """A mark up to a shown notification leaves later ones unread."""
    post = service.create_as("londo")["uuid"]
    for handle in OTHERS:
        marked(service, handle, "like", post)
    rows = notifications(service, "londo")
    read_at = moment(read(service, "londo", until=rows[1]["created_at"]))
    assert datetime.timedelta(0) <= read_at - moment(rows[1]["created_at"]) < datetime.timedelta(milliseconds=1)
    assert (unread(service, "londo"), [row["read"] for row in notifications(service, "londo")]) == (1, [False, True, True])
    read(service, "londo", until=rows[2]["created_at"])  # the mark never moves back
    assert unread(service, "londo") == 1
    assert moment(read(service, "londo", until="9999-12-31T23:59:59Z")) <= datetime.datetime.now(datetime.timezone.utc)
    assert unread(service, "londo") == 0


def moment(text):
    return datetime.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    "until",
    [
        "", "now", "2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01 00:00:00Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00Zx", "infinity",
        "0000-01-01T00:00:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:60Z",
    ],
)  # fmt: skip
def test_a_time_that_is_none(service, until):
    reply = service.ask_as("londo", "PUT", TARGET + "/read", {"until": until})
    assert (reply.status, reply.json) == (422, ["until_invalid"])


@pytest.mark.parametrize("until", ["2024-02-29T23:59:59.123456+00:00", "2000-01-01T00:00:00Z", "0001-01-01T00:00:00-15:59", "2026-01-01T00:00:00.1+05:30"])
def test_a_time_that_is_one(service, until):
    read(service, "londo", until=until)


def test_one_reads_for_oneself(service):
    for handle in ("londo", "altbrown"):
        followed(service, "bayko", handle)
    read(service, "londo")
    assert (unread(service, "londo"), unread(service, "altbrown")) == (0, 1)
    reply = service.ask_as("londo", "PUT", TARGET + "/read", {"handle": "altbrown"})
    assert (reply.status, reply.json) == (403, ["generic_403"])
    assert unread(service, "altbrown") == 1


@pytest.mark.parametrize("count", [99, 100, 250])
def test_unread_has_an_end(service, count):
    post = service.create_as("londo")["uuid"]
    service.database.sql(
        """insert into activities (user_uuid, message, reply_to_activity_uuid)
           select uuid, 'reply', %s from users cross join generate_series(1, %s) where handle = 'bayko'""",
        post,
        count,
    )
    assert unread(service, "londo") == min(count, 100)


# --- pages ---


def everything(service):
    """Notifications of every kind, on many posts, many of them at the same time."""
    service.database.sql(
        """insert into activities (user_uuid, message, created_at)
           select uuid, 'mine ' || n, '2025-12-31' from users, generate_series(1, 12) n where handle = 'londo';
           insert into activities (user_uuid, message, reply_to_activity_uuid, created_at)
           select u.uuid, 'reply', a.uuid, '2026-01-01'::timestamptz + abs(hashtext(a.uuid::text || n)) % 20 * interval '1 second'
           from activities a, users u, generate_series(1, 3) n where u.handle <> 'londo' and a.message like 'mine%';
           insert into likes select u.uuid, a.uuid, '2026-01-01'::timestamptz + abs(hashtext(a.uuid::text)) % 20 * interval '1 second'
           from activities a, users u where u.handle <> 'londo' and a.message like 'mine%';
           insert into reposts select u.uuid, a.uuid, '2026-01-01'::timestamptz + abs(hashtext(u.uuid::text)) % 20 * interval '1 second'
           from activities a, users u where u.handle <> 'londo' and a.message like 'mine%';
           insert into follows select u.uuid, l.uuid, '2026-01-01' from users u, users l where u.handle <> 'londo' and l.handle = 'londo';
           insert into activities (user_uuid, message, created_at)
           select uuid, '@londo', '2026-01-01'::timestamptz + n % 5 * interval '1 second'
           from users, generate_series(1, 20) n where handle = 'bayko'"""
    )
    return service.database.sql("select (select count(*) from users) - 4")[0][0]


@pytest.mark.parametrize("limit", [3, 10, 50, 200])
def test_pages(service, limit):
    more_users = everything(service)
    rows, sizes = listed(service, "londo", f"{TARGET}?limit={limit}")
    assert sizes[:-1] == [limit] * (len(sizes) - 1)
    users = 3 + more_users
    assert len(rows) == 12 * 3 * users + 12 * users * 2 + users + 20
    assert len({row["uuid"] for row in rows}) == len(rows)
    order = [(row["created_at"], row["uuid"]) for row in rows]
    assert order == sorted(order, reverse=True)
    assert len({(row["kind"], row["handle"], row["activity_uuid"]) for row in rows}) == len(rows)
    if limit == 200:
        assert rows[:200] == notifications(service, "londo", "?limit=200")


# A walk of the statement ends after so many notifications, shown or not: user_walk_rows in schema.sql.
WALK = 1000


@pytest.mark.parametrize("hidden", [2 * WALK + 500, WALK, WALK - 1, WALK - 2])
@pytest.mark.parametrize("limit", [1, 3, 200])
def test_a_long_run_of_hidden_ones(service, limit, hidden):
    """A user that is muted has caused so many notifications; older and newer ones are by others. Each of these is on one page."""
    post = service.create_as("londo")["uuid"]
    service.database.sql(
        """insert into notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
           select londo.uuid, now() - n * interval '1 second', gen_random_uuid(), 'like', other.uuid, %s
           from users londo, generate_series(1, %s) n, users other
           where londo.handle = 'londo' and other.handle = case when n between 5 and %s then 'bayko' else 'altbrown' end""",
        post, hidden + 11, hidden + 4,
    )  # fmt: skip
    shown, _ = listed(service, "londo", f"{TARGET}?limit=200")
    assert len(shown) == hidden + 11
    assert service.ask_as("londo", "PUT", "/api/users/@bayko/mute").status == 200
    rows, sizes = listed(service, "londo", f"{TARGET}?limit={limit}")
    assert rows == [row for row in shown if row["handle"] == "altbrown"] and len(rows) == 11
    assert len(sizes) <= 11 // limit + hidden // WALK + 2
    assert unread(service, "londo") == 4  # the older ones are behind the walk
    assert service.ask_as("londo", "DELETE", "/api/users/@bayko/mute").status == 200


def test_a_long_run_of_hidden_ones_since(service):
    post = service.create_as("londo")["uuid"]
    marked(service, "altbrown", "like", post)
    since = service.ask_as("londo", "GET", TARGET).headers["Cruddur-Since"]
    marked(service, "andrewbrown", "like", post)
    service.database.sql(
        """insert into notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
           select londo.uuid, now() + n * interval '1 microsecond', gen_random_uuid(), 'like', bayko.uuid, %s
           from users londo, users bayko, generate_series(1, %s) n
           where londo.handle = 'londo' and bayko.handle = 'bayko'""",
        post, 2 * WALK,
    )  # fmt: skip
    assert service.ask_as("londo", "PUT", "/api/users/@bayko/mute").status == 200
    rows, sizes = listed(service, "londo", f"{TARGET}?since={since}")
    assert [row["handle"] for row in rows] == ["andrewbrown"] and sizes == [0, 0, 1]
    assert service.ask_as("londo", "DELETE", "/api/users/@bayko/mute").status == 200


@pytest.mark.parametrize("query, code", [("?limit=0", "limit_invalid"), ("?limit=x", "limit_invalid"), ("?cursor=x", "cursor_invalid")])
def test_pages_that_are_none(service, query, code):
    reply = service.ask_as("londo", "GET", TARGET + query)
    assert (reply.status, reply.json) == (422, [code])


def test_strangers(service):
    check_strangers(service, "GET", TARGET)
    check_strangers(service, "GET", TARGET + "/unread")
    check_strangers(service, "PUT", TARGET + "/read", {})


def test_by_handle(cluster):
    """In handle mode the request names no user, so it is for the default user, or for the token's user."""
    with TokenService(cluster, identity="handle", default_handle="londo") as service:
        row = replied(service, "bayko", service.create_as("londo")["uuid"])
        assert seen(service, None) == [("reply", "bayko", row)]
        nothing_for(service, "bayko")
        assert unread(service, None) == 1
        read(service, None)
        assert unread(service, None) == 0
        read(service, None, handle="bayko")
    with TokenService(cluster, identity="handle") as service:
        for reply in (service.get(TARGET), service.get(TARGET + "/unread"), service.ask_as(None, "PUT", TARGET + "/read", {})):
            assert (reply.status, reply.json) == (422, ["user_handle_blank"])
