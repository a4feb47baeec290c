"""The cached home feed is never older than promised, whichever process writes and whichever ends."""

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

from client import LastingConnection
from cluster import FEED_BOUND, Standby, frozen
from fcgi import request
from service import Service
from waiting import LIVES, eventually

HOME = "/api/activities/home"
# ms; requests wait so long while the database is away.
IMPATIENT = {"statement_timeout": 300, "deadline": 500}


@pytest.fixture(scope="module")
def service(cluster):
    """A service with one worker, so that the test knows which pages are cached."""
    with Service(cluster, workers=1) as service:
        yield service


def newest(reply):
    assert reply.status == 200
    return reply.json[0]["message"]


def asked_the_database(service, reply):
    return service.line_of(reply)["db_ms"] > 0


def is_kept(service, reply):
    return reply.status == 200 and not asked_the_database(service, reply)


def keep(service):
    """Requests the page until a cached one is served, by whichever worker, and returns it. While the watcher is late, which can
    happen at any time on a slow machine, no worker serves a cached page."""

    def kept():
        reply = service.get(HOME)
        return is_kept(service, reply) and reply

    return eventually(kept, what="a kept page")


def is_fresh(reply):
    return reply.status == 200 and reply.headers["Cache-Status"] is None


def now():
    """The time by PostgreSQL's clock, which is this machine's."""
    return datetime.datetime.now(datetime.timezone.utc)


def end_of(service, message):
    """When the activities with this message expire."""
    return service.database.sql("select max(expires_at) from activities where message = %s", message)[0][0]


def watcher(service, other_than=None):
    """The watcher's process id."""
    return eventually(lambda: [pid for pid in service.daemon.watchers() if pid != other_than], what="a watcher")[0]


def test_a_page_is_kept(service):
    service.create("new")
    first = service.get(HOME)
    assert asked_the_database(service, first)
    keep(service)
    again = service.get(HOME)
    assert (again.body, again.headers["Link"]) == (first.body, first.headers["Link"])


@pytest.mark.parametrize("target", [f"{HOME}?limit=1", f"{HOME}?limit=2", HOME])
def test_each_length_has_its_own(service, target):
    service.create("one")
    service.create("two")
    fresh = service.get(target)
    keep(service)
    for other in (HOME, f"{HOME}?limit=1", f"{HOME}?limit=3", f"{HOME}?limit=4", f"{HOME}?limit=5"):
        service.get(other)
    kept = service.get(target)
    assert (kept.body, kept.headers["Link"]) == (fresh.body, fresh.headers["Link"])


def test_a_second_page_is_never_kept(service):
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
    """It does not matter which worker writes and which one answers."""
    service = start(workers=4, default_handle="andrewbrown")
    for number in range(100):
        message = f"number {number}"
        uuid = service.create(message).json["uuid"]
        assert newest(service.get(HOME)) == message
        if number % 10 == 0:
            assert service.ask("DELETE", f"/api/activities/{uuid}").status == 200
            assert newest(service.get(HOME)) != message


def test_what_others_write_is_there_within_the_bound(start):
    service = start(workers=2)
    for number in range(8):
        keep(service)
        service.database.sql("update activities set message = %s", f"changed {number}")
        assert newest(service.get(HOME)) == f"changed {number}"


def test_what_this_pool_writes_is_fetched_once(service):
    """It is not fetched again when the watcher sees it afterwards. The exceptions are another write to this cluster, for example
    by vacuum, and a watcher that is late; then the test tries again."""
    numbers = itertools.count()

    def is_fetched_once():
        keep(service)
        with frozen(watcher(service)):
            service.create(f"number {next(numbers)}")
            assert asked_the_database(service, service.get(HOME))
        time.sleep(FEED_BOUND)
        return is_kept(service, service.get(HOME))

    eventually(is_fetched_once, what="one fetch")


def test_a_transaction_that_began_before_and_ends_after(service):
    """The page that was fetched for a later write does not have the changes of this transaction yet."""
    with contextlib.closing(service.database.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        for number in range(3):
            cursor.execute("update activities set message = %s where message not like 'later%%'", (f"before {number}",))
            service.create(f"later {number}")
            assert newest(service.get(HOME)) == f"later {number}"
            time.sleep(FEED_BOUND)
            assert service.get(HOME).json[-1]["message"] != f"before {number}"
            connection.commit()
            time.sleep(FEED_BOUND)
            assert service.get(HOME).json[-1]["message"] == f"before {number}"


def test_a_kept_page_dies_with_its_first_expiry(service):
    def is_seen_to_die(life):
        """Whether a cached page with the activities was served before they expired."""
        message = f"for {life} s"
        service.database.add_activities(3, expires_at=f"now() + interval '{life} s'", message=f"'{message}'")
        end = end_of(service, message)
        was_kept, left = False, []
        while len(left) < 5:
            before, reply, after = now(), service.get(HOME), now()
            count = sum(row["message"] == message for row in reply.json)
            if after < end:
                assert count == 3
                was_kept = was_kept or is_kept(service, reply)
            elif before >= end:
                left.append(count)
            time.sleep(0.005)
        assert left == [0] * 5
        return was_kept

    assert any(map(is_seen_to_die, LIVES))


def test_a_watcher_that_ends_is_replaced(service):
    for end in (signal.SIGKILL, signal.SIGTERM):
        keep(service)
        first = watcher(service)
        os.kill(first, end)
        service.database.sql("update activities set message = %s", f"behind signal {end}")
        assert newest(service.get(HOME)) == f"behind signal {end}"
        watcher(service, other_than=first)
    keep(service)


def test_a_watcher_that_hangs_keeps_nothing_alive(service):
    """While it hangs, every answer comes from the database."""
    keep(service)
    with frozen(watcher(service)):
        time.sleep(FEED_BOUND)  # its last poll counts for so long
        for number in range(5):
            service.database.run("update activities set message = %s", f"unseen {number}")
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
    """Moves the session from one server to another. After a loss it is connected to the next host."""
    for number in itertools.cycle(range(1, 200)):
        if sessions_on(there, service, name):
            break
        for pid in sessions_on(here, service, name):
            here.sql("select pg_terminate_backend(%s)", pid)
        service.home(f"?limit={number}")  # a page that is not cached
        time.sleep(0.02)


@pytest.mark.parametrize("moves", ["cruddurd watcher", "cruddurd worker 1"])
def test_nothing_is_kept_across_a_standby(cluster, start, moves):
    """The watcher's session is on one server and the reads are on the other, so the order in which they see writes says nothing."""
    service = start(workers=1)
    standby = Standby(cluster)
    try:
        service.write_url(service.database.url(hosts=[standby.sockets, cluster.sockets]))
        service.daemon.reload()
        assert service.home().status == 200
        move_session(service, moves, standby, cluster)
        (stays,) = {"cruddurd watcher", "cruddurd worker 1"} - {moves}
        eventually(lambda: sessions_on(standby, service, stays), what=f"{stays} on the standby")
        for _ in range(20):
            service.home()
        with standby.behind():
            service.database.sql("update activities set message = 'changed'")
            seen = [newest(service.home()) for _ in range(20)]
        if moves == "cruddurd worker 1":
            assert set(seen) == {"changed"}
        eventually(lambda: newest(service.home()) == "changed", what="the change")
        assert {newest(service.home()) for _ in range(20)} == {"changed"}
    finally:
        standby.remove()


def watching(cluster, service):
    try:
        return sessions_on(cluster, service, "cruddurd watcher")
    except psycopg2.OperationalError:
        return []


@contextlib.contextmanager
def lost_in_a_crash(cluster, service, count):
    """A crash loses so many transactions that the cached page has seen, and their numbers are used again. The block runs before it."""
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
    """By its snapshot the cached page seems newer than the whole database."""
    service = start(workers=1)
    keep(service)
    with lost_in_a_crash(cluster, service, 10):
        pass
    eventually(lambda: watching(cluster, service), what="the watcher's return")
    time.sleep(FEED_BOUND)  # no request comes before the next write
    service.database.sql("update activities set message = 'found'")
    assert newest(service.get(HOME)) == "found"


def test_after_a_crash_the_same_numbers_mean_something_else(cluster, start):
    """The watcher misses the crash, and what it sees afterwards looks like what it saw before."""
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


def fetches(service):
    return len([line for line in service.log.entries("statement") if line["template"] == "activities/home"])


def test_whoever_asks_meanwhile_shares_the_answer(service):
    def is_shared():
        """While the watcher is late, each request needs a statement of its own."""
        service.create("not kept")
        before = fetches(service)
        with contextlib.ExitStack() as stack:
            asking = [stack.enter_context(service.peer()) for _ in range(10)]
            with service.database.locked("activities"):
                for peer in asking:
                    peer.send(request("GET", HOME))
                service.database.wait_for_waiting(1)
                with service.peer() as last:  # when the worker answers this request, it has read the others
                    assert last.ask().status == 200
                assert not any(peer.has_answer() for peer in asking)
            assert {peer.read_reply().status for peer in asking} == {200}
        return fetches(service) == before + 1

    service.get(f"{HOME}?limit=9")  # opens the read session; the first create opens the write session
    eventually(is_shared, what="one fetch for all")


# --- the database is away ---


def test_a_stale_page_while_the_database_is_away(cluster, start):
    """A stale page is marked. A page that is not in the cache gets 503."""
    service = start(workers=1, feed_stale=3600, **IMPATIENT)
    service.database.add_activities(1, expires_at="now() + interval '1 hour'", message="'kept'")
    keep(service)
    with cluster.away():
        eventually(lambda: not is_fresh(service.get(HOME)), what="the watcher's loss")
        for _ in range(5):
            reply = service.get(HOME)
            assert newest(reply) == "kept"
            assert reply.headers["Cache-Status"].startswith("cruddurd; hit; ttl=-")
            assert (reply.headers["ETag"], reply.headers["Cache-Control"]) == (None, "no-store")
        assert service.get(f"{HOME}?limit=7").status == 503
    eventually(lambda: is_fresh(service.get(HOME)), what="the database's return")


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_stale_page_has_its_bound(cluster, start, seconds):
    service = start(workers=1, feed_stale=seconds, **IMPATIENT)
    keep(service)
    with cluster.away():

        def is_over():
            reply = service.get(HOME)
            assert seconds > 0 or reply.headers["Cache-Status"] is None
            return reply.status == 503

        eventually(is_over, what="the end of its bound")


def test_nothing_expired_is_in_a_stale_page(cluster, start):
    service = start(workers=1, **IMPATIENT)

    def is_seen_to_die(life):
        """Whether a stale page with the activity was served before it expired."""
        message = f"for {life} s"
        service.database.add_activities(1, expires_at=f"now() + interval '{life} s'", message=f"'{message}'")
        end = end_of(service, message)
        if newest(keep(service)) != message:
            return False
        was_there = False
        with cluster.away():
            while True:
                before, reply = now(), service.get(HOME)
                if before >= end:
                    assert reply.status == 503
                    return was_there
                if not is_fresh(reply) and reply.status == 200:
                    assert newest(reply) == message
                    was_there = True
                time.sleep(0.005)

    assert any(map(is_seen_to_die, LIVES))


# --- If-None-Match ---


def test_an_unchanged_feed_is_not_sent_again(service):
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


def test_the_head_of_a_kept_page(service):
    keep(service)
    reply = service.get(HOME)
    head = service.ask("HEAD", HOME)
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", reply.headers["ETag"])


# --- two hosts, one database ---


def written_at(row):
    return datetime.datetime.fromisoformat(row["created_at"])


class Reader(threading.Thread):
    """Requests the feed from one host and compares it with the writes that were acknowledged before the request."""

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
                oldest = written_at(reply.json[-1])  # older rows may be on the next page by now
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
    """Writes by SQL, in transactions that others overtake."""

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
    """Two hosts write. A host's own write is in its next answer; a write of the other host or by SQL is there within the bound."""
    seconds = float(os.environ.get("FRESHNESS_SECONDS", "2"))
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

        def have_done_enough():
            return (
                any(thread.wrong or not thread.is_alive() for thread in writers + readers)
                or min(map(len, written.values())) > 10
                and min(reader.count for reader in readers) > 2
            )

        eventually(have_done_enough, what="reads and writes")
        ended = [thread for thread in writers + readers if not thread.is_alive()]
        is_over.set()
        for thread in writers + readers:
            thread.join()
        assert ended == []
        assert [one.wrong[:3] for one in writers + readers if one.wrong] == []
        print(sum(reader.count for reader in readers), "reads,", sum(map(len, written.values())), "writes")
