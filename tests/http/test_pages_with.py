"""A user's page with replies and reposts, and the replies inside the feed for the frontend of week 4."""

import pytest

from issuer import TokenService
from social import EXPIRE, marked
from test_user_feed import ACTIVITY

PAGE = "/api/activities/@londo"


@pytest.fixture
def service(tokens):
    tokens.database.sql("truncate activities cascade")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        service.database.feed_bound = 0
        yield service


@pytest.fixture
def week4(tokens_week4):
    tokens_week4.database.sql("truncate activities cascade")
    return tokens_week4


@pytest.fixture(scope="module")
def tokens_week4(cluster):
    with TokenService(cluster, compat="week4") as service:
        yield service


def page(service, query="", handle=None):
    reply = service.ask_as(handle, "GET", PAGE + query)
    assert reply.status == 200, reply
    return reply


def rows(service, query="", handle=None):
    """Messages, with who reposted them."""
    return [(row["message"], (row.get("reposted_by") or {}).get("handle")) for row in page(service, query, handle).json["activities"]]


@pytest.fixture
def events(service):
    """londo posts, replies and reposts in turn. Returns the rows of the page with all of these, newest first."""
    other = service.create_as("bayko", "of bayko")["uuid"]
    another = service.create_as("altbrown", "of altbrown")["uuid"]
    service.create_as("londo", "post 1")
    service.reply_as("londo", other, "reply 1")
    marked(service, "londo", "repost", other)
    service.create_as("londo", "post 2")
    marked(service, "londo", "repost", another)
    service.reply_as("londo", another, "reply 2")
    return [("reply 2", None), ("of altbrown", "londo"), ("post 2", None), ("of bayko", "londo"), ("reply 1", None), ("post 1", None)]


@pytest.mark.parametrize(
    "query, words",
    [("", ("post",)), ("?with=", ("post",)), ("?with=replies", ("post", "reply")), ("?with=reposts", ("post", "of")),
     ("?with=replies,reposts", ("post", "reply", "of")), ("?with=reposts,replies", ("post", "reply", "of")),
     ("?with=replies%2Creposts", ("post", "reply", "of"))],
)  # fmt: skip
def test_what_is_asked_for(service, events, query, words):
    assert rows(service, query) == [event for event in events if event[0].startswith(words)]
    assert page(service, query).json["profile"] == page(service).json["profile"]


@pytest.mark.parametrize("limit", [1, 2, 4, 6, 50])
def test_pages(service, events, limit):
    target, found = f"?with=replies,reposts&limit={limit}", []
    while target:
        reply = page(service, target)
        found += [(row["message"], (row["reposted_by"] or {}).get("handle")) for row in reply.json["activities"]]
        assert len(reply.json["activities"]) <= limit
        target = reply.next_page and reply.next_page.removeprefix(PAGE)
    assert found == events


def test_rows(service, events):
    marked(service, "bayko", "like", service.ask_as("londo", "GET", PAGE).json["activities"][0]["uuid"])
    for handle in (None, "bayko"):
        for row in page(service, "?with=replies,reposts", handle).json["activities"]:
            as_shown = service.ask_as(handle, "GET", f"/api/activities/{row['uuid']}").json["activity"]
            assert {name: row[name] for name in ACTIVITY} == {name: as_shown[name] for name in ACTIVITY}
            assert (row["liked"], row["reposted"], row["replies"]) == (as_shown["liked"], as_shown["reposted"], [])
            assert (row["reposted_at"] is None) == (row["reposted_by"] is None) == (row["handle"] == "londo")


def test_never_what_has_ended_or_ones_own_twice(service):
    other = service.create_as("bayko", "of bayko")["uuid"]
    own = service.create_as("londo", "my own")["uuid"]
    for post in (other, own):
        marked(service, "londo", "repost", post)
    reply = service.reply_as("londo", other, "a reply").json["uuid"]
    assert rows(service, "?with=replies,reposts") == [("a reply", None), ("of bayko", "londo"), ("my own", None)]
    service.ask_as("londo", "DELETE", f"/api/activities/{reply}")
    service.database.sql(EXPIRE, other)
    assert rows(service, "?with=replies,reposts") == [("my own", None)]


def test_below_many_that_have_ended(service):
    """The walk along replies ends after a thousand rows; following the links shows everything."""
    other = service.create_as("bayko", "of bayko")["uuid"]
    service.database.sql(
        """insert into activities (user_uuid, message, reply_to_activity_uuid, created_at, expires_at)
           select u.uuid, 'reply ' || n, %s, now() - interval '2 days' + n * interval '1 second',
               case when n > 5 then now() - interval '1 day' end
           from users u, generate_series(1, 2500) n where handle = 'londo'""",
        other,
    )
    target, found = "?with=replies&limit=50", []
    while target:
        reply = page(service, target)
        found += [row["message"] for row in reply.json["activities"]]
        target = reply.next_page and reply.next_page.removeprefix(PAGE)
    assert found == [f"reply {n}" for n in (5, 4, 3, 2, 1)]


@pytest.mark.parametrize(
    "query", ["with=x", "with=Replies", "with=replies;reposts", "with=replies,x", "with=replies&with=reposts", "with=,"]
)
def test_what_is_none(service, query):
    reply = service.get(f"{PAGE}?{query}")
    assert (reply.status, reply.json) == (422, ["with_invalid"])


# --- week 4 ---


def nested(row):
    """The message of a row and, in order, those of its replies."""
    return [row["message"], *[nested(reply) for reply in row["replies"]]]


def home(service):
    return service.get("/api/activities/home").json


def test_replies_are_in_the_feed(week4):
    post = week4.create_as("londo", "a post")["uuid"]
    assert [nested(row) for row in home(week4)] == [["a post"]]
    first = week4.reply_as("bayko", post, "first").json["uuid"]
    week4.reply_as("altbrown", post, "second")
    week4.reply_as("londo", first, "to the first")
    expected = ["a post", ["first", ["to the first"]], ["second"]]
    assert [nested(row) for row in home(week4)] == [expected]
    assert [nested(row) for row in week4.get(PAGE).json] == [expected]
    row = home(week4)[0]["replies"][0]
    shown = week4.get(f"/api/activities/{first}").json["activity"]
    assert {name: row[name] for name in ACTIVITY} == {name: shown[name] for name in ACTIVITY}
    week4.ask_as("bayko", "DELETE", f"/api/activities/{first}")
    assert [nested(row) for row in home(week4)] == [["a post", ["second"]]]


def size(row):
    return len(row["replies"]) + sum(size(reply) for reply in row["replies"])


def test_many_replies(week4):
    """The feed has the newest replies, and not more than fifty in all."""
    post = week4.create_as("londo", "a post")["uuid"]
    week4.database.sql(
        """insert into activities (user_uuid, message, reply_to_activity_uuid, created_at)
           select u.uuid, 'reply ' || n, %s, now() + n * interval '1 millisecond'
           from users u, generate_series(1, 40) n where handle = 'bayko'""",
        post,
    )
    week4.database.sql(
        """insert into activities (user_uuid, message, reply_to_activity_uuid)
           select u.uuid, 'deeper ' || n, a.uuid
           from users u, activities a, generate_series(1, 30) n where handle = 'bayko' and a.message like 'reply %%'""",
    )
    week4.database.sql("update activities set replies_count = 40 where uuid = %s", post)
    week4.database.sql("update activities set replies_count = 30 where message like 'reply %%'")
    (row,) = home(week4)
    assert [reply["message"] for reply in row["replies"]] == [f"reply {n}" for n in range(11, 41)]
    assert size(row) == 50
    newest = week4.reply_as("londo", post, "newest").json["uuid"]
    assert home(week4)[0]["replies"][-1]["uuid"] == newest


def test_without_it_the_feed_has_none(service):
    post = service.create_as("londo", "a post")["uuid"]
    service.reply_as("bayko", post, "first")
    assert [row["replies"] for row in home(service)] == [[]]
