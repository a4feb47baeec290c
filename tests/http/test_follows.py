"""PUT and DELETE /api/users/@{handle}/follow, and GET /api/activities/following."""

import pytest

from issuer import TokenService
from social import EXPIRE, check_strangers, follow, followed, listed, marked

TARGET = "/api/activities/following"


@pytest.fixture
def service(tokens):
    """A service without activities and follows."""
    tokens.database.load("truncate activities, follows cascade; delete from users where handle ~ '^crowd'")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        service.database.feed_bound = 0  # these tests do not read the cached feed
        yield service


def following(service, handle, query=""):
    reply = service.ask_as(handle, "GET", TARGET + query)
    assert reply.status == 200, reply
    return reply.json


def messages(rows):
    """The message of each row, and the user who reposted it."""
    return [(row["message"], row["reposted_by"] and row["reposted_by"]["handle"]) for row in rows]


# --- who follows whom ---


def test_the_user_comes_back(service):
    row = followed(service, "bayko", "londo")
    short = service.get("/api/users/@londo/short").json
    assert row == short | {"followed": True}
    assert followed(service, "bayko", "LONDO", "DELETE") == short | {"followed": False}


def test_the_same_again_is_nothing_more(service):
    rows = [followed(service, "bayko", "londo") for _ in range(3)]
    assert rows == rows[:1] * 3
    before = service.database.sql("select * from follows")
    assert len(before) == 1
    followed(service, "bayko", "londo")
    assert service.database.sql("select * from follows") == before
    assert [followed(service, "bayko", "londo", "DELETE")["followed"] for _ in range(2)] == [False] * 2
    assert service.database.sql("select * from follows") == []


def test_it_goes_one_way(service):
    followed(service, "bayko", "londo")
    assert profile(service, "bayko", "londo")["followed"] is True
    assert profile(service, "londo", "bayko")["followed"] is False
    assert profile(service, "altbrown", "londo")["followed"] is False
    assert profile(service, "stranger", "londo")["followed"] is False
    assert profile(service, None, "londo")["followed"] is None


def profile(service, handle, of):
    return service.ask_as(handle, "GET", f"/api/activities/@{of}").json["profile"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_nobody_follows_themselves(service, method):
    reply = follow(service, "bayko", "BAYKO", method)
    assert (reply.status, reply.json) == (422, ["followed_is_follower"])
    assert service.database.sql("select * from follows") == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_who_is_not_there(service, method):
    reply = follow(service, "bayko", "nobody-of-that-name", method)
    assert (reply.status, reply.json) == (404, ["not_found"])
    check_strangers(service, method, "/api/users/@londo/follow")


# --- what they post ---


def test_at_first_there_is_nothing(service):
    service.create_as("londo")
    assert following(service, "bayko") == []
    followed(service, "bayko", "londo")
    assert messages(following(service, "bayko")) == [("hello", None)]
    followed(service, "bayko", "londo", "DELETE")
    assert following(service, "bayko") == []


def test_posts_newest_first(service):
    for handle in ("londo", "altbrown"):
        followed(service, "bayko", handle)
    for number, handle in enumerate(["londo", "altbrown", "andrewbrown", "bayko", "londo"]):
        service.create_as(handle, f"{number}")
    rows = following(service, "bayko")
    assert messages(rows) == [("4", None), ("1", None), ("0", None)]
    assert following(service, "londo") == []
    home = {row["uuid"]: row for row in service.home().json}
    for row in rows:
        more = {"liked": False, "reposted": False, "reposted_by": None, "reposted_at": None, "reposters": []}
        assert row == home[row["uuid"]] | more


def test_replies_only_where_reposted(service):
    followed(service, "bayko", "londo")
    post = service.create_as("andrewbrown", "a post")["uuid"]
    reply = service.reply_as("londo", post, "a reply").json["uuid"]
    assert following(service, "bayko") == []
    marked(service, "londo", "repost", reply)
    assert messages(following(service, "bayko")) == [("a reply", "londo")]


def test_reposts_stand_where_they_were_made(service):
    followed(service, "bayko", "londo")
    old = service.create_as("andrewbrown", "old")["uuid"]
    service.create_as("londo", "middle")
    row = marked(service, "londo", "repost", old)
    service.create_as("londo", "new")
    rows = following(service, "bayko")
    assert messages(rows) == [("new", None), ("old", "londo"), ("middle", None)]
    assert rows[1]["reposted_by"] == {"handle": "londo", "display_name": "Londo Mollari"}
    assert rows[2]["created_at"] < rows[1]["reposted_at"] < rows[0]["created_at"]
    assert (rows[1]["handle"], rows[1]["created_at"], rows[1]["reposts_count"]) == ("andrewbrown", row["created_at"], 1)
    marked(service, "londo", "repost", old, "DELETE")
    assert messages(following(service, "bayko")) == [("new", None), ("middle", None)]


def test_one_activity_is_there_once(service):
    """It is on one page only, with all followed users who reposted it."""
    for handle in ("londo", "altbrown"):
        followed(service, "bayko", handle)
    post = service.create_as("londo", "much liked")["uuid"]
    service.create_as("londo", "after it")
    marked(service, "altbrown", "repost", post)
    service.create_as("londo", "after its repost")
    for handle in ("londo", "andrewbrown"):
        marked(service, handle, "repost", post)
    rows = following(service, "bayko")
    assert messages(rows) == [("much liked", "londo"), ("after its repost", None), ("after it", None)]
    assert [reposter["handle"] for reposter in rows[0]["reposters"]] == ["londo", "altbrown"]
    assert [row["reposters"] for row in rows[1:]] == [[], []]
    for limit in (1, 2, 3):
        pages, sizes = listed(service, "bayko", f"{TARGET}?limit={limit}")
        assert messages(pages) == messages(rows) and max(sizes) <= limit
    marked(service, "londo", "repost", post, "DELETE")
    assert messages(following(service, "bayko")) == [("after its repost", None), ("much liked", "altbrown"), ("after it", None)]


def test_what_one_did_oneself(service):
    followed(service, "bayko", "londo")
    first, second = (service.create_as("londo")["uuid"] for _ in range(2))
    marked(service, "bayko", "like", first)
    marked(service, "bayko", "repost", second)
    assert [(row["liked"], row["reposted"]) for row in following(service, "bayko")] == [(False, True), (True, False)]


def test_never_what_has_expired_or_is_gone(service):
    followed(service, "bayko", "londo")
    for repost in (False, True):
        posts = [service.create_as("andrewbrown" if repost else "londo", f"{number}")["uuid"] for number in range(3)]
        for post in posts if repost else ():
            marked(service, "londo", "repost", post)
        service.database.sql(EXPIRE, posts[1])
        assert service.ask_as("andrewbrown" if repost else "londo", "DELETE", f"/api/activities/{posts[2]}").status == 200
        assert messages(following(service, "bayko")) == [("0", "londo" if repost else None)]
        service.database.sql("truncate activities cascade")


# --- pages ---


def crowd(service, count, posts):
    """Makes so many users that bayko follows, each with so many posts and one repost of another user's post."""
    service.database.sql(
        f"""insert into users (display_name, handle, email, cognito_user_id)
            select n, 'crowd' || n, n || '@crowd.example', 'mock-crowd' || n from generate_series(1, {count}) n
            on conflict do nothing;
            insert into follows (follower_uuid, followed_uuid)
            select (select uuid from users where handle = 'bayko'), uuid from users where handle ~ '^crowd[0-9]+$' limit {count};
            insert into activities (user_uuid, message, created_at)
            select u.uuid, n || ' of ' || handle, '2026-01-01'::timestamptz + (hashtext(handle) % 1000 + n * 300) * interval '1 second'
            from users u, generate_series(1, {posts}) n where handle ~ '^crowd[0-9]+$';
            insert into activities (user_uuid, message, created_at)
            select uuid, 'noise ' || n, '2026-01-01'::timestamptz + n * interval '1 second'
            from users, generate_series(1, {count}) n where handle = 'londo';
            insert into reposts (user_uuid, activity_uuid, created_at)
            select u.uuid, a.uuid, '2026-01-01'::timestamptz + (hashtext(handle || 'r') % 1000) * interval '1 second'
            from users u cross join lateral
              (select uuid from activities where message like 'noise%' order by md5(uuid::text || u.uuid) limit 1) a
            where handle ~ '^crowd[0-9]+$';
            update activities a set reposts_count = (select count(*) from reposts where activity_uuid = a.uuid)"""
    )


EXPECTED = """
    select distinct on (activity) message, handle
    from (
        select a.uuid as activity, a.message, null as handle, a.created_at as at, a.uuid as id
        from activities a join users u on u.uuid = a.user_uuid where {} handle ~ '^crowd'
        union all
        select a.uuid, a.message, handle, r.created_at, event_uuid('repost', r.user_uuid, a.uuid)
        from reposts r join activities a on a.uuid = r.activity_uuid join users u on u.uuid = r.user_uuid
    ) events
    order by activity, at desc, id desc"""


@pytest.mark.parametrize("count, posts", [(5, 30), (150, 3), (250, 0)])
@pytest.mark.parametrize("limit", [7, 50, 200])
def test_pages(service, count, posts, limit):
    """For few followed users each one's posts are read, for many the newest of all posts. Every row is there once, in order; many rows
    have the same time."""
    crowd(service, count, posts)
    rows, sizes = listed(service, "bayko", f"{TARGET}?limit={limit}")
    times = [row["reposted_at"] or row["created_at"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert sorted(messages(rows), key=str) == sorted(service.database.sql(EXPECTED.format("")), key=str)
    assert max(sizes) <= limit


@pytest.mark.parametrize("limit", [1, 2])
def test_a_user_who_is_followed_while_one_pages(service, limit):
    """Nothing is left out because of a repost that earlier pages would have had."""
    followed(service, "bayko", "andrewbrown")
    posts = [service.create_as("andrewbrown", f"post {number}")["uuid"] for number in range(6)]
    marked(service, "londo", "repost", posts[1])
    first = service.ask_as("bayko", "GET", f"/api/activities/following?limit={limit}")
    assert followed(service, "bayko", "londo")
    rows, _ = listed(service, "bayko", first.next_page)
    assert [row["uuid"] for row in first.json + rows] == posts[::-1]


@pytest.mark.parametrize("who, whom, what", [("bayko", "crowd1", "mute"), ("bayko", "altbrown", "mute"), ("altbrown", "bayko", "block")])
def test_a_hidden_one_among_the_newest(service, who, whom, what):
    """The page has a row less, and a link to the next one. crowd1 has the newest post, or altbrown is the author of the newest repost."""
    crowd(service, 60, 1)
    if whom == "crowd1":
        service.database.sql("insert into activities (user_uuid, message) select uuid, 'newest' from users where handle = 'crowd1'")
    else:
        post = service.create_as("altbrown", "reposted")["uuid"]
        service.database.sql("insert into reposts select uuid, %s from users where handle = 'crowd2'", post)

    def posts():
        return [message for message, reposter in messages(listed(service, "bayko", f"{TARGET}?limit=50")[0]) if reposter is None]

    shown = posts()
    assert len(shown) == 60 + (whom == "crowd1")
    try:
        assert service.ask_as(who, "PUT", f"/api/users/@{whom}/{what}").status == 200
        assert posts() == [message for message in shown if whom != "crowd1" or message != "newest" and not message.endswith(" of crowd1")]
    finally:
        service.database.sql("delete from blocks; delete from mutes")


def test_many_who_are_silent(service):
    """None of the newest posts is by a followed user, so the newest posts of each followed user are looked up."""
    crowd(service, 150, 1)
    service.database.add_activities(2500, created_at="now() + n * interval '1 second'", handle="andrewbrown")
    rows, _ = listed(service, "bayko", f"{TARGET}?limit=50")
    assert sorted(messages(rows), key=str) == sorted(service.database.sql(EXPECTED.format("")), key=str)


LAYERS = """
    insert into activities (user_uuid, message, created_at, expires_at)
    select uuid, 'expired', now() - interval '2 hours' + n * interval '1 second', now() - interval '1 hour' + n * interval '1 second'
    from users, generate_series(1, 15) n where handle ~ '^crowd' and hashtext(handle) % 4 <> 0;
    insert into activities (user_uuid, message, created_at, reply_to_activity_uuid)
    select u.uuid, 'reply', now() - n * interval '1 second', a.uuid
    from users u, generate_series(1, 12) n, activities a where handle ~ '^crowd' and hashtext(handle) % 3 <> 0 and message = 'noise 1';
    insert into activities (user_uuid, message, created_at, expires_at)
    select uuid, 'left of ' || life, now() - life * (0.3 + 0.4 * (hashtext(handle) & 255) / 255), now() + life * 0.3
    from users, unnest('{1 hour,3 hours,12 hours,1 day,3 days,7 days,30 days,400 days,infinity}'::text[]) lifetime
    cross join lateral (select replace(lifetime, 'infinity', '90 days')::interval as life) l
    where handle ~ '^crowd'"""


@pytest.mark.parametrize("count", [5, 150])
@pytest.mark.parametrize("limit", [7, 50])
def test_below_what_has_expired(service, count, limit):
    """Above live rows are expired posts and replies, more of both than are read for one page."""
    crowd(service, count, 2)
    service.database.sql(LAYERS)
    rows, sizes = listed(service, "bayko", f"{TARGET}?limit={limit}")
    times = [row["reposted_at"] or row["created_at"] for row in rows]
    assert times == sorted(times, reverse=True)
    live = EXPECTED.format("a.reply_to_activity_uuid is null and coalesce(a.expires_at > now(), true) and")
    assert sorted(messages(rows), key=str) == sorted(service.database.sql(live), key=str)
    assert max(sizes) <= limit


@pytest.mark.parametrize("query, code", [("?limit=0", "limit_invalid"), ("?limit=x", "limit_invalid"), ("?cursor=x", "cursor_invalid")])
def test_pages_that_are_none(service, query, code):
    reply = service.ask_as("londo", "GET", TARGET + query)
    assert (reply.status, reply.json) == (422, [code])


def test_strangers(service):
    check_strangers(service, "GET", TARGET)


def test_by_handle(cluster):
    with TokenService(cluster, identity="handle", default_handle="bayko") as service:
        assert followed(service, None, "londo")["followed"] is True
        service.create_as("londo", "for bayko")
        assert messages(following(service, None)) == [("for bayko", None)]
        assert following(service, "altbrown") == []
    with TokenService(cluster, identity="handle") as service:
        for reply in (service.get(TARGET), follow(service, None, "londo")):
            assert (reply.status, reply.json) == (422, ["user_handle_blank"])
