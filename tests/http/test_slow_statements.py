"""What one requester may have the database do: how many users one may follow, how far a page of followed users looks, and that searches,
such pages and growth take turns and hold up no other request."""

import contextlib
import os
import re
import signal

import pytest

from client import Asking
from cluster import Database, frozen
from fcgi import request
from issuer import TokenService
from plans import Explainer, statements
from social import follow, followed, listed
from waiting import eventually

TARGET = "/api/activities/following"
FOLLOWS_MAX = 5000
WORKERS = 4
WAITING_MAX = 16  # of one requester, besides the statement that is under way


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster, workers=1) as service:
        yield service


@pytest.fixture
def service(tokens):
    tokens.database.load("truncate activities, follows cascade; delete from users where handle ~ '^many'")
    warm(tokens)
    return tokens


def follow_many(database, count, handle="bayko"):
    """Adds that many users, all of whom the user follows."""
    database.load(
        f"""insert into users (display_name, handle, folded_handle, email, cognito_user_id)
            select n, 'many' || n, 'many' || n, n || '@many.example', 'mock-many' || n from generate_series(1, {count}) n;
            insert into follows (follower_uuid, followed_uuid)
            select (select uuid from users where handle = '{handle}'), uuid from users where handle ~ '^many'"""
    )


# --- how many ---


def test_as_many_as_one_may_follow(service):
    follow_many(service.database, FOLLOWS_MAX - 1)
    assert followed(service, "bayko", "londo")["followed"] is True
    reply = follow(service, "bayko", "altbrown")
    assert (reply.status, reply.json) == (409, ["follows_exceed_max"])
    ((count,),) = service.database.sql("select count(*) from follows")
    assert count == FOLLOWS_MAX
    assert followed(service, "bayko", "londo")["followed"] is True  # the same again
    assert followed(service, "altbrown", "londo")["followed"] is True  # another user's
    assert followed(service, "bayko", "many7", "DELETE")["followed"] is False
    assert followed(service, "bayko", "altbrown")["followed"] is True


def test_as_many_at_once_as_one_may_follow(cluster):
    """Several follows wait for the same lock, in sessions of several workers, and there is room for one."""
    with TokenService(cluster, workers=WORKERS) as service:
        follow_many(service.database, FOLLOWS_MAX + 11)
        service.database.sql("delete from follows using users where uuid = followed_uuid and handle ~ '^many[1-6]$|^many1[0-5]$'")
        with service.database.locked_user("bayko"):
            askings = [Asking(follow, service, "bayko", f"many{number}") for number in range(1, 7)]
            ((_, name), *_) = service.database.wait_for_waiting()
            number = int(re.search(r"worker (\d+)", name)[1])
            with frozen(service.wait_for_workers(WORKERS)[number - 1]):  # the others take what comes now
                askings += [Asking(follow, service, "bayko", f"many{number}") for number in range(10, 16)]
                service.database.wait_for_waiting(2)
        statuses = [asking.reply().status for asking in askings]
        assert sorted(statuses) == [200] + [409] * (len(askings) - 1)
        assert service.database.sql("select count(*) from follows") == [(FOLLOWS_MAX,)]


def test_who_follows_more_already_loses_nobody(service):
    follow_many(service.database, FOLLOWS_MAX + 100)
    reply = follow(service, "bayko", "londo")
    assert (reply.status, reply.json) == (409, ["follows_exceed_max"])
    assert followed(service, "bayko", "many7")["followed"] is True
    assert followed(service, "bayko", "many7", "DELETE")["followed"] is False


# --- how far a page looks ---

# Old posts and reposts by each followed user, and newer ones by others. At most one in a microsecond.
SILENT = """
    insert into activities (user_uuid, message, search, created_at)
    select uuid, 'by ' || handle, '', now() - interval '2 days' + substr(handle, 5)::integer * interval '1 second'
    from users where handle ~ '^many';
    insert into reposts (user_uuid, activity_uuid, created_at)
    select u.uuid, a.uuid, now() - interval '1 day' + substr(u.handle, 5)::integer * interval '1 second'
    from users u join activities a on a.message = 'by many1' where u.handle ~ '^many[0-9]*7$';
    insert into activities (user_uuid, message, search, created_at)
    select (select uuid from users where handle = 'londo'), 'noise', '', now() - interval '1 hour' + n * interval '1 millisecond'
    from generate_series(1, 9000) n;
    insert into reposts (user_uuid, activity_uuid, created_at)
    select (select uuid from users where handle = 'altbrown'), uuid, created_at + interval '1 microsecond'
    from activities where message = 'noise' order by created_at limit 5000"""


@pytest.mark.parametrize("limit", [20, 200])
@pytest.mark.parametrize("count", [150, 1500])
def test_pages_that_end_early_miss_nothing(service, count, limit):
    """With 150 followed users the newest posts of each are looked up; with 1500 only the newest of all, in parts."""
    follow_many(service.database, count)
    service.database.load(SILENT)
    rows, sizes = listed(service, "bayko", f"{TARGET}?limit={limit}")
    shown = [(row["message"], row["reposted_by"] and row["reposted_by"]["handle"]) for row in rows]
    posts, reposters = [(f"by many{n}", None) for n in range(2, count + 1)], [f"many{n}" for n in range(7, count + 1, 10)]
    assert shown == [("by many1", reposters[-1]), *posts[::-1]]
    assert 0 in sizes or count < 1000
    assert max(sizes) <= limit


@pytest.mark.parametrize("together", [5, 32])
@pytest.mark.parametrize("limit", [1, 2, 30])
@pytest.mark.parametrize("count", [150, 1001])
def test_posts_of_one_moment_are_all_reached(service, count, limit, together):
    """Writes that share a commit have the same time, and there are more of them than fit on a page."""
    follow_many(service.database, count)
    service.database.load(
        f"""insert into activities (user_uuid, message, search, created_at)
            select uuid, 'by ' || handle, '', now() - interval '1 hour' * moment
            from users, generate_series(1, 3) moment where handle ~ '^many' and substr(handle, 5)::integer <= {together}"""
    )
    rows, _ = listed(service, "bayko", f"{TARGET}?limit={limit}")
    order = [(row["created_at"], row["uuid"]) for row in rows]
    assert order == sorted(order, reverse=True)
    assert (len(order), len(set(order))) == (3 * together, 3 * together)


BURIED = """
    insert into activities (user_uuid, message, search, created_at, expires_at)
    select uuid, 'expired', '', now() - interval '2 hours' + n * interval '1 second', now() - interval '1 hour' + n * interval '1 second'
    from users, generate_series(1, 12) n where handle ~ '^many';
    insert into reposts (user_uuid, activity_uuid, created_at)
    select u.uuid, a.uuid, a.created_at + interval '1 second'
    from users u cross join lateral (
        select uuid, created_at from activities
        where message = 'expired' and user_uuid <> u.uuid order by md5(uuid::text || u.uuid) limit 12
    ) a
    where u.handle ~ '^many[0-9]*5$';
    insert into activities (user_uuid, message, search, created_at, expires_at)
    select uuid, 'by ' || handle, '', now() - interval '1 day' + substr(handle, 5)::integer * interval '1 second', now() + interval '1 hour'
    from users where handle ~ '^many'"""


def test_below_more_than_are_looked_up(service):
    """The newest posts of each followed user have expired and were not purged. With 400 users there are more of them than a page looks
    at."""
    follow_many(service.database, 400)
    service.database.load(BURIED)
    rows, _ = listed(service, "bayko", f"{TARGET}?limit=50")
    assert [row["message"] for row in rows] == [f"by many{n}" for n in range(400, 0, -1)]


LOADED = """
    insert into users (uuid, display_name, handle, folded_handle, email, cognito_user_id)
    select md5('user ' || n)::uuid, n, 'user' || n, 'user' || n, n || '@user.example', 'sub-' || n from generate_series(1, 20001) n;
    insert into activities (user_uuid, message, search, created_at, expires_at)
    select md5('user ' || 1 + n % 20000)::uuid, 'n', '', now() - n * interval '3 seconds', now() + interval '1 day' - n * interval '3 seconds'
    from generate_series(1, 60000) n;
    insert into activities (uuid, user_uuid, message, search, created_at, expires_at)
    select md5('noise ' || n)::uuid, md5('user 20001')::uuid, 'noise', '', now() - n * interval '1 millisecond', now() + interval '1 day'
    from generate_series(1, 3000) n;
    insert into reposts (user_uuid, activity_uuid, created_at)
    select md5('user ' || n)::uuid, md5('noise ' || 1 + n % 3000)::uuid, now() - n * interval '1 second' from generate_series(1, 20000) n"""
FOLLOW = """
    delete from follows where follower_uuid = md5('user 20001')::uuid;
    insert into follows (follower_uuid, followed_uuid)
    select md5('user 20001')::uuid, md5('user ' || n)::uuid from generate_series(1, {count}) n"""


@pytest.fixture(scope="module")
def loaded(cluster):
    database = Database(cluster)
    database.load(LOADED)
    database.sql("vacuum analyze")
    yield database
    database.remove()


@pytest.mark.parametrize("limit", [50, 200])
def test_what_a_page_reads_does_not_grow_with_the_follows(loaded, limit):
    """The cost is counted in pages of 8 kB and in rows. A user with more follows than the cap has them from before the cap."""
    statement = statements(loaded)["social/following"]
    plans = {}
    for follows in (1000, 1001, 5000, 20000):
        loaded.load(FOLLOW.format(count=follows))
        loaded.sql("vacuum analyze follows")  # else the follows that were deleted are read, too, until autovacuum has come
        with Explainer(loaded) as explainer:
            plans[follows] = explainer.explain("social/following", statement, {"sub": "sub-20001", "limit": limit})
    for follows in (1001, 5000, 20000):
        assert plans[follows].buffers < 30_000, plans[follows].text
        assert plans[follows].most_rows <= 4000, plans[follows].text
    assert plans[20000].buffers < 1.5 * plans[1001].buffers
    assert plans[1000].buffers < 60_000, plans[1000].text


# --- growth ---


def post_many(database, count, age):
    database.load(
        f"""insert into activities (user_uuid, message, search, created_at)
            select (select uuid from users where handle = 'londo'), 'x', '', now() - interval '{age}' - n * interval '1 millisecond'
            from generate_series(1, {count}) n"""
    )


def test_growth_where_the_purge_has_not_run(service):
    """Up to 50,000 posts are counted for a request. With more the request is refused until the purge has closed their time."""
    database = service.database
    database.sql("update growth_closed set until = now() - interval '1 day'")
    ((before,),) = database.sql("select count(*) from activities where created_at > (select until from growth_closed)")
    post_many(database, 50_000 - before, "3 hours")
    assert service.get("/api/metrics/growth").status == 200
    post_many(database, 1, "4 hours")
    reply = service.get("/api/metrics/growth")
    assert (reply.status, reply.json, reply.headers["Retry-After"]) == (503, ["growth_behind"], "1")
    while database.sql("select close_growth()") == [(True,)]:
        pass
    assert service.get("/api/metrics/growth").status == 200


# --- turns ---


class Crowd:
    """Requests of one requester, each over a connection of its own past nginx. To be used by `with`, while a statement is held up."""

    def __init__(self, service, target=TARGET, method="GET", waiting_max=WAITING_MAX, **parameters):
        self.service = service
        self.target = target
        self.method = method
        self.waiting_max = waiting_max
        self.parameters = parameters
        self.peers = []

    def __enter__(self):
        eventually(self.is_refused, what="a refusal")
        eventually(lambda: len(self.waiting()) == 1 + self.waiting_max, what="as many as may wait")
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.close()

    def is_refused(self):
        """Sends one more request. Returns whether one has been refused."""
        peer = self.service.peer()
        peer.send(request(self.method, self.target, **self.parameters))
        self.peers.append(peer)
        return any(peer.has_answer() for peer in self.peers)

    def waiting(self):
        return [peer for peer in self.peers if not peer.has_answer()]

    def refused(self):
        return [peer.read_reply() for peer in self.peers if peer.has_answer()]


def warm(service):
    """Opens all sessions, because a new session prepares its statements and would wait for a locked table."""
    assert service.get("/api/users/@londo/short").status == 200
    eventually(lambda: service.ask_as("bayko", "GET", TARGET).status == 200, what="an answer within --slow-timeout")
    assert followed(service, "andrewbrown", "londo", "DELETE")["followed"] is False


def token_of(service, handle):
    return {"HTTP_AUTHORIZATION": f"Bearer {service.token(handle)}"}


def test_others_are_answered_meanwhile(service):
    """A read of another kind does not wait for a slow one, whichever user asks."""
    with service.database.locked("follows"):
        slow = Asking(service.ask_as, "bayko", "GET", TARGET)
        service.database.wait_for_waiting()
        assert service.get("/api/users/@londo/short").status == 200
        assert service.ask_as("bayko", "GET", "/api/message_groups").status == 200
        assert slow.is_alive()
    assert slow.reply().status == 200


def test_one_at_a_time_and_so_many_waiting(service):
    """One more request is refused at once, and no other requester's."""
    with contextlib.ExitStack() as stack:
        with service.database.locked("follows"):
            crowd = stack.enter_context(Crowd(service, **token_of(service, "bayko")))
            waiting = crowd.waiting()
            refused = {(reply.status, *reply.json, reply.headers["Retry-After"]) for reply in crowd.refused()}
            assert refused == {(429, "too_many_requests", "1")}
            other = service.peer()
            other.send(request("GET", TARGET, **token_of(service, "londo")))
            assert service.get("/livez").status == 200
            assert not other.has_answer()
        assert other.read_reply().status == 200
        assert [peer.read_reply().status for peer in waiting] == [200] * len(waiting)
    assert service.ask_as("bayko", "GET", TARGET).status == 200


@pytest.mark.parametrize(
    "one, same, another",
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"),
    ],
)
def test_strangers_take_turns_by_their_address(service, one, same, another):
    """IPv6 addresses count as one if they are in the same /64 network; one that has an IPv4 address in it counts as that."""
    search = "/api/activities/search?term=hello"
    with contextlib.ExitStack() as stack:
        with service.database.locked("activities"):
            crowd = stack.enter_context(Crowd(service, search, REMOTE_ADDR=one))
            waiting = crowd.waiting()
            with service.peer() as peer:
                assert peer.ask("GET", "/api/metrics/growth", REMOTE_ADDR=same).status == 429
            other = service.peer()
            other.send(request("GET", search, REMOTE_ADDR=another))
            assert service.get("/livez").status == 200
            assert not other.has_answer()
        assert other.read_reply().status == 200
        assert [peer.read_reply().status for peer in waiting] == [200] * len(waiting)


def test_clients_that_leave_give_their_turns_up(service):
    with service.database.locked("follows"):
        with Crowd(service, **token_of(service, "bayko")):
            pass
        abandoned = eventually(lambda: service.log.text.count('"status":499') >= WAITING_MAX, what="turns that are given up")
        assert abandoned
        last = Asking(service.ask_as, "bayko", "GET", TARGET)
        assert service.get("/livez").status == 200
    assert last.reply().status == 200


WRITES_WAITING_MAX = 32


def test_deletes_of_one_account_let_others_write_between_them(service):
    """The first delete holds up the write session. Other users' writes run before the second delete."""
    uuid = service.ask_as("bayko", "POST", "/api/activities", {"message": "mine", "ttl": "1-day"}).json["uuid"]
    target = f"/api/activities/{uuid}"
    before = len(service.log.entries("statement"))
    with contextlib.ExitStack() as stack:
        with service.database.held(f"select from activities where uuid = '{uuid}' for update"):
            crowd = stack.enter_context(Crowd(service, target, "DELETE", WRITES_WAITING_MAX, **token_of(service, "bayko")))
            waiting = crowd.waiting()
            refused = {(reply.status, *reply.json, reply.headers["Retry-After"]) for reply in crowd.refused()}
            assert refused == {(429, "too_many_requests", "1")}
            other = stack.enter_context(service.peer())
            other.send(request("POST", "/api/activities", b'{"message":"in between","ttl":"1-day"}', **token_of(service, "londo")))
            assert service.get("/livez").status == 200
            assert not other.has_answer()
        assert other.read_reply().status == 200
        assert [peer.read_reply().status for peer in waiting] == [200] * len(waiting)
    templates = [line["template"] for line in service.log.entries("statement")[before:]]
    assert templates.index("activities/create") == 1 and templates.count("activities/delete") == 1 + WRITES_WAITING_MAX


# --- turns in the whole pool ---


def waiting_sessions(database):
    """The process ids of the workers' sessions that wait for a lock."""
    return {pid for pid, name in database.wait_for_waiting()}


@contextlib.contextmanager
def held_read(service):
    """Holds up a slow read; yields its method and target."""
    with service.database.locked("follows"):
        yield "GET", TARGET


@contextlib.contextmanager
def held_delete(service):
    uuid = service.ask_as("bayko", "POST", "/api/activities", {"message": "mine", "ttl": "1-day"}).json["uuid"]
    with service.database.held(f"select from activities where uuid = '{uuid}' for update"):
        yield "DELETE", f"/api/activities/{uuid}"


@pytest.mark.parametrize("held", [held_read, held_delete])
def test_one_at_a_time_in_the_whole_pool(cluster, held):
    """Several workers have requests of one account, and only one of them sends a statement to the database."""
    with TokenService(cluster, workers=WORKERS) as service:
        for _ in range(8):
            warm(service)
        pids = set()
        while len(pids) < 2:
            with held(service) as asked:
                askings = [Asking(service.ask_as, "bayko", *asked) for _ in range(1 + WAITING_MAX)]
                (first,) = waiting_sessions(service.database)
                for _ in range(10):
                    assert waiting_sessions(service.database) == {first}
                    assert service.get("/livez").status == 200
            replies = [asking.reply() for asking in askings]
            assert [reply.status for reply in replies] == [200] * len(replies)
            pids |= {service.line_of(reply)["pid"] for reply in replies}


@pytest.mark.parametrize("held", [held_read, held_delete])
def test_a_worker_that_is_killed_leaves_no_turn_behind(cluster, held):
    """nginx sends the killed worker's request again, and another worker runs it."""
    with TokenService(cluster, workers=2) as service:
        for _ in range(4):
            warm(service)
        with held(service) as asked:
            asking = Asking(service.ask_as, "bayko", *asked)
            (first,) = waiting_sessions(service.database)
            for pid in service.daemon.workers():
                os.kill(pid, signal.SIGKILL)
            eventually(lambda: waiting_sessions(service.database) - {first}, what="the statement again")
        assert asking.reply().status == 200


# --- how long ---


def test_a_time_limit_of_their_own(cluster):
    with TokenService(cluster, workers=1, slow_timeout=200) as service:
        warm(service)
        with service.database.locked("follows"):
            reply = service.ask_as("bayko", "GET", TARGET)
            assert (reply.status, reply.json) == (504, ["database_timeout"])
            assert service.line_of(reply)["sqlstate"] == "57014"
        with service.database.locked_user("bayko"):
            writing = Asking(service.ask_as, "bayko", "PUT", "/api/users/@londo/follow")
            service.database.wait_for_waiting()
            with service.database.locked("activities"):
                assert service.get("/api/activities/search?term=hello").status == 504
            assert writing.is_alive()
        assert writing.reply().status == 200
