"""Lists page by page, with few unexpired posts among many expired ones: posts of every lifetime, of others, and without an end."""

import pytest

from service import Service

HOUR_AGO = "now() - interval '61 minutes' - n * interval '1 millisecond'"
LIFETIMES = (
    "1 hour", "3 hours", "12 hours", "1 day", "3 days", "7 days", "30 days",  # the choices
    "59 minutes", "90 minutes", "5 days", "30 days 1 microsecond", "400 days",  # not made by the service, but perhaps by a migration
)  # fmt: skip
UNEXPIRED = """
    select uuid::text
    from activities a
    where reply_to_activity_uuid is null
        and (expires_at is null or expires_at > now())
        and (%s is null or exists (select from users u where u.uuid = a.user_uuid and u.handle = %s))
    order by created_at desc, uuid desc
"""


@pytest.fixture(scope="module", params=[False, True], ids=["before the purge", "after the purge"])
def is_purged(request):
    return request.param


@pytest.fixture(scope="module")
def service(cluster, is_purged):
    """3000 expired activities are the newest. Below them are activities of every lifetime, over months; some have not expired."""
    with Service(cluster) as service:
        service.database.feed_bound = 0  # home is first read when all rows are there
        add = service.database.add_activities
        add(3000, created_at=HOUR_AGO, expires_at=f"{HOUR_AGO} + interval '1 hour'")
        for number, lifetime in enumerate(LIFETIMES):
            created_at = f"now() - interval '2 hours' - {number} * interval '1 microsecond' - n * interval '7 hours'"
            add(150, created_at=created_at, expires_at=f"{created_at} + interval '{lifetime}'", handle=["londo", "bayko"][number % 2])
        for expires_at in ("null", "'infinity'"):
            add(30, created_at="now() - interval '10 minutes' - n * interval '5 days'", expires_at=expires_at)
        add(12, created_at="now() - interval '3 days'", expires_at="now() + interval '1 day'", handle="bayko")  # at the same time
        while is_purged and service.database.sql("select purge_step(200)") != [(0,)]:
            pass
        yield service


def walk(service, target):
    uuids, lengths = [], []
    while target:
        reply = service.get(target)
        assert reply.status == 200
        rows = reply.json if isinstance(reply.json, list) else reply.json["activities"]
        uuids += [row["uuid"] for row in rows]
        lengths.append(len(rows))
        target = reply.next_page
    return uuids, lengths


@pytest.mark.parametrize("limit", [3, 50, 200])
def test_home(service, limit):
    expected = [uuid for (uuid,) in service.database.sql(UNEXPIRED, None, None)]
    uuids, lengths = walk(service, f"/api/activities/home?limit={limit}")
    assert uuids == expected
    assert set(lengths[:-1]) <= {limit}  # only the last page may be short


@pytest.mark.parametrize("handle", ["londo", "bayko", "altbrown"])
@pytest.mark.parametrize("limit", [3, 200])
def test_of_a_user(service, handle, limit, is_purged):
    expected = [uuid for (uuid,) in service.database.sql(UNEXPIRED, handle, handle)]
    uuids, lengths = walk(service, f"/api/activities/@{handle}?limit={limit}")
    assert uuids == expected
    assert max(lengths) <= limit
    assert set(lengths[:-1]) <= {limit} or (handle == "londo" and not is_purged)  # no other page may be short
    ((count,),) = service.database.sql(
        """select count(*) filter (where coalesce(expires_at > now(), true))
           from (
               select expires_at
               from activities
               where reply_to_activity_uuid is null and user_uuid = (select uuid from users where handle = %s)
               order by created_at desc
               limit 1000
           ) newest""",
        handle,
    )
    assert count == len(expected) or (handle == "londo" and not is_purged)
    assert service.get(f"/api/activities/@{handle}").json["profile"]["cruds_count"] == count


EXPIRED_FIRST = {"created_at": "now() - interval '2 hours' - n * interval '1 s'", "expires_at": "now() - interval '1 hour' - n * interval '1 s'"}


@pytest.mark.parametrize("target, walked", [("home", 5000), ("@altbrown", 1000), ("@altbrown?with=replies,reposts", 1000)])
def test_a_page_ends_where_its_walk_does(start, target, walked):
    """Before a purge a page may have no rows. It then has a link to the next page, so that no row is left out."""
    service = start()
    service.database.sql("truncate activities cascade")
    service.database.add_activities(walked, handle="altbrown", **EXPIRED_FIRST)
    (live,) = service.database.add_activities(1, handle="altbrown", created_at="now() - interval '1 day'")
    target = f"/api/activities/{target}"
    assert walk(service, target) == ([live], [0, 1])
    service.database.sql("delete from activities where uuid in (select uuid from activities where expires_at <= now() limit 2)")
    assert walk(service, target) == ([live], [1])


@pytest.mark.parametrize("why", ["deleted_at = now()", "hidden_expires_at = 'infinity'"])
def test_deleted_and_hidden_ones_take_no_place_in_home_and_trends(start, why):
    """One user can make, and an operator can hide, more of them than the lists walk over."""
    service = start()
    service.database.sql("truncate activities cascade")
    (live,) = service.database.add_activities(1, message="'still #here'", created_at="now() - interval '1 hour'")
    service.database.add_activities(5001, message="'away #gone'")
    service.database.sql(f"update activities set {why}, expires_at = '-infinity' where uuid <> %s", live)
    assert walk(service, "/api/activities/home") == ([live], [1])
    assert service.get("/api/trends").json == [{"hashtag": "here", "count": 1}]


def test_the_count_ends_at_1000(start):
    service = start()
    service.database.add_activities(998, expires_at="now() + interval '1 day'", handle="altbrown")
    for expected in (998, 999, 1000, 1000):
        assert service.get("/api/activities/@altbrown").json["profile"]["cruds_count"] == expected
        service.create(user_handle="altbrown")
