"""GET /api/users/@{handle}/followers."""

import pytest

from issuer import TokenService
from social import followed, listed

TARGET = "/api/users/@londo/followers"


@pytest.fixture
def service(tokens):
    """A service without any follows."""
    tokens.database.sql("truncate follows; delete from users where handle ~ '^crowd'")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        yield service


# Of most follows, two have the same time.
CROWD = """
    insert into users (display_name, handle, email, cognito_user_id)
    select 'Crowd', 'crowd' || n, 'crowd' || n || '@example.com', 'crowd-' || n from generate_series(1, 25) n;
    insert into follows (follower_uuid, followed_uuid, created_at)
    select uuid, (select uuid from users where handle = 'londo'), now() - substr(handle, 6)::integer / 2 * interval '1 minute'
    from users where handle ~ '^crowd'"""


def followers(service, target=TARGET):
    reply = service.get(target)
    assert reply.status == 200, reply
    return reply.json


def test_newest_first(service):
    assert followers(service) == []
    followed(service, "bayko", "londo")
    followed(service, "andrewbrown", "londo")
    rows = followers(service)
    assert [row["handle"] for row in rows] == ["andrewbrown", "bayko"]
    assert rows[0]["followed_at"] > rows[1]["followed_at"]
    for row in rows:
        del row["followed_at"]
        assert row == service.get(f"/api/users/@{row['handle']}/short").json
    followed(service, "andrewbrown", "londo", "DELETE")
    assert [row["handle"] for row in followers(service)] == ["bayko"]


def test_of_this_user_only(service):
    followed(service, "bayko", "altbrown")
    followed(service, "londo", "bayko")
    assert followers(service) == []
    assert [row["handle"] for row in followers(service, "/api/users/@ALTBROWN/followers")] == ["bayko"]


@pytest.mark.parametrize("limit", [1, 2, 7, 200])
def test_pages(service, limit):
    """Every follower is there once, in the same order, whatever the length of a page."""
    service.database.sql(CROWD)
    rows, sizes = listed(service, None, f"{TARGET}?limit={limit}")
    expected = service.database.sql("select u.handle from follows f join users u on u.uuid = f.follower_uuid order by f.created_at desc, u.uuid desc")
    assert [(row["handle"],) for row in rows] == expected
    assert len(rows) == 25 and max(sizes) == min(limit, 25)


def test_a_follow_between_two_pages(service):
    service.database.sql(CROWD)
    first = service.get(f"{TARGET}?limit=10")
    followed(service, "bayko", "londo")
    service.database.sql("delete from users where handle = %s", first.json[-1]["handle"])
    second = service.get(first.next_page)
    handles = [row["handle"] for row in first.json + second.json]
    assert len(handles) == len(set(handles)) == 20 and "bayko" not in handles


@pytest.mark.parametrize("query, code", [("?limit=0", "limit_invalid"), ("?cursor=x", "cursor_invalid"), ("?since=1/1", "cursor_invalid")])
def test_pages_that_are_none(service, query, code):
    reply = service.get(TARGET + query)
    assert (reply.status, reply.json) == (422, [code])


def test_no_such_user(service):
    reply = service.get("/api/users/@nobody-of-that-name/followers")
    assert (reply.status, reply.json) == (404, ["not_found"])
