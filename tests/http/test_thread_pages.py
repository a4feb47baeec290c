"""Threads are paged from both ends, and a reply leads to the top."""

import pytest

from issuer import TokenService
from social import EXPIRE, marked


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        service.database.feed_bound = 0  # these tests do not read home
        yield service


@pytest.fixture
def thread(service):
    """An activity with 250 replies, some at the same time. The value has its uuid, and those of the replies, the oldest first."""
    top = service.create_as("londo", "top")["uuid"]
    rows = service.database.sql(
        """insert into activities (user_uuid, message, reply_to_activity_uuid, created_at, expires_at)
           select u.uuid, 'reply ' || n, a.uuid, a.created_at - interval '1 minute' + n / 3 * interval '1 millisecond', a.expires_at
           from users u, activities a, generate_series(1, 250) n where u.handle = 'bayko' and a.uuid = %s
           returning uuid, created_at""",
        top,
    )
    service.database.sql("update activities set replies_count = 250 where uuid = %s", top)
    return top, [uuid for uuid, _ in sorted(rows, key=lambda row: (row[1], row[0]))]


def shown(service, target, handle=None):
    reply = service.ask_as(handle, "GET", target)
    assert reply.status == 200, reply
    is_reply = reply.json["activity"]["reply_to_activity_uuid"] is not None
    assert set(reply.json) == {"activity", "replies"} | ({"ancestors"} if is_reply else set())
    return reply


def ancestors(reply):
    return reply.json.get("ancestors", [])


def pages(service, target):
    uuids, sizes = [], []
    while target:
        reply = shown(service, target)
        uuids += [row["uuid"] for row in reply.json["replies"]]
        sizes.append(len(reply.json["replies"]))
        target = reply.next_page
    return uuids, sizes


@pytest.mark.parametrize("limit", ["", "limit=7", "limit=50", "limit=200"])
@pytest.mark.parametrize("order", ["", "order=oldest", "order=newest"])
def test_every_reply_once(service, thread, limit, order):
    top, replies = thread
    for target in (f"/api/activities/{top}", f"/api/activities/@londo/status/{top}"):
        uuids, sizes = pages(service, f"{target}?{limit}&{order}")
        assert uuids == (replies[::-1] if "newest" in order else replies)
        assert set(sizes[:-1]) == {int(limit[6:] or 200)}


def test_a_new_reply_is_the_newest(service, thread):
    top, _ = thread
    mine = service.reply_as("altbrown", top, "mine").json["uuid"]
    assert shown(service, f"/api/activities/{top}?order=newest&limit=1").json["replies"][0]["uuid"] == mine
    assert mine not in [row["uuid"] for row in shown(service, f"/api/activities/{top}").json["replies"]]


def test_replies_that_come_and_go_while_one_pages(service, thread):
    """No other reply is skipped or shown twice."""
    top, replies = thread
    for order in ("oldest", "newest"):
        target, found = f"/api/activities/{top}?order={order}&limit=40", []
        while target:
            reply = shown(service, target)
            found += [row["uuid"] for row in reply.json["replies"]]
            service.reply_as("altbrown", top, f"meanwhile {len(found)}")
            target = reply.next_page
        assert [uuid for uuid in found if uuid in set(replies)] == (replies if order == "oldest" else replies[::-1])
        assert len(found) == len(set(found))


@pytest.mark.parametrize("query, code", [
    ("order=", "order_invalid"), ("order=Newest", "order_invalid"), ("order=newest&order=newest", "order_invalid"),
    ("limit=0", "limit_invalid"),
    ("limit=201", "limit_invalid"), ("cursor=x", "cursor_invalid"), ("since=MS8xOjE6", "cursor_invalid"),
])  # fmt: skip
def test_pages_that_are_none(service, thread, query, code):
    for target in (f"/api/activities/{thread[0]}", f"/api/activities/@londo/status/{thread[0]}"):
        reply = service.get(f"{target}?{query}")
        assert (reply.status, reply.json) == (422, [code])


def chain(service, depth, handles=("londo", "bayko")):
    """The uuids of an activity, a reply to it, a reply to that, and so on."""
    uuids = [service.create_as(handles[0], "0")["uuid"]]
    for number in range(1, depth):
        uuids.append(service.reply_as(handles[number % len(handles)], uuids[-1], str(number)).json["uuid"])
    return uuids


def test_the_way_to_the_top(service):
    uuids = chain(service, 6)
    marked(service, "altbrown", "like", uuids[2])
    for number, uuid in enumerate(uuids):
        above = ancestors(shown(service, f"/api/activities/{uuid}", "altbrown"))
        assert [row["uuid"] for row in above] == uuids[:number]
        assert [row["message"] for row in above] == [str(n) for n in range(number)]
        assert [row["liked"] for row in above] == [n == 2 for n in range(number)]
        for row in above:
            as_shown = shown(service, f"/api/activities/{row['uuid']}", "altbrown").json["activity"]
            assert row == as_shown | {"replies": []}


def test_a_way_of_many_steps(service):
    """A reply has its nearest hundred ancestors; the first of them leads on."""
    top = service.create_as("londo", "top")["uuid"]
    uuids = [top]
    for _ in range(130):
        ((uuid,),) = service.database.run(
            """insert into activities (user_uuid, message, reply_to_activity_uuid)
               select uuid, 'deeper', %s from users where handle = 'bayko' returning uuid""",
            uuids[-1],
        )
        uuids.append(uuid)
    above = ancestors(shown(service, f"/api/activities/{uuids[-1]}"))
    assert [row["uuid"] for row in above] == uuids[-101:-1]
    assert above[0]["reply_to_activity_uuid"] == uuids[-102]
    assert [row["uuid"] for row in ancestors(shown(service, f"/api/activities/{uuids[-102]}"))] == uuids[:-102]


def test_what_has_ended_is_on_no_way(service):
    uuids = chain(service, 3)
    service.database.sql(EXPIRE, uuids[0])
    assert [row["uuid"] for row in shown(service, f"/api/activities/{uuids[2]}").json["ancestors"]] == [uuids[1]]
