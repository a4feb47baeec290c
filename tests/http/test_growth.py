"""GET /api/metrics/growth: the totals and the numbers of each day, in every time zone, before and after a purge."""

import datetime
import threading
import time
import urllib.parse
import zoneinfo

import pytest

from places import SQL

UTC = datetime.timezone.utc
MARGIN = datetime.timedelta(minutes=1)
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "Etc/GMT+12"]
LONDO = "select uuid from users where handle = 'londo'"


@pytest.fixture
def sql(service):
    """Runs SQL without waiting for the cached feed, which these tests do not read."""
    return service.database.run


@pytest.fixture(autouse=True)
def nothing(sql):
    sql("truncate activities cascade; truncate growth; update growth_closed set until = '-infinity'")
    sql("delete from users where handle like 'new%'; update users set created_at = now() - interval '1 year'")
    sql("truncate growth; update growth_closed set until = '-infinity'")


@pytest.fixture(autouse=True)
def no_midnight():
    """No day may end during the test in any of its zones. If one is about to end, waits for that first."""
    while any(datetime.datetime.now(UTC) + MARGIN > midnight(zone, -1) for zone in [*ZONES, "America/Los_Angeles"]):
        time.sleep(1)


@pytest.fixture
def post(sql):
    def post(at, parent=None, expires_at=None, message="hello"):
        ((uuid,),) = sql(
            f"""insert into activities (user_uuid, message, created_at, reply_to_activity_uuid, expires_at)
                values (({LONDO}), %s, %s, %s, %s) returning uuid""",
            message, at, parent, expires_at,
        )  # fmt: skip
        return uuid

    return post


@pytest.fixture
def join(sql):
    def join(handle, at):
        sql(
            "insert into users (handle, display_name, email, cognito_user_id, created_at) values (%s, 'New', %s, %s, %s)",
            handle, f"{handle}@example.com", handle, at,
        )  # fmt: skip

    return join


def growth(service, zone=None):
    reply = service.get("/api/metrics/growth" + (f"?tz={urllib.parse.quote(zone)}" if zone else ""))
    assert reply.status == 200, reply
    return reply.json


def per_day(service, what, zone=None):
    return [day[what] for day in growth(service, zone)["days"]]


def close(sql):
    """Closes all past quarters of an hour, as bin/db-purge does."""
    while sql("select close_growth()") == [(True,)]:
        pass


def purge(sql):
    close(sql)
    while sql("select purge_expired(3)") != [(0,)]:
        pass


def midnight(zone, days_ago=0):
    """The moment when that day began in that zone."""
    today = datetime.datetime.now(zoneinfo.ZoneInfo(zone)).date()
    return datetime.datetime.combine(today - datetime.timedelta(days_ago), datetime.time(), zoneinfo.ZoneInfo(zone))


def test_nothing_is_seven_zeros(service):
    today = datetime.datetime.now(UTC).date()
    answer = growth(service)
    assert answer == {
        "time_zone": "UTC",
        "users": 4,
        "posts": 0,
        "replies": 0,
        "days": [
            {"date": str(today - datetime.timedelta(back)), "users": 0, "posts": 0, "replies": 0}
            for back in range(6, -1, -1)
        ],
    }


def test_what_was_just_made_is_there(service):
    first = service.create().json["uuid"]
    service.post(f"/api/activities/{first}/reply", {"message": "so it is", "user_handle": "bayko"})
    answer = growth(service)
    assert (answer["posts"], answer["replies"]) == (1, 1)
    assert answer["days"][-1] | {"date": ""} == {"date": "", "users": 0, "posts": 1, "replies": 1}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("is_closed", [False, True])
def test_a_day_ends_at_its_midnight(service, sql, post, join, zone, is_closed):
    for days_ago in range(8):
        begins = midnight(zone, days_ago)
        for k in range(days_ago):
            post(begins - datetime.timedelta(microseconds=1), message=f"before {days_ago} {k}")
        if days_ago > 0:
            post(begins, message=f"at {days_ago}")
    join("new1", midnight(zone, 2))
    join("new2", midnight(zone, 2) - datetime.timedelta(seconds=1))
    if is_closed:
        close(sql)
    # Each day has the post of its first microsecond, and the posts of its last microsecond, made with the next day's.
    assert per_day(service, "posts", zone) == [1 + 5, 1 + 4, 1 + 3, 1 + 2, 1 + 1, 1 + 0, 0]
    assert per_day(service, "users", zone) == [0, 0, 0, 1, 1, 0, 0]
    answer = growth(service, zone)
    assert (answer["time_zone"], answer["posts"], answer["users"]) == (zone, 7 + sum(range(8)), 6)
    assert [day["date"] for day in answer["days"]] == [str(midnight(zone, back).date()) for back in range(6, -1, -1)]


@pytest.mark.parametrize("days", [1, 2, 30, 365, 366])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("is_closed", [False, True])
def test_so_many_days(service, sql, post, days, zone, is_closed):
    """The posts at the start and the end of the first day and at the start of the last day count; the days in between have none."""
    oldest = days - 1
    for at in (midnight(zone, oldest), midnight(zone, oldest - 1) - datetime.timedelta(microseconds=1), midnight(zone)):
        post(at)
    post(midnight(zone, oldest) - datetime.timedelta(microseconds=1), message="before")
    if is_closed:
        close(sql)
    reply = service.get(f"/api/metrics/growth?tz={urllib.parse.quote(zone)}&days={days}")
    assert (reply.status, reply.json["posts"]) == (200, 4)
    assert [day["date"] for day in reply.json["days"]] == [str(midnight(zone, back).date()) for back in range(oldest, -1, -1)]
    expected = [0] * days
    expected[0] += 2
    expected[-1] += 1
    assert [day["posts"] for day in reply.json["days"]] == expected


def test_days_on_which_clocks_change(service, sql, post):
    """In Berlin one day of a year has 23 hours and one has 25. Each hour is counted on its day."""
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    lengths = {}
    for back in range(365, 0, -1):
        begins, ends = (midnight("Europe/Berlin", each).astimezone(UTC) for each in (back, back - 1))
        hours = int((ends - begins).total_seconds() // 3600)
        if hours != 24:
            lengths[str(begins.astimezone(zone).date())] = hours
            for hour in range(hours):
                post(begins + datetime.timedelta(hours=hour))
            post(ends - datetime.timedelta(microseconds=1))
    assert sorted(lengths.values()) == [23, 25]
    close(sql)
    days = service.get("/api/metrics/growth?tz=Europe/Berlin&days=366").json["days"]
    assert {day["date"]: day["posts"] for day in days if day["posts"]} == {date: hours + 1 for date, hours in lengths.items()}


def test_a_midnight_that_comes_twice(service, sql, post):
    """In Havana clocks go back from one o'clock to midnight. The hour before the change belongs to the new day, too."""
    name = "America/Havana"
    longest = max(range(364, 0, -1), key=lambda back: midnight(name, back - 1).astimezone(UTC) - midnight(name, back).astimezone(UTC))
    begins, ends = (midnight(name, each).astimezone(UTC) for each in (longest, longest - 1))
    assert ends - begins == datetime.timedelta(hours=25)
    for at in (begins, begins + datetime.timedelta(minutes=59), ends - datetime.timedelta(microseconds=1)):
        post(at)
    post(begins - datetime.timedelta(microseconds=1))
    close(sql)
    days = service.get(f"/api/metrics/growth?tz={name}&days=366").json["days"]
    date, before = (str((begins.astimezone(zoneinfo.ZoneInfo(name)) + datetime.timedelta(hours=12 * each)).date()) for each in (1, -1))
    assert {day["date"]: day["posts"] for day in days if day["posts"]} == {date: 3, before: 1}


@pytest.mark.parametrize("days", ["0", "367", "-1", "7.0", "", "x", "0x7", "1000", "+7", "%37%20"])
def test_numbers_of_days_that_are_none(service, days):
    reply = service.get(f"/api/metrics/growth?days={days}")
    assert (reply.status, reply.json) == (422, ["days_invalid"])


def test_zones_are_days_apart(service, post):
    """At any moment there are two dates on earth."""
    post(datetime.datetime.now(UTC))
    east, west = growth(service, "Pacific/Kiritimati"), growth(service, "Etc/GMT+12")
    assert east["days"][-1]["date"] > west["days"][-1]["date"]
    assert east["days"][-1]["posts"] == west["days"][-1]["posts"] == 1


def test_every_zone_of_the_iana_database(service):
    """Every zone that Python and PostgreSQL have in their data is accepted."""
    known = {name for name, in service.database.sql("select name from pg_timezone_names")}
    zones = sorted(zoneinfo.available_timezones() & known)
    assert len(zones) > 500
    assert {"EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT", "GMT0", "GMT+0", "GMT-0", "Etc/GMT0"} <= set(zones)
    for zone in zones:
        reply = service.get(f"/api/metrics/growth?tz={urllib.parse.quote(zone, safe='')}")
        assert (reply.status, reply.json.get("time_zone")) == (200, zone), zone


@pytest.mark.parametrize(
    "zone",
    ["", "Mars/Phobos", "Europe/Berlin5", "ABC5", "UTC%2b3", "%2b03:00", "..%2f..%2fetc%2fpasswd", "Europe%2fBerlin%20",
     "'", "';select", "x" * 65, "Etc/GMT%2b13", "Etc/GMT-15", "Etc/GMT%2b", "Etc/GMT-100", "-", "/", "EST5EDT4", "GMT1", "est5edt"],
)  # fmt: skip
def test_an_unknown_zone_is_refused(service, zone):
    reply = service.get(f"/api/metrics/growth?tz={zone}")
    assert (reply.status, reply.codes) == (422, ["time_zone_unknown"])


def test_two_zones_are_refused(service):
    assert service.get("/api/metrics/growth?tz=UTC&tz=UTC").status == 400


def test_a_zone_without_regard_to_case(service):
    assert growth(service, "europe/berlin")["days"] == growth(service, "Europe/Berlin")["days"]


def test_the_purge_changes_nothing(service, sql, post):
    now = datetime.datetime.now(UTC)
    for hours in range(0, 200, 7):
        at = now - datetime.timedelta(hours=hours, minutes=2)
        parent = post(at, expires_at=at + datetime.timedelta(seconds=90))
        for _ in range(hours % 3):
            post(at, parent=parent, expires_at=at + datetime.timedelta(seconds=90))
        post(at)  # stays
    zones = ["UTC", "Asia/Kathmandu", "America/Los_Angeles"]
    before = [growth(service, zone) for zone in zones]
    purge(sql)
    assert [growth(service, zone) for zone in zones] == before
    ((left, expired),) = sql("select count(*), count(*) filter (where expires_at <= now()) from activities")
    assert (left, expired) == (29, 0)
    purge(sql)
    assert [growth(service, zone) for zone in zones] == before


def test_deleted_posts_have_been_posted(service, sql, post):
    old = post(datetime.datetime.now(UTC) - datetime.timedelta(days=2))
    close(sql)
    new = service.create(user_handle="londo").json["uuid"]
    service.post(f"/api/activities/{new}/reply", {"message": "r", "user_handle": "bayko"})
    before = growth(service)
    for uuid in (old, new):
        assert service.ask("DELETE", f"/api/activities/{uuid}?user_handle=londo").status in (200, 422)
        sql("delete from activities where uuid = %s", uuid)
    assert growth(service) == before
    assert sql("select count(*) from activities") == [(0,)]


def test_users_who_are_gone_are_not_counted(service, sql, join, post):
    join("new1", datetime.datetime.now(UTC) - datetime.timedelta(days=2))
    join("new2", datetime.datetime.now(UTC))
    sql("insert into activities (user_uuid, message) select uuid, 'x' from users where handle like 'new%'")
    close(sql)
    assert growth(service)["users"] == 6
    sql("delete from users where handle = 'new1'")
    sql("delete from users where handle = 'new2'")
    answer = growth(service)
    assert (answer["users"], answer["posts"]) == (4, 2)
    assert per_day(service, "users") == [0] * 7


@pytest.mark.parametrize("change", ["insert", "update", "update back", "delete"])
def test_what_comes_late_counts(service, sql, post, join, change):
    """Rows of a time that is already closed are counted, for example after an import or a manual correction."""
    noon = midnight("UTC", 3) + datetime.timedelta(hours=12)
    first = post(noon)
    close(sql)
    if change == "insert":
        post(noon, parent=first)
        join("new1", noon)
        assert (per_day(service, "posts")[3], per_day(service, "replies")[3], per_day(service, "users")[3]) == (1, 1, 1)
    elif change == "update":
        sql("update activities set created_at = created_at - interval '1 day'")
        assert per_day(service, "posts") == [0, 0, 1, 0, 0, 0, 0]
    elif change == "update back":
        sql("update activities set created_at = now()")
        assert per_day(service, "posts") == [0, 0, 0, 0, 0, 0, 1]
    else:
        sql("delete from activities")
        assert per_day(service, "posts") == [0, 0, 0, 1, 0, 0, 0]


def test_each_row_counts_once_while_times_are_closed_beside_writes(service, sql, post):
    """Old and new rows are inserted and deleted while close_growth moves the border in steps."""
    now = datetime.datetime.now(UTC)
    for hours in range(0, 150, 3):
        post(now - datetime.timedelta(hours=hours))
    is_over = threading.Event()
    made, failures = [], []

    def write(number):
        try:
            while not is_over.is_set():
                made.append(post(now - datetime.timedelta(hours=len(made) * 11 % 160, minutes=number)))
                if number % 2 and len(made) > number:
                    sql("delete from activities where uuid = %s", made[-number])
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    rounds = 0
    while not failures and (rounds < 10 or len(made) < 50):
        close(sql)
        sql("update growth_closed set until = until - interval '0 s'")
        rounds += 1
    is_over.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert growth(service)["posts"] == 50 + len(made)
    close(sql)
    assert growth(service)["posts"] == 50 + len(made)


def test_old_days_become_one_row_each(service, sql, post):
    for hour in range(0, 48, 5):
        post(datetime.datetime(2025, 1, 10, tzinfo=UTC) + datetime.timedelta(hours=hour))
    before = growth(service)
    close(sql)
    assert growth(service) == before
    assert sql("select count(*), sum(posts) from growth where posts > 0") == [(2, 10)]


@pytest.mark.parametrize("rows, left", [(2, 1), (19_999, 1), (20_000, 1), (20_001, 2)])
def test_rows_of_one_quarter_become_one(service, sql, rows, left):
    """They are merged when the next quarter is closed, 20,000 at most (rows_most of close_growth); the others are merged after that."""
    sql("update growth_closed set until = now() - interval '2 hours'")
    sql("insert into growth (at, posts) select date_bin('15 minutes', now() - interval '1 day', 'epoch'), n from generate_series(1, %s) n", rows)
    before = growth(service)
    for expected in (left, 1):
        close(sql)
        assert sql("select count(*), sum(posts) from growth where posts > 0") == [(expected, rows * (rows + 1) // 2)]
        assert growth(service) == before
        sql("update growth_closed set until = until - interval '15 minutes'")


def test_what_is_closed_is_not_counted_again(service, sql):
    """There are 5,000 posts of closed days. The statement reads neither their rows nor their index entries."""
    sql(
        f"""insert into activities (user_uuid, message, created_at)
            select ({LONDO}), n::text, now() - interval '3 hours' - n * interval '1 second' from generate_series(1, 5000) n"""
    )
    statement = (SQL / "metrics/growth.sql").read_text().replace("%(zone)s", "'UTC'").replace("%(days)s", "7")
    assert pages_read(sql, statement) > 120
    close(sql)
    assert growth(service)["posts"] == 5000
    assert pages_read(sql, statement) < 60


def pages_read(sql, statement):
    (((plan,),),) = sql("explain (analyze, buffers, format json) " + statement.replace("%", "%%"))
    return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]


def test_a_parameter_that_is_there_twice(service):
    """The request is malformed, whatever the values are. If a value is invalid as well, only this fault is reported."""
    for query in ("tz=UTC&tz=UTC&days=0", "days=1&days=0", "tz=nowhere&days=1&days=1"):
        reply = service.get(f"/api/metrics/growth?{query}")
        assert (reply.status, reply.json) == (400, ["malformed_request"])
