"""GET /api/activities/{uuid}/likes and /reposts: the users that like or reposted an activity."""

import uuid

import pytest

from issuer import TokenService
from social import EXPIRE, listed, marked

parametrize_kinds = pytest.mark.parametrize("kind, table, at", [("like", "likes", "liked_at"), ("repost", "reposts", "reposted_at")])


@pytest.fixture
def service(tokens):
    tokens.database.sql("truncate activities cascade; delete from users where handle ~ '^crowd'")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        yield service


# Two users each have marked at the same time.
CROWD = """
    insert into users (display_name, handle, email, cognito_user_id)
    select 'Crowd', 'crowd' || n, 'crowd' || n || '@example.com', 'crowd-' || n from generate_series(1, 25) n;
    insert into {0} (user_uuid, activity_uuid, created_at)
    select uuid, %s, now() - substr(handle, 6)::integer / 2 * interval '1 minute' from users where handle ~ '^crowd'"""


@parametrize_kinds
def test_newest_first(service, kind, table, at):
    post, other = (service.create_as("londo")["uuid"] for _ in range(2))
    target = f"/api/activities/{post}/{table}"
    assert service.get(target).json == []
    marked(service, "bayko", kind, post)
    marked(service, "andrewbrown", kind, post)
    marked(service, "altbrown", kind, other)
    rows = service.get(target).json
    assert [row["handle"] for row in rows] == ["andrewbrown", "bayko"]
    assert rows[0][at] > rows[1][at]
    for row in rows:
        del row[at]
        assert row == service.get(f"/api/users/@{row['handle']}/short").json
    marked(service, "andrewbrown", kind, post, "DELETE")
    assert [row["handle"] for row in service.get(target).json] == ["bayko"]
    assert service.get(f"/api/activities/{post}").json["activity"][f"{kind}s_count"] == 1


@parametrize_kinds
@pytest.mark.parametrize("limit", [1, 2, 7, 200])
def test_pages(service, kind, table, at, limit):
    """Every user once, in one order, whatever the length of a page."""
    post = service.create_as("londo")["uuid"]
    service.database.sql(CROWD.format(table), post)
    rows, sizes = listed(service, None, f"/api/activities/{post}/{table}?limit={limit}")
    expected = service.database.sql(f"select u.handle from {table} m join users u on u.uuid = m.user_uuid order by m.created_at desc, u.uuid desc")
    assert [(row["handle"],) for row in rows] == expected
    assert len(rows) == 25 and max(sizes) == min(limit, 25)


@parametrize_kinds
def test_a_mark_between_two_pages(service, kind, table, at):
    post = service.create_as("londo")["uuid"]
    service.database.sql(CROWD.format(table), post)
    first = service.get(f"/api/activities/{post}/{table}?limit=10")
    marked(service, "bayko", kind, post)
    service.database.sql("delete from users where handle = %s", first.json[-1]["handle"])
    handles = [row["handle"] for row in first.json + service.get(first.next_page).json]
    assert len(handles) == len(set(handles)) == 20 and "bayko" not in handles


@parametrize_kinds
def test_what_is_not_there(service, kind, table, at):
    post = service.create_as("londo")["uuid"]
    marked(service, "bayko", kind, post)
    service.database.sql(EXPIRE, post)
    for target in (post, uuid.uuid4()):
        reply = service.get(f"/api/activities/{target}/{table}")
        assert (reply.status, reply.json) == (404, ["not_found"])


@parametrize_kinds
@pytest.mark.parametrize("query, code", [("?limit=0", "limit_invalid"), ("?cursor=x", "cursor_invalid"), ("?since=1/1", "cursor_invalid")])
def test_pages_that_are_none(service, kind, table, at, query, code):
    post = service.create_as("londo")["uuid"]
    reply = service.get(f"/api/activities/{post}/{table}{query}")
    assert (reply.status, reply.json) == (422, [code])
