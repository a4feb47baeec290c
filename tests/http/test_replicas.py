"""Reads on a replica: none lacks what this service has acknowledged, and the primary runs the reads that the replica cannot."""

import contextlib
import os
import re
import signal
import time

import pytest

from client import request_bytes
from cluster import APP_PASSWORD, Cluster, Standby, frozen
from daemon import run_once
from issuer import TokenService
from openapi import Document
from places import SQL
from replicated import Replicated
from test_hook import HookService, sign_up
from waiting import eventually

NEWEST = "/api/activities/@londo?limit=1"
ACKNOWLEDGED_MAX = 64  # as in shared/replicas.h
PROBER_IDLE = 1  # s, as in helper/prober.h
BOUND = 60000  # ms; more than any machine needs


@pytest.fixture(scope="module")
def primary():
    with Cluster() as cluster:
        # Making a standby ends a segment of the primary's log; a standby that is away meanwhile needs that segment later.
        cluster.sql("alter system set wal_keep_size = '512MB'")
        cluster.sql("select pg_reload_conf()")
        yield cluster


@pytest.fixture(scope="module")
def standby(primary):
    with Standby(primary) as standby:
        yield standby


def newest_of(reply):
    return reply.json["activities"][0]["uuid"]


class Reader(Replicated, TokenService):
    def __init__(self, primary, *standbys, replica_lag=BOUND, **settings):
        super().__init__(primary, replica_lag=replica_lag, **settings)
        self.standbys = standbys

    def open(self):
        super().open()
        for standby in self.standbys:
            standby.catch_up(self.cluster)

    def post(self):
        return self.create_as("londo", "a post")["uuid"]

    def read(self, post):
        return self.get(f"/api/activities/{post}").status

    def newest(self):
        """The user's latest post. If the replica had an older one, the service would not notice: it asks the primary only for what is
        missing."""
        return newest_of(self.get(NEWEST))

    def message(self, post):
        return self.get(f"/api/activities/{post}").json["activity"]["message"]

    def wait_for_replica(self, post):
        """Waits until the replica runs reads."""

        def runs():
            before = self.counts()["replica"]
            assert self.read(post) == 200
            return self.counts()["replica"] > before

        eventually(runs, what="a read on the replica")


@pytest.fixture
def service(primary, standby):
    with Reader(primary, standby, workers=1) as service:
        yield service


READS = (  # and their operations in the document
    ("/api/activities/{post}", "showActivity"),
    ("/api/activities/{post}/likes", "listLikes"),
    ("/api/activities/search?term=post", "searchActivities"),
    ("/api/activities/@londo", "showUser"),
    ("/api/activities/@londo?with=replies", "showUser"),
    ("/api/activities/notifications", "listNotifications"),
    ("/api/activities/notifications/unread", "countUnread"),
    ("/api/users/@londo/short", "showUserShort"),
    ("/api/users/@londo/followers", "listFollowers"),
    ("/api/users/suggested", "listSuggestedUsers"),
    ("/api/trends", "listTrends"),
    ("/api/metrics/growth", "showGrowth"),
    ("/api/messages/@londo", "listMessagesWithUser"),
)
NO_READS = ("/readyz", "/api/activities/following", "/api/message_groups")


def test_reads_go_there(service):
    """READS run on the replica, NO_READS on the primary, and none fails."""
    post = service.post()
    service.wait_for_replica(post)
    for path, _ in READS:
        eventually(lambda path=path: run_there(service, path.format(post=post)), what=path)
    for path in NO_READS:
        assert not run_there(service, path)
    assert service.counts()["failed"] == 0


def run_there(service, path):
    """Whether the replica ran the read."""
    before = service.counts()["replica"]
    reply = service.ask_as("bayko", "GET", path)
    assert reply.status == 200, (path, reply)
    return service.counts()["replica"] > before


def delay(standby, milliseconds):
    standby.sql(f"alter system set recovery_min_apply_delay = {milliseconds}")
    standby.sql("select pg_reload_conf()")


def test_what_is_acknowledged_is_read(primary, standby, service):
    """The replica is half a second behind, and gets reads in the pauses."""
    delay(standby, 500)
    try:
        for _ in range(5):
            for _ in range(40):
                post = service.post()
                assert service.newest() == post
            service.wait_for_replica(service.post())
    finally:
        delay(standby, 0)
    assert service.counts()["behind"] >= 5


def test_what_others_wrote_is_read_after_the_bound(primary, standby):
    with Reader(primary, standby, workers=1, replica_lag=300, feed_watch=0) as service:
        post = service.post()
        service.wait_for_replica(post)
        with standby.behind():
            for number in range(3):
                service.database.run("update activities set message = %s where uuid = %s", f"other host {number}", post)
                time.sleep(0.35)
                assert service.message(post) == f"other host {number}"
            assert service.counts()["late"] > 0
        service.wait_for_replica(post)


def test_what_the_replica_does_not_have_yet_is_found(primary, standby, service):
    service.wait_for_replica(service.post())
    with standby.behind():
        ((post,),) = service.database.sql("insert into activities (user_uuid, message) select uuid, 'elsewhere' from users where handle = 'londo' returning uuid")
        assert service.message(post) == "elsewhere"
        assert service.get(f"/api/activities/{'0' * 8}-0000-4000-8000-{'0' * 12}").status == 404
    assert service.counts()["missing"] == 2


def test_the_primary_takes_over(primary, standby):
    """The replica stops, freezes, and comes back; no read fails, and the primary runs what was sent to the replica."""
    with Reader(primary, standby, workers=2, is_patient=False) as service:
        post = service.post()
        service.wait_for_replica(post)
        with standby.away():
            assert [service.read(post) for _ in range(20)] == [200] * 20
        service.wait_for_replica(post)
        with standby.frozen():
            assert [service.read(post) for _ in range(20)] == [200] * 20
            assert_wait_is_known(service)
        assert service.counts()["failed"] > 0
        service.wait_for_replica(post)


def assert_wait_is_known(service):
    """The time for which a request waited for the database includes its wait for the replica."""
    slowest = max(service.log.entries("request"), key=lambda line: line["ms"])
    assert slowest["db_ms"] > slowest["ms"] / 2


def test_what_a_session_loses_is_not_sent_to_another_replica(primary, standby):
    """The other replica is behind, so the primary runs the read again."""
    lost = Standby(primary)
    try:
        with Reader(primary, lost, standby, workers=1) as service, standby.behind():
            post = service.post()
            service.wait_for_replica(post)
            with lost.frozen(), service.connect() as connection:
                connection.send(request_bytes("GET", NEWEST))
                assert service.get("/livez").status == 200  # by the same worker, which has sent the read before
                lost.kill()
                assert newest_of(connection.read_reply()) == post
            assert service.counts()["failed"] == 1
    finally:
        lost.remove()


def test_check_looks_at_it(primary, standby, service):
    def check(password=APP_PASSWORD, hosts=(standby.sockets,)):
        url = service.database.url(password=password, hosts=hosts, target_session_attrs="standby")
        return run_once("--check", "--sql-dir", SQL, "--identity", "handle", environment={"CONNECTION_URL": service.database.url(), "READ_CONNECTION_URL": url})

    assert (check().returncode, check().stderr) == (0, "")
    assert (check("wrong").returncode, "password authentication failed" in check("wrong").stderr) == (1, True)
    away = check(hosts=("/nowhere",))
    assert away.returncode == 0
    assert "/nowhere" in away.stderr


def test_a_replica_that_is_promoted_gets_no_reads(primary, standby):
    """The promoted replica is not taken for the primary either, which goes on. After a while a session with the next replica takes the
    place of its session."""
    promoted = Standby(primary)
    try:
        with Reader(primary, promoted, standby, workers=1) as service:
            post = service.post()
            service.wait_for_replica(post)
            promoted.promote()
            promoted.sql("update activities set message = 'elsewhere'", database=service.database.name)
            eventually(lambda: service.message(post) and service.counts()["unknown"] > 0, what="the promotion")
            for _ in range(10):
                assert service.message(post) == "a post"
                assert service.read(service.post()) == 200
            service.wait_for_replica(post)
            assert service.message(post) == "a post"
    finally:
        promoted.remove()


def test_new_settings_are_taken_while_the_primary_is_away(primary, standby, service):
    """The sessions with the replica do not count as a sign that the primary is there."""
    service.wait_for_replica(service.post())
    with primary.away():
        service.daemon.reload()
    eventually(lambda: service.home().status == 200, what="the primary")


IMPATIENT = {"is_patient": False, "statement_timeout": 1000, "deadline": 1500, "feed_watch": 0}


def stale_read(service, post):
    """The answer if a replica gave it in place of the primary, or None."""
    reply = service.get(f"/api/activities/{post}")
    assert reply.status in (200, 503, 504)
    return reply.headers["Cache-Status"] and reply


def wait_for_questions(standby, count=4):
    """Waits until the prober has run count more statements on the standby, including those that begin a session."""

    def asked():
        return standby.sql("select query_start from pg_stat_activity where application_name = 'cruddurd prober' and state = 'idle'")

    for _ in range(count):
        before = asked()
        eventually(lambda before=before: asked() not in ([], before), what="a question to the standby")


def wait_for_stale_read(service, post):
    eventually(lambda: stale_read(service, post), what="a read without the primary")


@pytest.mark.parametrize("fault", ["frozen", "away"])
def test_reads_go_on_without_the_primary(primary, standby, fault):
    """Such answers say how old they may be, and have all acknowledged writes. A row that the replica does not have is not reported as
    missing."""
    with Reader(primary, standby, workers=1, replica_lag=300, replica_stale=3600, **IMPATIENT) as service:
        post = service.post()
        service.wait_for_replica(post)
        for path, _ in READS:
            eventually(lambda path=path: run_there(service, path.format(post=post)), what=path)
        before = time.monotonic()
        with getattr(primary, fault)():
            since = time.monotonic()
            wait_for_stale_read(service, post)
            for path, operation in READS:
                least = time.monotonic() - since
                reply = service.ask_as("bayko", "GET", path.format(post=post))
                Document.shared().operation(operation).check(reply, "200")
                age = int(re.fullmatch(r"cruddurd; hit; ttl=-(\d+)", reply.headers["Cache-Status"])[1])
                assert least < age <= time.monotonic() - before + PROBER_IDLE + 1
                assert not reply.headers["ETag"]
            assert newest_of(service.get(NEWEST)) == post
            wrong = service.get("/api/metrics/growth?tz=Nowhere")
            assert (wrong.status, wrong.headers["Cache-Status"]) == (422, None)
            assert {service.get(path).status for path in ("/api/activities/00000000-0000-4000-8000-000000000000", "/api/activities/@nobody")} <= {503, 504}
            assert service.ask_as("londo", "POST", "/api/activities", {"message": "in vain", "ttl": "1-day"}).status in (503, 504)
            assert stale_read(service, post)  # the write that failed was not acknowledged
            assert {service.ask_as("bayko", "GET", path).status for path in NO_READS} <= {503, 504}
        eventually(lambda: service.get("/readyz").status == 200, what="the primary")
        assert service.counts()["stale"] > len(READS)
        assert service.read(service.post()) == 200
        assert not service.get(f"/api/activities/{post}").headers["Cache-Status"]


def test_a_read_that_has_waited_for_the_primary(primary, standby):
    """A read that waits for the primary goes to the replica when its deadline is over, and is answered."""
    patience = {"is_patient": False, "statement_timeout": 3000, "deadline": 4000, "stuck_timeout": 60000}
    with Reader(primary, standby, workers=1, replica_lag=300, replica_stale=3600, feed_watch=0, **patience) as service:
        post = service.post()
        service.wait_for_replica(post)
        with primary.frozen():
            reply = eventually(lambda: (reply := service.get(f"/api/activities/{post}")) and (reply.status != 200 or reply.headers["Cache-Status"]) and reply)
            assert (reply.status, bool(reply.headers["Cache-Status"])) == (200, True)


def test_reads_without_the_primary_have_what_was_acknowledged(primary, standby):
    """The replica lacks the last write: nothing may be read there."""
    with Reader(primary, standby, workers=3, replica_lag=300, replica_stale=3600, **IMPATIENT) as service:
        post = service.post()
        service.wait_for_replica(post)
        with standby.behind():
            service.post()
            with primary.away():
                wait_for_questions(standby)
                assert {service.read(post) for _ in range(20)} <= {503, 504}


def write_everything(service, post):
    """Makes a write of each kind. Returns a post that it made."""
    mine = service.post()
    sent = service.message_as("londo", user_receiver_handle="bayko").json
    activities, group = "/api/activities", sent["message_group_uuid"]
    for method, path, document in (
        ("PUT", f"{activities}/{post}/like", None), ("PUT", f"{activities}/{post}/repost", None), ("DELETE", f"{activities}/{post}/like", None),
        ("POST", f"{activities}/{mine}/reply", {"message": "reply"}), ("PUT", f"{activities}/{mine}/keep", {"ttl": "7-days"}),
        ("POST", "/api/messages", {"message": "two", "message_group_uuid": group}), ("PUT", f"/api/message_groups/{group}/read", {}),
        ("DELETE", f"/api/messages/{group}/{sent['uuid']}", None), ("PUT", "/api/users/@bayko/follow", None), ("PUT", "/api/users/@bayko/mute", None),
        ("DELETE", "/api/users/@bayko/mute", None), ("PUT", "/api/users/@bayko/block", None), ("DELETE", "/api/users/@bayko/block", None),
        ("PUT", "/api/profile/update", {"display_name": "L", "bio": "b"}), ("PUT", f"{activities}/notifications/read", {}),
        ("DELETE", f"{activities}/{post}", None),
    ):  # fmt: skip
        reply = service.ask_as("londo", method, path, document)
        assert reply.status == 200, (path, reply)
    for handle, method, path, document in (
        ("bayko", "POST", f"{activities}/{mine}/report", {"reason": "spam"}), ("bayko", "DELETE", "/api/profile", {"handle": "bayko"}),
        ("bayko", "DELETE", "/api/profile", {"handle": "bayko"}),
    ):  # fmt: skip
        reply = service.ask_as(handle, method, path, document)
        assert reply.status == 200, (path, reply)
    return mine


def test_reads_without_the_primary_after_the_last_question_to_it(primary, standby):
    """After each kind of write the replica is asked whether it has the transaction."""
    with Reader(primary, standby, workers=1, replica_lag=300, replica_stale=3600, **IMPATIENT) as service:
        post = service.post()
        service.wait_for_replica(post)
        with frozen(service.prober()):
            mine = write_everything(service, post)
            standby.catch_up(primary)
            stopped = contextlib.ExitStack()
            stopped.enter_context(primary.away())
        with stopped:
            wait_for_stale_read(service, mine)
            assert newest_of(service.get(NEWEST)) == mine


class HookReader(Replicated, HookService):
    def __init__(self, primary, *standbys, **settings):
        super().__init__(primary, **settings)
        self.standbys = standbys

    def open(self):
        super().open()
        for standby in self.standbys:
            standby.catch_up(self.cluster)


@pytest.mark.parametrize("trigger", ["PostConfirmation_ConfirmSignUp", "PostConfirmation_ConfirmForgotPassword"])
def test_reads_without_the_primary_after_an_event(primary, standby, trigger):
    """An event that makes a user, and an event for which no statement runs."""
    with HookReader(primary, standby, workers=1, replica_lag=300, replica_stale=3600, **IMPATIENT) as service:
        target = "/api/activities/@londo"
        eventually(lambda: service.get(target).status == 200 and service.counts()["replica"] > 0, what="a read on the replica")
        with frozen(service.prober()):
            assert service.deliver(sign_up("late", trigger)).status == 200
            standby.catch_up(primary)
            stopped = contextlib.ExitStack()
            stopped.enter_context(primary.away())
        with stopped:
            eventually(lambda: service.get(target).headers["Cache-Status"], what="a read without the primary")


@pytest.mark.parametrize("count", [ACKNOWLEDGED_MAX, ACKNOWLEDGED_MAX + 1])
def test_reads_without_the_primary_after_many_writes(primary, standby, count):
    """The pool remembers ACKNOWLEDGED_MAX transactions and no more."""
    with Reader(primary, standby, workers=1, replica_lag=300, replica_stale=3600, **IMPATIENT) as service:
        post = service.post()
        service.wait_for_replica(post)
        with frozen(service.prober()):
            for _ in range(count):
                service.post()
            standby.catch_up(primary)
            stopped = contextlib.ExitStack()
            stopped.enter_context(primary.away())
        with stopped:
            wait_for_questions(standby)
            if count == ACKNOWLEDGED_MAX:
                wait_for_stale_read(service, post)
            else:
                assert {service.read(post) for _ in range(20)} <= {503, 504}


def test_reads_without_the_primary_outlive_a_reload(primary, standby):
    """They also outlive the end of the prober."""
    with Reader(primary, standby, workers=1, replica_lag=300, replica_stale=3600, **IMPATIENT) as service:
        post = service.post()
        service.wait_for_replica(post)
        with primary.away():
            wait_for_stale_read(service, post)
            service.daemon.reload()
            wait_for_questions(standby)
            wait_for_stale_read(service, post)
            before = service.prober()
            os.kill(before, signal.SIGKILL)
            eventually(lambda: service.prober() not in (None, before), what="a prober")
            wait_for_questions(standby)
            wait_for_stale_read(service, post)


@pytest.mark.parametrize("seconds", [0, 8])
def test_reads_without_the_primary_end(primary, standby, seconds):
    """They end when the replica has learned of no later time for --replica-stale."""
    with Reader(primary, standby, workers=1, replica_lag=300, replica_stale=seconds, **IMPATIENT) as service:
        post = service.post()
        service.wait_for_replica(post)
        with primary.away():
            ages = []

            def has_ended():
                reply = service.get(f"/api/activities/{post}")
                if reply.status == 200 and reply.headers["Cache-Status"]:
                    ages.append(int(reply.headers["Cache-Status"].rpartition("-")[2]))
                return reply.status == 503 and bool(ages) == bool(seconds)

            eventually(has_ended, what="the end of reads")
            assert {service.read(post) for _ in range(20)} == {503}
        assert all(age <= seconds for age in ages)
        eventually(lambda: service.read(post) == 200, what="the primary")
