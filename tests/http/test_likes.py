"""PUT and DELETE /api/activities/{uuid}/like and /repost: a user marks an activity once."""

import concurrent.futures
import uuid

import pytest

from issuer import TokenService
from social import EXPIRE, MARKS, check_counts, check_told, check_strangers, mark, marked, parametrize_marks


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        yield service
        check_counts(service.database)
        check_told(service.database)


@pytest.fixture
def post(service):
    return service.create_as("londo")["uuid"]


def shown(service, handle, activity):
    return service.ask_as(handle, "GET", f"/api/activities/{activity}").json["activity"]


@parametrize_marks
def test_the_activity_comes_back_with_it(service, what, post):
    _, count, mine = MARKS[what]
    row = marked(service, "bayko", what, post)
    assert row == {**shown(service, "bayko", post), "replies": []}
    assert (row["handle"], row[count], row[mine]) == ("londo", 1, True)
    row = marked(service, "altbrown", what, post)
    assert (row[count], row[mine]) == (2, True)
    row = marked(service, "bayko", what, post, "DELETE")
    assert row == {**shown(service, "bayko", post), "replies": []}
    assert (row[count], row[mine]) == (1, False)
    assert next(row for row in service.home("?limit=200").json if row["uuid"] == post)[count] == 1


@parametrize_marks
def test_the_same_again_is_nothing_more(service, what, post):
    table, count, mine = MARKS[what]
    first = marked(service, "bayko", what, post)
    rows = service.database.sql(f"select * from {table} where activity_uuid = %s", post)
    assert [marked(service, "bayko", what, post) for _ in range(3)] == [first] * 3
    assert service.database.sql(f"select * from {table} where activity_uuid = %s", post) == rows
    for _ in range(3):
        row = marked(service, "bayko", what, post, "DELETE")
        assert (row[count], row[mine]) == (0, False)


def test_a_like_is_no_repost(service, post):
    marked(service, "bayko", "like", post)
    row = marked(service, "bayko", "repost", post)
    assert (row["likes_count"], row["liked"], row["reposts_count"], row["reposted"]) == (1, True, 1, True)
    row = marked(service, "bayko", "like", post, "DELETE")
    assert (row["likes_count"], row["liked"], row["reposts_count"], row["reposted"]) == (0, False, 1, True)
    row = marked(service, "altbrown", "like", post)
    assert (row["likes_count"], row["liked"], row["reposts_count"], row["reposted"]) == (1, True, 1, False)


@parametrize_marks
def test_ones_own_and_replies_too(service, what, post):
    reply = service.reply_as("bayko", post).json["uuid"]
    _, count, mine = MARKS[what]
    for activity, handle in ((post, "londo"), (reply, "bayko"), (reply, "londo")):
        assert marked(service, handle, what, activity)[mine] is True
    thread = service.ask_as("londo", "GET", f"/api/activities/{post}").json
    assert (thread["activity"][count], thread["replies"][0][count]) == (1, 2)


@parametrize_marks
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_is_not_there(service, what, method):
    expired, gone = (service.create_as("londo")["uuid"] for _ in range(2))
    marked(service, "bayko", what, expired)
    service.database.sql(EXPIRE, expired)
    assert service.ask_as("londo", "DELETE", f"/api/activities/{gone}").status == 200
    for activity in (expired, gone, uuid.uuid4()):
        reply = mark(service, "bayko", what, activity, method)
        assert (reply.status, reply.json) == (404, ["not_found"])
    reply = mark(service, "bayko", what, "home", method)
    assert (reply.status, reply.json) == (404, ["not_found"])


@parametrize_marks
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_strangers(service, what, method, post):
    check_strangers(service, method, f"/api/activities/{post}/{what}")
    assert shown(service, None, post)[MARKS[what][1]] == 0


@parametrize_marks
def test_they_go_with_the_activity(service, what, post):
    """The marks are invisible at once. Their rows are purged with the activity's row, a day later."""
    table = MARKS[what][0]
    reply = service.reply_as("bayko", post).json["uuid"]
    for activity in (post, reply):
        marked(service, "altbrown", what, activity)
    assert service.ask_as("londo", "DELETE", f"/api/activities/{post}").status == 200
    assert {service.get(f"/api/activities/{activity}").status for activity in (post, reply)} == {404}
    service.database.sql("update activities set deleted_at = deleted_at - interval '25 hours' where deleted_at is not null")
    service.database.sql("select purge_expired(1000)")
    assert service.database.sql(f"select 1 from {table} where activity_uuid::text in (%s, %s)", post, reply) == []


# --- what a read says of its reader ---


def reads(service, handle, activity):
    """The activity in each answer that has the caller's marks."""
    target = f"/api/activities/{activity}"
    yield shown(service, handle, activity)
    yield service.ask_as(handle, "GET", f"/api/activities/@londo/status/{activity}").json["activity"]
    rows = service.ask_as(handle, "GET", "/api/activities/@londo?limit=200").json["activities"]
    yield next(row for row in rows if row["uuid"] == activity)
    assert service.ask_as(handle, "HEAD", target).status == 200


@parametrize_marks
def test_who_reads(service, what, post):
    mine = MARKS[what][2]
    marked(service, "bayko", what, post)
    for handle, expected in (("bayko", True), ("altbrown", False), ("stranger", False), (None, None)):
        assert [row[mine] for row in reads(service, handle, post)] == [expected] * 3, handle


def test_a_bad_token_reads_as_nobody(service, post):
    marked(service, "bayko", "like", post)
    for headers in ({"Authorization": "Bearer null"}, {"Authorization": "Basic x"}, {"Authorization": f"Bearer {service.token('bayko', exp=1)}"}):
        reply = service.ask("GET", f"/api/activities/{post}", None, headers)
        assert (reply.status, reply.json["activity"]["liked"]) == (200, None)


def test_replies_say_it_too(service, post):
    replies = [service.reply_as("altbrown", post, f"{number}").json for number in range(3)]
    assert [(reply["liked"], reply["reposted"]) for reply in replies] == [(False, False)] * 3
    marked(service, "bayko", "like", replies[1]["uuid"])
    marked(service, "bayko", "repost", replies[2]["uuid"])
    thread = service.ask_as("bayko", "GET", f"/api/activities/{post}").json["replies"]
    assert [(reply["liked"], reply["reposted"]) for reply in thread] == [(False, False), (True, False), (False, True)]


def test_home_is_the_same_for_all(service, post):
    marked(service, "bayko", "like", post)
    answers = [service.ask_as(handle, "GET", "/api/activities/home") for handle in ("bayko", "altbrown", None)]
    assert len({answer.body for answer in answers}) == 1
    assert not {"liked", "reposted"} & set(answers[0].json[0])
    assert len({answer.headers["ETag"] for answer in answers}) == 1


def test_a_create_that_comes_again(service):
    """The repeated create returns the present state of the activity."""
    headers = {"Idempotency-Key": "liked-meanwhile"}
    row = service.create_as("londo", **headers)
    assert (row["liked"], row["reposted"]) == (False, False)
    marked(service, "londo", "like", row["uuid"])
    again = service.create_as("londo", **headers)
    assert again == row | {"liked": True, "likes_count": 1}


# --- many at once ---


@parametrize_marks
def test_one_and_the_same_at_once(service, what, post):
    table, count, _ = MARKS[what]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(lambda _: marked(service, "bayko", what, post), range(32)))
    assert {row[count] for row in rows} == {1}
    assert len(service.database.sql(f"select 1 from {table} where activity_uuid = %s", post)) == 1
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(lambda _: marked(service, "bayko", what, post, "DELETE"), range(32)))
    assert {row[count] for row in rows} == {0}


@parametrize_marks
def test_several_at_once(service, what, post):
    handles = ["andrewbrown", "bayko", "altbrown", "londo"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(lambda number: marked(service, handles[number % 4], what, post), range(32)))
    assert max(row[MARKS[what][1]] for row in rows) == 4
    check_counts(service.database)


# --- by handle ---


def test_by_handle(cluster):
    """These requests have no body that could name a user, so the default user makes the mark."""
    with TokenService(cluster, identity="handle", default_handle="bayko") as service:
        for what, (_, _, mine) in MARKS.items():
            post = service.create_as("londo")["uuid"]
            assert marked(service, None, what, post)[mine] is True
            assert [row[mine] for row in reads(service, None, post)] == [True] * 3
            assert [row[mine] for row in reads(service, "londo", post)] == [False] * 3
    with TokenService(cluster, identity="handle") as service:
        for what, (_, _, mine) in MARKS.items():
            post = service.create_as("londo")["uuid"]
            reply = mark(service, None, what, post)
            assert (reply.status, reply.json) == (422, ["user_handle_blank"])
            assert [row[mine] for row in reads(service, None, post)] == [None] * 3
