"""GET /api/trends and /api/users/suggested: what the sidebar shows."""

import uuid

import pytest

from issuer import TokenService


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        yield service


@pytest.fixture
def sql(service):
    """Runs SQL without waiting for the cached home page, which these tests do not read."""
    return service.database.run


@pytest.fixture(autouse=True)
def nothing(sql):
    sql("truncate activities, follows cascade; delete from users where handle like 'new%'")
    sql("update users set created_at = now() - interval '1 year'")


@pytest.fixture
def post(sql):
    def post(message, age="1 minute", handle="londo", expires_at="null", parent=None):
        ((made,),) = sql(
            f"""insert into activities (user_uuid, message, created_at, expires_at, reply_to_activity_uuid)
                select uuid, %s, now() - %s::interval, {expires_at}, %s from users where handle = %s returning uuid::text""",
            message, age, parent, handle,
        )  # fmt: skip
        return made

    return post


def trends(service):
    reply = service.get("/api/trends")
    assert reply.status == 200, reply
    return [(row["hashtag"], row["count"]) for row in reply.json]


def suggested(service, handle=None):
    reply = service.ask_as(handle, "GET", "/api/users/suggested")
    assert reply.status == 200, reply
    return [row["handle"] for row in reply.json]


def test_nothing_is_a_trend(service, post):
    post("no tag, a#b, #1 and #")
    assert trends(service) == []


def test_what_most_people_use_comes_first(service, post):
    """A user who repeats a tag counts as one user."""
    for _ in range(5):
        post("#Mine")
    post("#ours", handle="bayko")
    post("#OURS #ours", handle="londo")
    post("#both and #mine", handle="altbrown")
    post("#both", handle="bayko")
    assert trends(service) == [("mine", 6), ("both", 2), ("ours", 2)]


def test_replies_count(service, post):
    parent = post("#one")
    assert service.reply_as("bayko", parent, "#one indeed").status == 200
    assert trends(service) == [("one", 2)]


def test_the_last_day_and_what_has_not_expired(service, post):
    post("#old", age="24 hours 1 second")
    post("#new", age="23 hours")
    post("#gone", age="2 hours", expires_at="now() - interval '1 microsecond'")
    post("#lives", age="2 hours", expires_at="now() + interval '1 hour'")
    assert trends(service) == [("lives", 1), ("new", 1)]


def test_what_is_deleted_is_none(service, sql, post):
    made = post("#one")
    assert trends(service) == [("one", 1)]
    sql("delete from activities where uuid = %s", made)
    assert trends(service) == []


def test_ten_of_ten(service, post):
    """The first ten tags of a post count, the first ten in all are shown."""
    post(" ".join(f"#t{chr(97 + n)}" for n in range(12)))
    assert trends(service) == [(f"t{chr(97 + n)}", 1) for n in range(10)]
    post("#tl", handle="bayko")
    post("#tl", handle="londo")
    assert trends(service)[0] == ("tl", 2)
    assert len(trends(service)) == 10


def test_no_more_than_the_newest_are_looked_at(service, sql):
    service.database.add_activities(2500, created_at="now() - n * interval '1 second'", message="'#many ' || n")
    assert trends(service) == [("many", 2000)]


def test_those_who_posted_last_then_the_newest(service, sql, post):
    for n in range(3):
        sql(
            """insert into users (handle, display_name, email, cognito_user_id, created_at)
               values (%s, 'New', %s, %s, now() - %s * interval '1 hour')""",
            f"new{n}", f"new{n}@example.com", f"new{n}", n,
        )  # fmt: skip
    post("first", handle="bayko", age="3 hours")
    post("last", handle="londo", age="1 hour")
    post("again", handle="bayko", age="4 hours")
    post("gone", handle="altbrown", age="10 minutes", expires_at="now() - interval '1 second'")
    assert suggested(service)[:5] == ["londo", "bayko", "new0", "new1", "new2"]
    assert sorted(suggested(service)[5:]) == ["altbrown", "andrewbrown"]


def test_ten_are_enough(service, sql):
    sql(
        """insert into users (handle, display_name, email, cognito_user_id)
           select 'new' || n, 'New', 'new' || n || '@example.com', 'new' || n from generate_series(1, 30) n"""
    )
    sql("insert into activities (user_uuid, message) select uuid, 'x' from users where handle like 'new1%'")
    found = suggested(service)
    assert len(found) == len(set(found)) == 10
    assert all(handle.startswith("new1") for handle in found)


@pytest.fixture
def add_users(sql):
    def add_users(first, last):
        """newFIRST to newLAST, each a day older than the one before."""
        sql(
            """insert into users (handle, display_name, email, cognito_user_id, created_at)
               select 'new' || n, 'New', 'new' || n || '@example.com', 'new' || n, now() - interval '1 year' - n * interval '1 day'
               from generate_series(%s, %s) n""",
            first, last,
        )  # fmt: skip

    return add_users


@pytest.fixture
def follow(sql):
    def follow(follower, *others):
        for other in others:
            sql(
                "insert into follows (follower_uuid, followed_uuid) select a.uuid, b.uuid from users a, users b where (a.handle, b.handle) = (%s, %s)",
                follower, other,
            )  # fmt: skip

    return follow


def test_nobody_whom_one_follows_and_not_oneself(service, post, follow):
    for handle in ("londo", "bayko", "altbrown"):
        post("hello", handle=handle)
    follow("londo", "bayko")
    assert suggested(service, "londo") == ["altbrown", "andrewbrown"]
    assert set(suggested(service, "bayko")) == {"londo", "altbrown", "andrewbrown"}
    assert set(suggested(service)) == set(suggested(service, "stranger")) == {"londo", "bayko", "altbrown", "andrewbrown"}


def test_whom_the_followed_follow_comes_first(service, post, follow, add_users):
    add_users(1, 4)
    post("hello", handle="altbrown")
    follow("londo", "bayko", "andrewbrown")
    follow("bayko", "new4", "new3", "londo", "andrewbrown")
    follow("andrewbrown", "new4", "bayko")
    assert suggested(service, "londo") == ["new4", "new3", "altbrown", "new1", "new2"]
    follow("londo", "new4")
    assert suggested(service, "londo")[0] == "new3"


def test_by_the_default_handle(cluster):
    """In handle mode a request need not name the user."""
    with TokenService(cluster, identity="handle", default_handle="londo") as service:
        assert "londo" not in [row["handle"] for row in service.get("/api/users/suggested").json]


@pytest.mark.parametrize("target", ["/api/trends", "/api/users/suggested"])
def test_anyone_may_ask(service, target):
    for token in ("null", "x.y.z"):
        assert service.get(target, Authorization=f"Bearer {token}").status == 200
    assert service.get(f"{target}?anything={uuid.uuid4()}").status == 200
