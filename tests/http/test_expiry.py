"""From the moment an activity expires, no answer contains it or anything that belongs to it."""

import datetime

import pytest

from issuer import TokenService
from social import followed, marked
from waiting import LIVES


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        followed(service, "bayko", "londo")
        followed(service, "altbrown", "andrewbrown")
        yield service


def everywhere(service, post, reply):
    """Every answer that shows londo's post: to bayko who follows londo, to altbrown who is mentioned, to londo. Each is a name and a
    function that returns whether the post is shown."""
    ask = service.ask_as
    activity = f"/api/activities/{post}"
    yield "home", lambda: post in [row["uuid"] for row in ask(None, "GET", "/api/activities/home").json]
    yield "home, another page", lambda: post in [row["uuid"] for row in ask(None, "GET", "/api/activities/home?limit=7").json]
    for name, term in (("search", "soon"), ("the start of a word", "soo"), ("a tag", "%23soon"), ("an author", "@londo"), ("no word", "-x")):
        yield name, lambda term=term: post in [row["uuid"] for row in ask(None, "GET", f"/api/activities/search?term={term}").json]
    yield "trends", lambda: "soon" in [row["hashtag"] for row in ask(None, "GET", "/api/trends").json]
    yield "following", lambda: post in [row["uuid"] for row in ask("bayko", "GET", "/api/activities/following").json]
    yield "reposted", lambda: post in [row["uuid"] for row in ask("altbrown", "GET", "/api/activities/following").json]
    yield "user", lambda: post in [row["uuid"] for row in ask("bayko", "GET", "/api/activities/@londo").json["activities"]]
    yield "count", lambda: ask(None, "GET", "/api/activities/@londo").json["profile"]["cruds_count"] == 1
    yield "told of likes", lambda: ("like", post) in kinds(ask("londo", "GET", "/api/activities/notifications"))
    yield "told of replies", lambda: ("reply", reply) in kinds(ask("londo", "GET", "/api/activities/notifications"))
    yield "told of mentions", lambda: ("mention", post) in kinds(ask("altbrown", "GET", "/api/activities/notifications"))
    yield "unread", lambda: ask("altbrown", "GET", "/api/activities/notifications/unread").json["unread"] == 1
    for name, target in (("show", activity), ("of the user", f"/api/activities/@londo/status/{post}"), ("reply", f"/api/activities/{reply}")):
        yield name, lambda target=target: ask(None, "GET", target).status == 200
    for what in ("like", "repost"):
        yield what, lambda what=what: ask("andrewbrown", "PUT", f"{activity}/{what}").status == 200
    yield "answer", lambda: ask("bayko", "POST", f"{activity}/reply", {"message": "still there?"}).status == 200
    yield "keep", lambda: ask("bayko", "PUT", f"{activity}/keep", {"ttl": "1-day"}).status == 403
    yield "delete", lambda: ask("bayko", "DELETE", activity).status == 403


def kinds(reply):
    return [(row["kind"], row["activity_uuid"]) for row in reply.json]


def now():
    """The time by PostgreSQL's clock, which is this machine's."""
    return datetime.datetime.now(datetime.timezone.utc)


def asked_of(service, life):
    """Checks every answer about a post with this lifetime. Returns the names of those that were checked before its end and after it."""
    post = service.create_as("londo", "#soon over, @altbrown")["uuid"]
    reply = service.reply_as("bayko", post).json["uuid"]
    marked(service, "andrewbrown", "like", post)
    marked(service, "andrewbrown", "repost", post)
    (end,), _ = service.database.sql(
        f"update activities set expires_at = now() + interval '{life} s' where uuid::text in (%s, %s) returning expires_at", post, reply
    )
    names = {name for name, _ in everywhere(service, post, reply)}
    asked_before, asked_after = set(), set()
    while asked_after != names:
        for name, is_there in everywhere(service, post, reply):
            before = now()
            told = is_there()
            after = now()
            if after < end:
                assert told, f"{name}: gone {end - after} too early"
                asked_before.add(name)
            elif before >= end:
                assert not told, f"{name}: there {before - end} too late"
                asked_after.add(name)
    assert service.database.sql("select count(*) from activities where uuid::text in (%s, %s)", post, reply) == [(2,)]
    return asked_before, asked_after


def test_to_the_moment(service):
    """Until it expires by PostgreSQL's clock, it is in every answer, and then in none."""
    assert any(before == after for before, after in (asked_of(service, life) for life in LIVES))
