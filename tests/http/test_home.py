"""GET /api/activities/home: the feed, its fields, its pages."""

import base64
import re

import pytest

from service import Service

FIELDS = {
    "uuid", "display_name", "handle", "message", "replies_count", "reposts_count", "likes_count",
    "reply_to_activity_uuid", "expires_at", "created_at", "replies",
}  # fmt: skip
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)")
DEFAULT_LIMIT = 50


@pytest.fixture(scope="module")
def service(cluster):
    """A service that caches no page, so that no test has to wait for a write. test_feed.py tests the cache."""
    with Service(cluster, feed_watch=0) as service:
        service.database.feed_bound = 0
        yield service


@pytest.fixture(autouse=True)
def empty_feed(service):
    service.database.sql("truncate activities cascade")


def pages(service, target):
    """The uuids of each page, from target on. Follows the Link header from page to page."""
    while target is not None:
        reply = service.get(target)
        assert reply.status == 200, reply
        yield [row["uuid"] for row in reply.json]
        target = reply.next_page


def walk(service, target):
    return [uuid for page in pages(service, target) for uuid in page]


def test_an_empty_feed_is_an_empty_array(service):
    reply = service.home()
    assert (reply.status, reply.body) == (200, b"[]")
    assert reply.next_page is None


def test_a_row_has_these_fields(service):
    (uuid,) = service.database.add_activities(1, expires_at="now() + interval '1 day'", handle="andrewbrown")
    (row,) = service.home().json
    assert set(row) == FIELDS
    assert RFC_3339.fullmatch(row.pop("created_at")) and RFC_3339.fullmatch(row.pop("expires_at"))
    assert row == {
        "uuid": uuid, "display_name": "Andrew Brown", "handle": "andrewbrown", "message": "row 1",
        "replies_count": 0, "reposts_count": 0, "likes_count": 0, "reply_to_activity_uuid": None, "replies": [],
    }  # fmt: skip


def test_newest_first(service):
    uuids = service.database.add_activities(9, created_at="now() - n * interval '1 hour'")
    assert walk(service, "/api/activities/home") == uuids


def test_what_never_expires_is_there(service):
    service.database.add_activities(1, expires_at="null")
    (row,) = service.home().json
    assert row["expires_at"] is None


def test_expired_rows_are_not_there(service):
    past = {"created_at": "now() - interval '2 hours'", "expires_at": "now() - interval '1 second'"}
    service.database.add_activities(3, **past)
    (uuid,) = service.database.add_activities(1)
    assert walk(service, "/api/activities/home") == [uuid]


def test_replies_are_not_in_the_feed(service):
    (parent,) = service.database.add_activities(1)
    service.database.sql(
        """insert into activities (user_uuid, message, reply_to_activity_uuid)
           select user_uuid, 'reply', uuid from activities"""
    )
    assert walk(service, "/api/activities/home") == [parent]


def test_the_default_limit(service):
    service.database.add_activities(DEFAULT_LIMIT + 1)
    reply = service.home()
    assert len(reply.json) == DEFAULT_LIMIT
    assert reply.next_page is not None


@pytest.mark.parametrize("limit", [1, 199, 200])
def test_limits_that_are_taken(service, limit):
    service.database.add_activities(201)
    assert len(service.home(f"?limit={limit}").json) == limit


@pytest.mark.parametrize(
    "query",
    ["limit=" + value for value in ("0", "201", "-1", "", "1.5", "1e2", "0x10", "%2B5", "%205", "5%20", "9" * 21)]
    + ["limit", "limit=5&limit=5", "limit=%ff", "limit=5%00", "limit=%"],
)
def test_limits_that_are_not(service, query):
    reply = service.home("?" + query)
    assert (reply.status, reply.json) == (422, ["limit_invalid"])


@pytest.mark.parametrize("query", ["", "?", "?&&", "?LIMIT=0", "?term=x&limit=50", "?limit=%35%30"])
def test_queries_that_change_nothing(service, query):
    service.database.add_activities(51)
    assert len(service.home(query).json) == DEFAULT_LIMIT


@pytest.mark.parametrize("rows, limit", [(450, 200), (400, 200), (7, 1), (7, 3), (199, 200), (1, 1)])
def test_pages_skip_and_repeat_nothing(service, rows, limit):
    """All rows have the same created_at."""
    uuids = service.database.add_activities(rows)
    found = list(pages(service, f"/api/activities/home?limit={limit}"))
    assert [uuid for page in found for uuid in page] == uuids
    assert len(found) <= rows // limit + 1
    assert all(len(page) == limit for page in found[:-1])


def test_pages_over_mixed_times(service):
    uuids = service.database.add_activities(100, created_at="now() - (n / 7) * interval '1 microsecond'")
    assert walk(service, "/api/activities/home?limit=8") == uuids


def test_new_rows_move_no_page(service):
    uuids = service.database.add_activities(30)
    following = pages(service, "/api/activities/home?limit=10")
    first = next(following)
    service.database.add_activities(15, created_at="now() + interval '1 second'")
    assert first + [uuid for page in following for uuid in page] == uuids


def test_the_limit_may_change_between_pages(service):
    uuids = service.database.add_activities(20)
    first = service.home("?limit=5")
    rest = service.get(first.next_page.replace("limit=5", "limit=200"))
    assert [row["uuid"] for row in first.json + rest.json] == uuids


def cursor_of(key):
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


UUID = b"b4a1c9d2-6f0e-4a57-9c3b-1d5e8f7a2b60"


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "=", "%00", "..", "a" * 1000, cursor_of(b"1/" + UUID) + "=="]
    + [
        cursor_of(key)
        for key in (
            b"", b"/", b"1/", b"/" + UUID, b"1/" + UUID[:-1], b"1/" + UUID + b"0", b"-1/" + UUID, b"1.5/" + UUID,
            b"9" * 19 + b"/" + UUID, b"1/" + UUID + b"\0", b"1'/" + UUID, b"now()/" + UUID, b"\xff/" + UUID,
        )
    ],
)  # fmt: skip
def test_cursors_that_we_never_gave(service, cursor):
    reply = service.home("?cursor=" + cursor)
    assert (reply.status, reply.json) == (422, ["cursor_invalid"])


def test_two_cursors(service):
    cursor = cursor_of(b"1/" + UUID)
    assert service.home(f"?cursor={cursor}&cursor={cursor}").json == ["cursor_invalid"]


@pytest.mark.parametrize("microseconds", [b"0", b"1", b"9" * 18])
def test_cursors_at_the_ends_of_time(service, microseconds):
    service.database.add_activities(1)
    reply = service.home("?cursor=" + cursor_of(microseconds + b"/" + UUID))
    assert reply.status == 200
    assert len(reply.json) == (len(microseconds) > 1)
