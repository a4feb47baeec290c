"""Lists of what hasn't expired, page by page, among far more that has: of every lifetime, between them, and for ever."""

import pytest

from service import Service

HOUR_AGO = "now() - interval '61 minutes' - n * interval '1 millisecond'"
LIFETIMES = (
    "1 hour", "3 hours", "12 hours", "1 day", "3 days", "7 days", "30 days",  # the choices
    "59 minutes", "90 minutes", "5 days", "30 days 1 microsecond", "400 days",  # not made here, but maybe migrated
)  # fmt: skip
UNEXPIRED = """
    select uuid::text
    from activities a
    where reply_to_activity_uuid is null
        and (expires_at is null or expires_at > now())
        and (%s is null or exists (select from users u where u.uuid = a.user_uuid and u.handle = %s))
    order by created_at desc, uuid desc
"""


@pytest.fixture(scope="module")
def service(cluster):
    """Over 3000 expired activities on top, and then every lifetime through the months, some of it left."""
    with Service(cluster) as service:
        service.database.feed_bound = 0  # the feed is asked for when all is there
        add = service.database.add_activities
        add(3000, created_at=HOUR_AGO, expires_at=f"{HOUR_AGO} + interval '1 hour'")
        for number, lifetime in enumerate(LIFETIMES):
            created_at = f"now() - interval '2 hours' - {number} * interval '1 microsecond' - n * interval '7 hours'"
            add(150, created_at=created_at, expires_at=f"{created_at} + interval '{lifetime}'", handle=["londo", "bayko"][number % 2])
        for expires_at in ("null", "'infinity'"):
            add(30, created_at="now() - interval '10 minutes' - n * interval '5 days'", expires_at=expires_at)
        add(12, created_at="now() - interval '3 days'", expires_at="now() + interval '1 day'", handle="bayko")  # at the same time
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
    assert set(lengths[:-1]) <= {limit}  # none is short but the last


@pytest.mark.parametrize("handle", ["londo", "bayko", "altbrown"])
@pytest.mark.parametrize("limit", [3, 200])
def test_of_a_user(service, handle, limit):
    expected = [uuid for (uuid,) in service.database.sql(UNEXPIRED, handle, handle)]
    uuids, lengths = walk(service, f"/api/activities/@{handle}?limit={limit}")
    assert uuids == expected
    assert set(lengths[:-1]) <= {limit}
    assert service.get(f"/api/activities/@{handle}").json["profile"]["cruds_count"] == len(expected)


def test_the_count_ends_at_1000(start):
    service = start()
    service.database.add_activities(998, expires_at="now() + interval '1 day'", handle="altbrown")
    for expected in (998, 999, 1000, 1000):
        assert service.get("/api/activities/@altbrown").json["profile"]["cruds_count"] == expected
        service.create(user_handle="altbrown")


@pytest.mark.parametrize("moment", ["'infinity'", "'-infinity'", "'4000-01-01 BC'", "'290000-01-01'", "'1969-12-31 23:59:59.999999Z'"])
def test_any_time_has_its_place(database, moment):
    """In the indexes; and lifetimes don't overlap there."""
    for expires_at in ("null", "'infinity'", "created_at + interval '1 hour'"):
        ((lifetime, key),) = database.sql(
            f"""select lifetime, lifetime_key(created_at, expires_at) - lifetime * 1000000000000000000
                from (select created_at, ({expires_at})::timestamptz as expires_at from (select {moment}::timestamptz as created_at) c) a
                cross join lateral (
                    select case when expires_at = '-infinity' then 0 when isfinite(created_at) and expires_at < 'infinity' then 1 else 8 end as lifetime
                ) l"""
        )
        assert -400000000000000000 < key < 700000000000000001


def test_the_choices_of_the_frontends_are_lifetimes(database):
    """So that nothing expired lies among them: those of rules.c, as create.sql writes them."""
    for number, lifetime in enumerate(LIFETIMES[:7], 1):
        ((key, after, exact),) = database.sql(
            """select
                lifetime_key(now(), now() + %s::interval) / 1000000000000000000,
                lifetime_key(now(), now() + %s::interval + interval '1 microsecond') / 1000000000000000000,
                (select since from lifetimes() where zero / 1000000000000000000 = %s)
                    = lifetime_key(now() - %s::interval, now())""",
            lifetime, lifetime, number, lifetime,
        )  # fmt: skip
        assert (key, after, exact) == (number, number + 1, True)
