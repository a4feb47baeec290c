"""GET /api/activities/@handle, …/status/{uuid} and /api/users/@handle/short: a user's page, in both frontends' forms."""

import uuid

import pytest

from issuer import TokenService

PROFILE = {"uuid", "cognito_user_uuid", "handle", "display_name", "bio", "cruds_count"}
ACTIVITY = {
    "uuid", "display_name", "handle", "message", "replies_count", "reposts_count", "likes_count", "expires_at", "created_at",
}  # fmt: skip
NOBODYS = {"liked": None, "reposted": None}  # for a caller without a token


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        yield service


@pytest.fixture(scope="module")
def week4(cluster):
    with TokenService(cluster, compat="week4") as service:
        yield service


def feed(service, handle, query=""):
    reply = service.get(f"/api/activities/@{handle}{query}")
    assert reply.status == 200, reply
    return reply.json


def test_the_page(service):
    row = service.create_as("bayko", "on my page")
    page = feed(service, "bayko")
    assert set(page) == {"profile", "activities"}
    assert set(page["profile"]) >= PROFILE
    profile = page["profile"]
    assert (profile["handle"], profile["display_name"], profile["bio"]) == ("bayko", "Andrew Bayko", "")
    assert (profile["cognito_user_uuid"], profile["cruds_count"]) == ("mock-bayko", 1)
    assert page["activities"] == [row | NOBODYS]
    assert set(row) >= ACTIVITY
    assert "email" not in profile


def test_week_4_wants_the_list(week4):
    row = week4.create_as("bayko")
    assert feed(week4, "bayko") == [row | NOBODYS]
    assert feed(week4, "altbrown") == []
    reply = week4.get("/api/activities/@nobody")
    assert (reply.status, reply.json) == (404, ["not_found"])


def test_a_page_without_activities(service):
    page = feed(service, "altbrown")
    assert (page["activities"], page["profile"]["cruds_count"]) == ([], 0)


@pytest.mark.parametrize("handle", ["nobody", "bayko%20", "%25", "'", "b%C3%A4yko", "bayk", "x" * 300])
def test_who_is_not_there(service, handle):
    for target in (f"/api/activities/@{handle}", f"/api/users/@{handle}/short", f"/api/activities/@{handle}/status/{uuid.uuid4()}"):
        reply = service.get(target)
        assert (reply.status, reply.json) == (404, ["not_found"])


@pytest.mark.parametrize(
    "target", ["/api/activities/@", "/api/users/@/short", "/api/users/londo/short", "/api/users/@londo", "/api/activities/@londo/"]
)
def test_paths_that_are_none(service, target):
    assert service.get(target).status == 404


def test_handles_in_either_case(service):
    assert feed(service, "BAYKO") == feed(service, "bayko") == feed(service, "%62ayko")


def test_only_ones_own(service):
    service.create_as("londo", "londo's")
    rows = feed(service, "andrewbrown", "?limit=200")["activities"]
    assert {row["handle"] for row in rows} == {"andrewbrown"}


def test_what_has_expired_is_not_there(service):
    before = feed(service, "londo")
    service.database.add_activities(3, created_at="now() - interval '2 days'", expires_at="now() - interval '1 day'")
    assert feed(service, "londo") == before


def test_replies_are_not_there(service):
    before = feed(service, "altbrown")
    parent = service.create_as("londo")["uuid"]
    service.reply_as("altbrown", parent)
    assert feed(service, "altbrown") == before


@pytest.mark.parametrize("which", ["service", "week4"])
def test_pages(request, which):
    service = request.getfixturevalue(which)
    uuids = service.database.add_activities(7, created_at="now() - n * interval '1 second'", handle="andrewbrown")
    target, seen, count = "/api/activities/@andrewbrown?limit=3", [], 0
    while target:
        reply = service.get(target)
        assert reply.status == 200
        rows = reply.json["activities"] if which == "service" else reply.json
        assert len(rows) <= 3
        seen += [row["uuid"] for row in rows]
        target, count = reply.next_page, count + 1
    assert set(uuids) <= set(seen)
    assert len(seen) == len(set(seen)) == 8  # the seed has one
    if which == "service":
        assert feed(service, "andrewbrown")["profile"]["cruds_count"] == 8


@pytest.mark.parametrize("query, code", [("?limit=0", "limit_invalid"), ("?limit=x", "limit_invalid"), ("?cursor=x", "cursor_invalid")])
def test_pages_that_are_none(service, query, code):
    reply = service.get(f"/api/activities/@londo{query}")
    assert (reply.status, reply.json) == (422, [code])


def test_the_status_page(service):
    row = service.create_as("londo", "read me")
    reply = service.reply_as("bayko", row["uuid"]).json
    for path in (f"@londo/status/{row['uuid']}", f"@LONDO/status/{row['uuid'].upper()}", row["uuid"]):
        shown = service.get(f"/api/activities/{path}").json
        assert set(shown) == {"activity", "replies"}
        assert shown["activity"]["uuid"] == row["uuid"]
        assert set(shown["activity"]) >= ACTIVITY
        assert [answer["uuid"] for answer in shown["replies"]] == [reply["uuid"]]
        assert set(shown["replies"][0]) >= (ACTIVITY - {"expires_at"}) | {"reply_to_activity_uuid"}


def test_the_status_page_of_somebody_else(service):
    row = service.create_as("londo")
    for path in (f"@bayko/status/{row['uuid']}", f"@londo/status/{uuid.uuid4()}", "@londo/status/x", "@londo/status/"):
        reply = service.get(f"/api/activities/{path}")
        assert (reply.status, reply.json) == (404, ["not_found"])


def test_the_status_page_of_what_expired(service):
    (expired,) = service.database.add_activities(1, created_at="now() - interval '2 days'", expires_at="now() - interval '1 day'")
    assert service.get(f"/api/activities/@londo/status/{expired}").json == ["not_found"]


def test_in_short(service):
    reply = service.get("/api/users/@LONDO/short")
    assert reply.status == 200
    assert set(reply.json) == {"uuid", "handle", "display_name"}
    assert (reply.json["handle"], reply.json["display_name"]) == ("londo", "Londo Mollari")
