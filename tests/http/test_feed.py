"""The kept home feed: never older than promised, whoever writes and whatever dies."""

import contextlib
import datetime
import itertools
import os
import random
import signal
import threading
import time

import psycopg2
import pytest

from client import Asking, LastingConnection
from cluster import FEED_BOUND, Standby, frozen
from service import Service
from waiting import Stopwatch, eventually, never

HOME = "/api/activities/home"


def newest(reply):
    assert reply.status == 200
    return reply.json[0]["message"]


def asked_the_database(service, reply):
    return service.line_of(reply)["db_ms"] > 0


def keep(service):
    """Asks until a kept page is served, from each worker as far as chance has it."""
    return eventually(lambda: not asked_the_database(service, service.get(HOME)), what="a kept page")


def watcher(service, other_than=None):
    """Its process id."""
    return eventually(lambda: [pid for pid in service.daemon.watchers() if pid != other_than], what="a watcher")[0]


def test_a_page_is_kept(start):
    service = start(workers=1)
    first = service.get(HOME)
    assert asked_the_database(service, first)
    keep(service)
    again = service.get(HOME)
    assert (again.body, again.headers["Link"]) == (first.body, first.headers["Link"])


@pytest.mark.parametrize("target", [f"{HOME}?limit=1", f"{HOME}?limit=2", HOME])
def test_each_length_has_its_own(start, target):
    service = start(workers=1)
    service.create("one")
    service.create("two")
    fresh = service.get(target)
    keep(service)
    for other in (HOME, f"{HOME}?limit=1", f"{HOME}?limit=3", f"{HOME}?limit=4", f"{HOME}?limit=5"):
        service.get(other)
    kept = service.get(target)
    assert (kept.body, kept.headers["Link"]) == (fresh.body, fresh.headers["Link"])


def test_a_second_page_is_never_kept(start):
    service = start(workers=1)
    service.create("behind")
    keep(service)
    target = service.get(f"{HOME}?limit=1").next_page
    for _ in range(3):
        assert asked_the_database(service, service.get(target))


def test_nothing_is_kept_when_told_so(start):
    service = start(workers=1, feed_watch=0)
    for _ in range(5):
        assert asked_the_database(service, service.get(HOME))
    assert service.get(HOME).headers["ETag"] is None


def test_what_this_pool_writes_is_in_the_next_answer(start):
    """Whichever worker writes and whichever is asked."""
    service = start(workers=4, default_handle="andrewbrown")
    for number in range(200):
        message = f"number {number}"
        uuid = service.create(message).json["uuid"]
        assert newest(service.get(HOME)) == message
        if number % 10 == 0:
            assert service.ask("DELETE", f"/api/activities/{uuid}").status == 200
            assert newest(service.get(HOME)) != message


def test_what_others_write_is_there_within_the_bound(start):
    service = start(workers=2)
    for number in range(20):
        keep(service)
        with service.database.connect() as connection, connection.cursor() as cursor:
            cursor.execute("update activities set message = %s", (f"changed {number}",))
            connection.commit()
            end = time.monotonic() + FEED_BOUND
        connection.close()
        while time.monotonic() < end:
            time.sleep(0.005)
        assert newest(service.get(HOME)) == f"changed {number}"


def test_what_this_pool_writes_is_fetched_once(start):
    """And not again when the watcher sees it. Others write to this cluster too now and then: its own vacuum does."""
    service = start(workers=1)
    kept = 0
    for number in range(20):
        keep(service)
        service.create(f"number {number}")
        assert asked_the_database(service, service.get(HOME))
        time.sleep(FEED_BOUND)
        kept += not asked_the_database(service, service.get(HOME))
    assert kept >= 10


def test_a_transaction_that_began_before_and_ends_after(start):
    """The page that was fetched for a later one doesn't have it."""
    service = start(workers=1)
    with service.database.connect() as connection, connection.cursor() as cursor:
        for number in range(5):
            cursor.execute("update activities set message = %s where message not like 'later%%'", (f"before {number}",))
            service.create(f"later {number}")
            assert newest(service.get(HOME)) == f"later {number}"
            time.sleep(FEED_BOUND)
            assert service.get(HOME).json[-1]["message"] != f"before {number}"
            connection.commit()
            time.sleep(FEED_BOUND)
            assert service.get(HOME).json[-1]["message"] == f"before {number}"
    connection.close()


def test_a_kept_page_dies_with_its_first_expiry(start):
    service = start(workers=1)
    service.database.add_activities(3, expires_at="now() + interval '1 second'", message="'short'")
    assert len(service.get(HOME).json) == 4
    with Stopwatch() as watch:
        eventually(lambda: len(service.get(HOME).json) == 1, seconds=3)
    assert watch.seconds < 1
    never(lambda: len(service.get(HOME).json) > 1, 0.3)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_watcher_that_ends_is_replaced(start, end):
    service = start(workers=1)
    keep(service)
    first = watcher(service)
    os.kill(first, end)
    service.database.sql("update activities set message = 'meanwhile'")
    assert newest(service.get(HOME)) == "meanwhile"
    watcher(service, other_than=first)
    keep(service)


def test_a_watcher_that_hangs_keeps_nothing_alive(start):
    """Every answer comes from the database then."""
    service = start(workers=1)
    keep(service)
    with frozen(watcher(service)):
        eventually(lambda: asked_the_database(service, service.get(HOME)))
        for number in range(5):
            with service.database.connect() as connection, connection.cursor() as cursor:
                cursor.execute("update activities set message = %s", (f"unseen {number}",))
            connection.close()
            reply = service.get(HOME)
            assert asked_the_database(service, reply)
            assert newest(reply) == f"unseen {number}"
    keep(service)


def test_a_watcher_that_hangs_holds_up_no_end(start):
    service = start(workers=1)
    with frozen(watcher(service)):
        service.daemon.signal(signal.SIGTERM)
        assert service.daemon.wait() == 0


def sessions_on(cluster, service, name):
    statement = "select pid from pg_stat_activity where datname = %s and application_name = %s"
    return [pid for (pid,) in cluster.sql(statement, service.database.name, name)]


def move_session(service, name, here, there):
    """After a loss it begins with the next host."""
    for number in itertools.count(1):
        if sessions_on(there, service, name):
            break
        for pid in sessions_on(here, service, name):
            here.sql("select pg_terminate_backend(%s)", pid)
        service.home(f"?limit={number}")  # none that is kept
        time.sleep(0.02)


@pytest.mark.parametrize("moves", ["cruddurd watcher", "cruddurd worker 1"])
def test_nothing_is_kept_across_a_standby(cluster, start, moves):
    """The watcher is on the one server and the reads are on the other: no order of writes that both see."""
    service = start(workers=1)
    standby = Standby(cluster)
    try:
        service.write_url(service.database.url(hosts=[standby.sockets, cluster.sockets]))
        service.daemon.reload()
        assert service.home().status == 200
        move_session(service, moves, standby, cluster)
        (stays,) = {"cruddurd watcher", "cruddurd worker 1"} - {moves}
        eventually(lambda: sessions_on(standby, service, stays), 2, what=f"{stays} on the standby")
        for _ in range(20):
            service.home()
        with standby.behind():
            service.database.sql("update activities set message = 'changed'")
            seen = [newest(service.home()) for _ in range(20)]
        if moves == "cruddurd worker 1":
            assert set(seen) == {"changed"}
        eventually(lambda: newest(service.home()) == "changed", 2, what="the change")
        never(lambda: newest(service.home()) != "changed", 0.2)
    finally:
        standby.remove()


def watching(cluster, service):
    try:
        return sessions_on(cluster, service, "cruddurd watcher")
    except psycopg2.OperationalError:
        return []


@contextlib.contextmanager
def lost_in_a_crash(cluster, service, count):
    """So many transactions, that the kept page has seen: their numbers are given out again. Meanwhile is before the crash."""
    ((flushes,),) = cluster.sql("select pid from pg_stat_activity where backend_type = 'walwriter'")
    with contextlib.closing(service.database.connect()) as connection, connection.cursor() as cursor, frozen(flushes):
        cursor.execute("set synchronous_commit = off")
        for _ in range(count):
            cursor.execute("update activities set message = 'lost'")
        eventually(lambda: newest(service.get(HOME)) == "lost", what="what will be lost")
        keep(service)
        yield
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        eventually(lambda: not watching(cluster, service), what="the crash")


def has_returned(cluster):
    with contextlib.suppress(psycopg2.OperationalError):
        return cluster.sql("select true")


def test_what_a_crash_lost_is_kept_no_longer(cluster, start):
    """The page looks newer than all that is there."""
    service = start(workers=1)
    keep(service)
    with lost_in_a_crash(cluster, service, 10):
        pass
    eventually(lambda: watching(cluster, service), what="the watcher's return")
    time.sleep(FEED_BOUND)  # nobody asks before the next write
    service.database.sql("update activities set message = 'found'")
    assert newest(service.get(HOME)) == "found"


def test_after_a_crash_the_same_numbers_mean_something_else(cluster, start):
    """The watcher misses it, and what it sees then looks like what it saw last."""
    service = start(workers=1)
    keep(service)
    with contextlib.ExitStack() as stack:
        with lost_in_a_crash(cluster, service, 1):
            stack.enter_context(frozen(watcher(service)))
        eventually(lambda: has_returned(cluster), what="the database's return")
        service.database.sql("update activities set message = 'found'")
    eventually(lambda: watching(cluster, service), what="the watcher's return")
    time.sleep(FEED_BOUND)
    assert newest(service.get(HOME)) == "found"


def test_whoever_asks_meanwhile_shares_the_answer(start):
    service = start(workers=1)
    service.create("so that both sessions are there")
    with service.database.locked("activities"):
        asking = [Asking(service.get, HOME) for _ in range(10)]
        service.database.wait_for_waiting(1)
        eventually(lambda: all(one.is_alive() for one in asking))
        never(lambda: len(service.database.wait_for_waiting(1)) > 1, 0.2)
    assert {one.reply().status for one in asking} == {200}


# --- the database is away ---


def test_a_stale_page_while_the_database_is_away(cluster, start):
    """Within its bound, and marked; what was never asked for is not to be had."""
    service = start(workers=1, feed_stale=3, deadline=500, statement_timeout=300)
    service.database.add_activities(1, expires_at="now() + interval '1 hour'", message="'kept'")
    keep(service)
    with cluster.away():
        with Stopwatch() as watch:
            reply = service.get(HOME)
            assert newest(reply) == "kept"
            assert reply.headers["Cache-Status"].startswith("cruddurd; hit; ttl=-")
            assert (reply.headers["ETag"], reply.headers["Cache-Control"]) == (None, "no-store")
            assert service.get(f"{HOME}?limit=7").status == 503
            eventually(lambda: service.get(HOME).status == 503, seconds=10, what="the end of its bound")
        assert 2 < watch.seconds < 6
    eventually(lambda: service.get(HOME).status == 200)
    assert service.get(HOME).headers["Cache-Status"] is None


def test_nothing_expired_is_in_a_stale_page(cluster, start):
    service = start(workers=1, deadline=300, statement_timeout=200)
    service.database.add_activities(1, expires_at="now() + interval '2 seconds'", message="'brief'")
    keep(service)
    with cluster.away():
        assert newest(service.get(HOME)) == "brief"
        eventually(lambda: service.get(HOME).status == 503, seconds=4)


def test_no_stale_page_when_told_so(cluster, start):
    service = start(workers=1, feed_stale=0, deadline=300, statement_timeout=200)
    keep(service)
    with cluster.away():
        assert service.get(HOME).status == 503


# --- If-None-Match ---


def test_an_unchanged_feed_is_not_sent_again(start):
    service = start(workers=2)
    reply = service.get(HOME)
    tag = reply.headers["ETag"]
    assert reply.headers["Cache-Control"] == "no-cache"
    for value in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = service.get(HOME, **{"If-None-Match": value})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["Content-Type"] is None
    for value in ('"other"', tag.strip('"'), tag[:-2] + '"', ""):
        again = service.get(HOME, **{"If-None-Match": value})
        assert (again.status, again.body) == (200, reply.body)
    service.create("changed")
    assert service.get(HOME, **{"If-None-Match": tag}).status == 200


def test_a_tag_is_the_same_on_every_worker(start):
    service = start(workers=4)
    assert len({service.get(HOME).headers["ETag"] for _ in range(40)}) == 1


def test_the_head_of_a_kept_page(start):
    service = start(workers=1)
    keep(service)
    reply = service.get(HOME)
    head = service.ask("HEAD", HOME)
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", reply.headers["ETag"])


# --- two hosts, one database ---


def written_at(row):
    return datetime.datetime.fromisoformat(row["created_at"])


class Reader(threading.Thread):
    """Asks one host for the feed and compares it with what was acknowledged before it asked."""

    def __init__(self, service, is_over, acknowledged, slack):
        super().__init__()
        self.service, self.is_over, self.acknowledged, self.slack = service, is_over, acknowledged, slack
        self.count, self.wrong = 0, []
        self.start()

    def run(self):
        with LastingConnection(self.service.port) as connection:
            while not self.is_over.is_set():
                limit = time.monotonic() - self.slack
                due = {row["uuid"]: row for row, when in list(self.acknowledged)[-20:] if when <= limit}
                reply = connection.ask("GET", f"{HOME}?limit=50")
                self.count += 1
                if reply.status != 200:
                    self.wrong.append(reply)
                    continue
                oldest = written_at(reply.json[-1])  # what is older may be on the next page by now
                seen = {row["uuid"] for row in reply.json}
                self.wrong += [due[uuid] for uuid in due.keys() - seen if written_at(due[uuid]) > oldest]


class Writer(threading.Thread):
    def __init__(self, name, service, is_over, acknowledged):
        super().__init__()
        self.host, self.service, self.is_over, self.acknowledged = name, service, is_over, acknowledged
        self.wrong = []
        self.start()

    def run(self):
        number = 0
        with LastingConnection(self.service.port) as connection:
            while not self.is_over.is_set():
                message = f"{self.host} {self.ident} {number}"
                body = f'{{"message":"{message}","ttl":"1-hour","user_handle":"bayko"}}'.encode()
                reply = connection.ask("POST", "/api/activities", body)
                if reply.status == 200:
                    self.acknowledged.append((reply.json, time.monotonic()))
                else:
                    self.wrong.append(reply.status)
                number += 1
                self.is_over.wait(0.05)


class SlowWriter(threading.Thread):
    """By SQL, in transactions that others overtake."""

    def __init__(self, database, is_over, acknowledged):
        super().__init__()
        self.database, self.is_over, self.acknowledged = database, is_over, acknowledged
        self.wrong = []
        self.start()

    def run(self):
        with contextlib.closing(self.database.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = False
            while not self.is_over.is_set():
                cursor.execute(
                    "insert into activities (user_uuid, message) select uuid, 'slow' from users limit 1"
                    " returning row_to_json(activities)"
                )
                ((row,),) = cursor.fetchall()
                self.is_over.wait(random.uniform(0, 0.15))
                connection.commit()
                self.acknowledged.append((row, time.monotonic()))


def test_no_reader_gets_an_old_feed(cluster, start):
    """Two hosts write; on its own a write is in the next answer, on the other one within the bound, as what is written by SQL is."""
    seconds = float(os.environ.get("FRESHNESS_SECONDS", "4"))
    one = start(workers=2)
    with Service(cluster, workers=2, database=one.database) as other:
        is_over = threading.Event()
        written = {"one": [], "other": []}
        hosts = {"one": one, "other": other}
        writers = [Writer(name, hosts[name], is_over, written[name]) for name in hosts for _ in range(4)]
        written["elsewhere"] = []
        writers += [SlowWriter(one.database, is_over, written["elsewhere"]) for _ in range(2)]
        readers = [
            Reader(hosts[name], is_over, written[source], 0 if name == source else FEED_BOUND)
            for name in hosts
            for source in written
            for _ in range(8)
        ]
        is_over.wait(seconds)
        ended = [thread for thread in writers + readers if not thread.is_alive()]
        is_over.set()
        for thread in writers + readers:
            thread.join()
        assert ended == []
        assert [one.wrong[:3] for one in writers + readers if one.wrong] == []
        assert min(len(messages) for messages in written.values()) > 10
        assert sum(reader.count for reader in readers) > 100
        print(sum(reader.count for reader in readers), "reads,", sum(map(len, written.values())), "writes")
