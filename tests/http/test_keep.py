"""PUT /api/activities/{uuid}/keep: the caller's own post lives longer, with its replies."""

import concurrent.futures
import datetime
import uuid

import pytest

from issuer import TokenService
from social import EXPIRE, check_strangers, marked

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        yield service


def keep(service, author, what, ttl="7-days", /, **more):
    return service.ask_as(author, "PUT", f"/api/activities/{what}/keep", {"ttl": ttl} | more)


def kept(service, handle, what, ttl="7-days"):
    reply = keep(service, handle, what, ttl)
    assert reply.status == 200, reply
    return reply.json


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def left(row):
    """How long until the row expires."""
    return datetime.datetime.fromisoformat(row["expires_at"]) - now()


def expiries(service, *activities):
    return {str(row[0]) for row in service.database.sql("select expires_at from activities where uuid::text = any(%s)", list(activities))}


def long_thread(service, replies=60):
    """A post with more replies than a keep changes at once, each of which has a reply."""
    top = service.create_as("londo", ttl="1-hour")["uuid"]
    for above in ("= %s", "in (select uuid from activities where reply_to_activity_uuid = %s)"):
        service.database.sql(
            f"""insert into activities (user_uuid, message, created_at, expires_at, reply_to_activity_uuid)
                select user_uuid, 'reply', created_at + n * interval '1 microsecond', expires_at, uuid
                from activities, generate_series(1, %s) n
                where uuid {above}""",
            replies if above == "= %s" else 1, top,
        )  # fmt: skip
    service.database.sql("update activities set replies_count = %s where uuid = %s", replies, top)
    service.database.sql("update activities set replies_count = 1 where reply_to_activity_uuid = %s", top)
    return top


THREAD = """
    with recursive thread as (
        select uuid from activities where uuid = %s
        union all
        select a.uuid from activities a join thread on a.reply_to_activity_uuid = thread.uuid
    )
"""


def sizes(service, top):
    """How many activities of the thread have each expiry."""
    return [count for (count,) in service.database.sql(f"{THREAD} select count(*) from thread join activities using (uuid) group by expires_at", top)]


def end_thread(service, top, condition="true"):
    """The thread's earlier end is over."""
    service.database.sql(
        f"""{THREAD} update activities set created_at = now() - interval '2 hours', expires_at = now() - interval '1 second'
            where uuid in (table thread) and {condition}""",
        top,
    )


def purge(service, batch=200):
    while service.database.sql("select purge_step(%s)", batch) != [(0,)]:
        pass


@pytest.mark.parametrize(
    "ttl, lifetime",
    [("3-hours", 3 * HOUR), ("12-hours", 12 * HOUR), ("1-day", DAY), ("3-days", 3 * DAY), ("7-days", 7 * DAY), ("30-days", 30 * DAY)],
)
def test_for_longer(service, ttl, lifetime):
    row = service.create_as("londo", ttl="1-hour")
    before = now()
    answer = kept(service, "londo", row["uuid"], ttl)
    assert before + lifetime <= datetime.datetime.fromisoformat(answer["expires_at"]) <= now() + lifetime
    assert answer == row | {"expires_at": answer["expires_at"]}
    assert service.get(f"/api/activities/{row['uuid']}").json["activity"]["expires_at"] == answer["expires_at"]
    assert next(home for home in service.home("?limit=200").json if home["uuid"] == row["uuid"])["expires_at"] == answer["expires_at"]


def test_never_for_less(service):
    row = service.create_as("londo", ttl="30-days")
    assert kept(service, "londo", row["uuid"], "1-hour")["expires_at"] == row["expires_at"]
    (eternal,) = service.database.add_activities(1)
    assert kept(service, "londo", eternal, "1-hour")["expires_at"] is None


def test_what_one_did_with_it_oneself(service):
    post = service.create_as("londo")["uuid"]
    marked(service, "londo", "like", post)
    row = kept(service, "londo", post)
    assert (row["liked"], row["reposted"], row["likes_count"]) == (True, False, 1)


def test_replies_come_along(service):
    """The replies to replies, and later ones, expire with the post, too."""
    post = service.create_as("londo", ttl="1-hour")["uuid"]
    replies = [service.reply_as("bayko", post).json["uuid"] for _ in range(3)]
    below = service.reply_as("altbrown", replies[0]).json["uuid"]
    elsewhere = service.create_as("londo", ttl="1-hour")
    kept(service, "londo", post)
    later = service.reply_as("bayko", below).json["uuid"]
    assert len(expiries(service, post, *replies, below, later)) == 1
    assert left(service.get(f"/api/activities/{later}").json["activity"]) > 6 * DAY
    assert left(elsewhere) < HOUR


def test_another_ones(service):
    post = service.create_as("londo")
    for handle in ("bayko", "altbrown"):
        reply = keep(service, handle, post["uuid"])
        assert (reply.status, reply.json) == (403, ["not_yours"])
    reply = keep(service, "bayko", post["uuid"], handle="londo")
    assert (reply.status, reply.json) == (403, ["generic_403"])
    assert service.get(f"/api/activities/{post['uuid']}").json["activity"]["expires_at"] == post["expires_at"]


def test_a_reply_is_not_kept_alone(service):
    post = service.create_as("londo")["uuid"]
    reply = service.reply_as("londo", post).json
    answer = keep(service, "londo", reply["uuid"])
    assert (answer.status, answer.json) == (422, ["reply_expires_with_parent"])
    assert keep(service, "bayko", reply["uuid"]).json == ["not_yours"]
    assert service.get(f"/api/activities/{reply['uuid']}").json["activity"]["expires_at"] == reply["expires_at"]


def test_too_late(service):
    post = service.create_as("londo")["uuid"]
    service.database.sql(EXPIRE, post)
    for what in (post, uuid.uuid4()):
        reply = keep(service, "londo", what)
        assert (reply.status, reply.json) == (404, ["not_found"])


@pytest.mark.parametrize("ttl", ["", "2-days", "forever", None, 7])
def test_a_ttl_that_is_none(service, ttl):
    reply = keep(service, "londo", service.create_as("londo")["uuid"], ttl)
    assert (reply.status, reply.json) == (422, ["ttl_blank"])


def test_strangers(service):
    check_strangers(service, "PUT", f"/api/activities/{service.create_as('londo')['uuid']}/keep", {"ttl": "7-days"})


def test_replies_that_come_meanwhile(service):
    """A reply expires with its post, whether the reply or the keep commits first."""
    for _ in range(5):
        post = service.create_as("londo", ttl="1-hour")["uuid"]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            replies = [pool.submit(service.reply_as, "bayko", post) for _ in range(6)]
            keeping = pool.submit(kept, service, "londo", post)
            replies += [pool.submit(service.reply_as, "altbrown", post) for _ in range(6)]
        uuids = [reply.result().json["uuid"] for reply in replies]
        assert left(keeping.result()) > 6 * DAY
        assert len(expiries(service, post, *uuids)) == 1


# A batch with the whole thread, and one with a part of it.
BATCHES = pytest.mark.parametrize("batch", [400, 7])


@BATCHES
def test_a_purge_while_the_kept_post_is_locked(service, batch):
    """The purger cannot settle the thread then, and must not delete what is below the replies."""
    top = long_thread(service)
    kept(service, "londo", top)
    end_thread(service, top, f"uuid <> '{top}'")
    with service.database.held(f"select from activities where uuid = '{top}' for no key update"):
        purge(service, batch)
        assert sorted(sizes(service, top)) == [1, 120]
    purge(service, batch)
    assert sizes(service, top) == [121]
    assert left(service.get(f"/api/activities/{top}").json["activity"]) > 6 * DAY


@BATCHES
def test_a_purge_before_the_keep_has_committed(service, batch):
    """A keep that began before the post's end commits after it."""
    top = long_thread(service)
    end_thread(service, top)
    with service.database.held(f"update activities set expires_at = now() + interval '7 days' where uuid = '{top}'") as cursor:
        cursor.execute("select settle(%s, 60)", (top,))
        purge(service, batch)
        assert sizes(service, top) == [121]
        cursor.connection.commit()
    purge(service, batch)
    assert sizes(service, top) == [121]
    end_thread(service, top)
    purge(service, batch)
    assert sizes(service, top) == []


@BATCHES
def test_a_purge_while_a_deep_thread_is_kept(service, batch):
    """Its replies are more levels below its top than are looked at."""
    top = service.create_as("londo", ttl="1-hour")["uuid"]
    service.database.sql(
        """with numbered as (select uuid, user_uuid, created_at, expires_at, n from activities, generate_series(1, 300) n where uuid = %s)
           insert into activities (uuid, user_uuid, message, created_at, expires_at, reply_to_activity_uuid, replies_count)
           select md5(uuid::text || n)::uuid, user_uuid, 'reply', created_at + n * interval '1 microsecond', expires_at,
               case when n = 1 then uuid else md5(uuid::text || n - 1)::uuid end, (n < 300)::integer
           from numbered""",
        top,
    )  # fmt: skip
    service.database.sql("update activities set replies_count = 1 where uuid = %s", top)
    kept(service, "londo", top)
    end_thread(service, top, "expires_at < now() + interval '1 day'")
    with service.database.held("select from activities where uuid in (table unsettled_threads) for no key update"):
        purge(service, batch)
        assert sorted(sizes(service, top)) == [51, 250]
    purge(service, batch)
    assert sizes(service, top) == [301]


def test_by_handle(cluster):
    with TokenService(cluster, identity="handle", default_handle="londo") as service:
        post = service.create_as("londo")["uuid"]
        assert keep(service, None, post).status == 200
        assert keep(service, None, post, handle="bayko").json == ["not_yours"]
