"""A post with thousands of replies by others: a delete or a keep by its author changes few rows, and the purge does the rest."""

import os
import signal

import pytest

from client import Asking
from issuer import TokenService
from social import check_counts
from waiting import eventually

REPLIES = 5_000
AT_ONCE = 50  # delete.sql and keep.sql
STEP = 500


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster, workers=1) as service:
        yield service


def thread(service, replies=REPLIES, nested=False):
    """A post of londo's with that many replies of bayko's, or with a chain of them, each to the one before."""
    top = service.create_as("londo", "the top", ttl="1-hour")["uuid"]
    with service.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica; alter table activities enable always trigger activities_search")
        cursor.execute(
            f"""insert into activities (uuid, user_uuid, message, reply_to_activity_uuid, created_at, expires_at, replies_count)
                select
                    md5(top.uuid::text || n)::uuid, bayko.uuid, 'reply',
                    {"case when n > 1 then md5(top.uuid::text || n - 1)::uuid else top.uuid end" if nested else "top.uuid"},
                    top.created_at + n * interval '1 us', top.expires_at, {"(n < %s)::integer" if nested else "0 * %s"}
                from activities top, users bayko, generate_series(1, %s) n
                where top.uuid = %s and bayko.handle = 'bayko'""",
            (replies, replies, top),
        )
        cursor.execute("update activities set replies_count = %s where uuid = %s", (1 if nested else replies, top))
    return top


def rows_changed(service, ask):
    """How many rows the request changes, counted by the versions of rows, so that time plays no part."""
    ((before,),) = service.database.sql("select txid_snapshot_xmax(txid_current_snapshot())")
    reply = ask()
    assert reply.status == 200, reply
    ((rows,),) = service.database.sql("select count(*) from activities where xmin::text::bigint >= %s", before % 2**32)
    return rows


def expiries(service, top):
    return service.database.sql(
        """with recursive below as (
               select uuid, expires_at, deleted_at from activities where uuid = %s
               union all
               select a.uuid, a.expires_at, a.deleted_at from activities a join below on a.reply_to_activity_uuid = below.uuid
           )
           select expires_at::text, deleted_at is not null, count(*) from below group by 1, 2""",
        top,
    )


def settle(service):
    """Settles threads as the purge does. Returns the number of steps."""
    steps = 0
    while service.database.sql("select settle_threads(%s)", STEP) != [(0,)]:
        steps += 1
    return steps


def delete(service, what, handle="londo"):
    return service.ask_as(handle, "DELETE", f"/api/activities/{what}")


def keep(service, what):
    return service.ask_as("londo", "PUT", f"/api/activities/{what}/keep", {"ttl": "30-days"})


@pytest.mark.parametrize("nested", [False, True], ids=["side by side", "each to the other"])
@pytest.mark.parametrize("ask", [delete, keep])
def test_its_author_touches_few_rows(service, ask, nested):
    replies = 1500 if nested else REPLIES
    top = thread(service, replies, nested)
    assert rows_changed(service, lambda: ask(service, top)) == 1 + (AT_ONCE if nested else 0)
    if ask is delete:
        assert service.get(f"/api/activities/{top}").status == 404
        assert rows_changed(service, lambda: ask(service, top)) == 1
    assert 1 < settle(service) < 3 * replies / STEP + 3
    ((_, is_deleted, rows),) = expiries(service, top)
    assert (is_deleted, rows) == (ask is delete, replies + 1)
    assert service.database.sql("select 1 from unsettled_threads") == []
    service.database.sql("delete from activities where uuid = %s", top)


def test_a_short_thread_goes_at_once(service):
    top = service.create_as("londo", ttl="1-hour")["uuid"]
    replies = [service.reply_as("bayko", top).json["uuid"] for _ in range(3)]
    below = service.reply_as("altbrown", replies[0]).json["uuid"]
    assert keep(service, top).status == 200
    assert len(expiries(service, top)) == 1
    assert delete(service, replies[1], "bayko").status == 200
    assert delete(service, top).status == 200
    assert {service.get(f"/api/activities/{what}").status for what in (top, *replies, below)} == {404}
    assert service.database.sql("select 1 from unsettled_threads") == []
    check_counts(service.database)


# --- the service's own purge ---


def rows_of(service, message):
    return service.database.messages().get(message, 0)


def test_the_service_purges_by_itself(start, database):
    database.add_activities(30, created_at="now() - interval '2 days'", expires_at="now() - interval '1 day'", message="'expired'")
    database.add_activities(3, created_at="now() - interval '3 days'", message="'deleted long ago'")
    database.add_activities(3, message="'just deleted'")
    database.sql("update activities set expires_at = '-infinity', deleted_at = now() - interval '25 hours' where message = 'deleted long ago'")
    database.sql("update activities set expires_at = '-infinity', deleted_at = now() - interval '23 hours' where message = 'just deleted'")
    service = start(workers=1, purge_interval=1, database=database)
    eventually(lambda: rows_of(service, "expired") + rows_of(service, "deleted long ago") == 0, what="the purge")
    assert rows_of(service, "just deleted") == 3
    eventually(lambda: database.sql("select 1 from purge_progress where finished_at is not null"), what="the end of a purge")
    metrics = service.peer().ask("GET", "/metrics").body.decode()
    assert 'cruddur_database_sessions_total{lane="purge",event="begun"} 1' in metrics
    assert "cruddur_purge_lag_seconds 0\n" in metrics


def test_two_services_purge_one_database(start, database):
    """The services purge in turns, and every post is counted once."""
    database.add_activities(2000, created_at="now() - interval '2 days'", expires_at="now() - interval '1 day'", message="'expired'")
    services = [start(workers=1, purge_interval=1, database=database) for _ in range(2)]
    eventually(lambda: rows_of(services[0], "expired") == 0, what="the purge")
    assert eventually(lambda: database.sql("select posts from purge_progress")) == [(2000,)]


def test_a_lock_that_is_held_is_told_of(start):
    service = start(workers=1, purge_interval=1)
    with service.database.held("select pg_advisory_lock(1668445540, 2), pg_backend_pid()") as cursor:
        ((_, pid),) = cursor.fetchall()
        told = lambda: [entry["message"] for entry in service.log.entries("purge")]  # noqa: E731
        assert eventually(told) == [f"nothing is purged: the server's process {pid} holds the purge's lock"]
        cursor.execute("select pg_advisory_unlock_all()")
    service.database.add_activities(1, created_at="now() - interval '2 days'", expires_at="now() - interval '1 day'", message="'then'")
    service.create("now the pool has written")
    eventually(lambda: rows_of(service, "then") == 0, what="the purge")
    assert len(told()) == 1


def test_a_purger_that_dies_is_replaced(start):
    service = start(workers=1, purge_interval=1)
    (pid,) = eventually(lambda: purgers(service))
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: purgers(service) not in ([], [pid]), what="another one")
    assert service.home().status == 200


def purgers(service):
    return [process.pid for process in service.daemon.children() if process.name == "cruddur-purge"]


def test_none_is_there_unless_wanted(start):
    service = start(workers=1, purge_interval=0)
    service.wait_for_workers(1)
    assert purgers(service) == []


# --- what a step of the purge takes ---


def expire(service, *messages):
    service.database.sql(
        """update activities set created_at = created_at - interval '2 hours', expires_at = now() - interval '1 minute'
           where message = any (%s)""", list(messages)
    )  # fmt: skip


def purged(service, batch):
    """How many rows one call deletes."""
    count = "select count(*) from activities"
    ((before,),), _, ((after,),) = (service.database.sql(sql) for sql in (count, f"select purge_expired({batch})", count))
    return before - after


@pytest.mark.parametrize("nested", [False, True], ids=["side by side", "each to the other"])
def test_no_step_takes_more_than_its_batch(service, nested):
    """A reply was deleted, with the many below it, and the post above expires before they have been deleted for a day."""
    service.database.sql("truncate activities cascade")
    below = thread(service, 300, nested)
    above = service.create_as("bayko", "above", ttl="1-hour")["uuid"]
    service.database.sql("update activities set reply_to_activity_uuid = %s where uuid = %s", above, below)
    service.database.sql("update activities set replies_count = 1 where uuid = %s", above)
    assert delete(service, below).status == 200
    settle(service)
    expire(service, "above")
    steps = []
    while not steps or steps[-1]:
        steps.append(purged(service, 50))
    assert max(steps) <= 50 and sum(steps) == 302
    assert len(steps) <= 302 // 50 + 3


def test_what_is_being_kept_loses_no_reply(service):
    """The purge comes at the moment at which the post and its replies would have expired."""
    service.database.sql("truncate activities cascade")
    top = thread(service, 60)
    service.database.sql("update activities set expires_at = now() + interval '1 hour'")
    with service.database.held(f"select from activities where uuid = '{top}' for no key update"):
        service.database.sql("update activities set expires_at = now() where reply_to_activity_uuid = %s", top)
        assert purged(service, 500) == 0
    assert keep(service, top).status == 200
    assert service.database.sql("select activity_uuid::text from unsettled_threads") == [(top,)]
    assert purged(service, 500) == 0
    settle(service)
    assert purged(service, 500) == 0
    assert service.get(f"/api/activities/{top}?limit=200").json["activity"]["replies_count"] == 60
    check_counts(service.database)


def test_a_keep_that_waited_for_too_long_keeps_nothing(service):
    """The keep was sent before the post's end, and got the lock after it."""
    top = service.create_as("londo", "too late", ttl="1-hour")["uuid"]
    with service.database.held(f"select from activities where uuid = '{top}' for no key update") as cursor:
        keeping = Asking(keep, service, top)
        service.database.wait_for_waiting()
        cursor.execute("update activities set expires_at = clock_timestamp() where uuid = %s", (top,))
        cursor.connection.commit()
    reply = keeping.reply()
    assert (reply.status, reply.json) == (404, ["not_found"])
