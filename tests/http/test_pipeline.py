"""Many statements under way on one session: each answer is the right one, and none is given before the commit."""

import contextlib
import itertools
import json

import pytest

from client import Asking
from cluster import frozen
from daemon import sockets_of
from fcgi import request
from service import Service
from waiting import eventually

IN_FLIGHT = 8  # CONNECTION_UNITS_MAX
QUEUE_MAX = 512  # CONNECTION_QUEUE_MAX
HOME, LARGEST_HOME = "/api/activities/home", "/api/activities/home?limit=200"
ROUNDS = itertools.count(1)  # for messages that no other test writes


@pytest.fixture(scope="module")
def service(cluster):
    with Service(cluster, workers=1) as service:
        warm(service)
        yield service


def warm(service):
    """Waits until the only worker has both its sessions."""
    eventually(lambda: (service.create("warm").status, service.home().status) == (200, 200))


def function_that(database, name, body, create_trigger):
    """Creates a trigger on activities, which is removed at the end of the block."""

    @contextlib.contextmanager
    def there():
        database.sql(f"create function {name}() returns trigger language plpgsql as $$ begin {body} return null; end $$; {create_trigger}")
        try:
            yield
        finally:
            database.sql(f"drop function {name}() cascade")

    return there()


def refuse(database, condition, when, sqlstate="P0001"):
    """A trigger that fails the rows of the condition: at the insert, or only at the commit."""
    kind = {"insert": "create trigger refuse after insert", "commit": "create constraint trigger refuse after insert"}[when]
    deferred = "deferrable initially deferred" if when == "commit" else ""
    body = f"if {condition} then raise exception 'injected' using errcode = '{sqlstate}'; end if;"
    return function_that(database, "refuse", body, f"{kind} on activities {deferred} for each row execute function refuse()")


def end_sessions_that_insert(database, condition):
    """A trigger that ends the session that inserts such rows, as a crash of the server would."""
    body = f"if {condition} then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); end if;"
    trigger = "create trigger end_session after insert on activities for each row execute function end_session()"
    return function_that(database, "end_session", body, trigger)


@contextlib.contextmanager
def creates_held(service, handle="londo"):
    """Holds up one create; the worker's other creates gather behind it."""
    with service.database.locked_user(handle):
        first = Asking(lambda: service.create("the first", user_handle=handle))
        service.database.wait_for_waiting()
        yield first
    assert first.reply().status == 200


def start_all(count, ask):
    """Calls ask(n) for each n at once. Returns a function that waits for the replies."""
    threads = [Asking(ask, number) for number in range(count)]
    return lambda: [thread.reply() for thread in threads]


def create_request(message, user_handle="andrewbrown"):
    return request("POST", "/api/activities", json.dumps({"message": message, "ttl": "1-day", "user_handle": user_handle}).encode())


@contextlib.contextmanager
def peers_of(service, count):
    """As many connections past nginx, which the worker has accepted already."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(service.peer()) for _ in range(count)]
        for peer in peers:
            assert peer.ask().status == 200
        yield peers


def send_at_once(service, peers, requests):
    """The worker finds all requests at one poll, and has read them when this returns. The last peer is used to know this."""
    (worker,) = service.wait_for_workers(1)
    assert len(peers) == len(requests) + 1
    with frozen(worker):
        for peer, data in zip(peers, [*requests, request("GET", "/livez")]):
            peer.send(data)
    assert peers[-1].read_reply().status == 200


def create_together(service, messages, meanwhile=lambda: None):
    """Sends creates that all wait behind another one, which is held, and calls meanwhile() before that one ends. Returns their replies."""
    with peers_of(service, len(messages) + 1) as peers:
        with creates_held(service):
            send_at_once(service, peers, [create_request(message) for message in messages])
            meanwhile()
        return [peer.read_reply() for peer in peers[:-1]]


def named(count, special, where):
    """Messages that only this test writes. Those for which where() is true begin with special, the others with "good"."""
    number = next(ROUNDS)
    return [f"{special if where(at) else 'good'} {number}.{at}" for at in range(count)]


@pytest.mark.parametrize("when", ["insert", "commit"])
def test_no_answer_before_the_commit(service, when):
    """PostgreSQL sends a statement's rows before the error that undoes it."""
    with refuse(service.database, "new.message like 'bad%'", when):
        for bad, good in zip(named(3, "bad", lambda _: True), named(3, "bad", lambda _: False)):
            assert service.create(bad).status == 500
            reply = service.create(good)
            assert (reply.status, reply.json["message"]) == (200, good)
            assert service.home().json[0]["message"] == good
        assert not [message for message in service.database.messages() if message.startswith("bad")]


@pytest.mark.parametrize("when", ["insert", "commit"])
@pytest.mark.parametrize("sqlstate, status", [("P0001", 500), ("23514", 422), ("53100", 503)])
def test_one_bad_create_among_many(service, when, sqlstate, status):
    """The creates share a commit, which fails; each still gets its own answer."""
    names = named(20, "bad", lambda at: at % 7 == 3)
    with refuse(service.database, "new.message like 'bad%'", when, sqlstate):
        replies = create_together(service, names)
    for name, reply in zip(names, replies):
        if name.startswith("bad"):
            assert reply.status == status
        else:
            assert (reply.status, reply.json["message"]) == (200, name)
    messages = service.database.messages()
    assert [messages.get(name, 0) for name in names] == [int(name.startswith("good")) for name in names]


def test_creates_that_wait_share_a_commit(service):
    """They run in one transaction, and so have the same now()."""
    replies = create_together(service, named(12, "", lambda _: False))
    assert len({reply.json["created_at"] for reply in replies}) == 1


def established(service):
    """Sockets that the worker has open: the front server's connections among them."""
    (worker,) = service.wait_for_workers(1)
    return sockets_of(worker)


def test_each_gets_its_own(service):
    """Reads of different activities, all in flight at once behind one that waits."""
    uuids = service.database.add_activities(40)
    with service.database.locked("activities"):
        replies = start_all(len(uuids), lambda number: service.get(f"/api/activities/{uuids[number]}"))
        service.database.wait_for_waiting()
    assert [reply.json["activity"]["uuid"] for reply in replies()] == uuids


def test_a_lost_session_loses_none_of_them(service):
    uuids = service.database.add_activities(30)
    with service.database.locked("activities"):
        replies = start_all(len(uuids), lambda number: service.get(f"/api/activities/{uuids[number]}"))
        service.database.wait_for_waiting()
        service.database.terminate_sessions()
    assert [reply.json["activity"]["uuid"] for reply in replies()] == uuids


def test_a_session_lost_under_a_shared_commit(service):
    names = named(20, "", lambda _: False)
    with peers_of(service, len(names) + 1) as peers:
        with service.database.locked_user("londo"):
            send_at_once(service, peers, [create_request(name, "londo") for name in names])
            service.database.wait_for_waiting()
            service.database.terminate_sessions()
        replies = [peer.read_reply() for peer in peers[:-1]]
    assert [reply.json["message"] for reply in replies] == names
    messages = service.database.messages()
    assert [messages[name] for name in names] == [1] * len(names)


def test_a_session_lost_before_a_shared_commit(service):
    names = named(20, "", lambda _: False)
    replies = create_together(service, names, service.database.terminate_sessions)
    assert [reply.json["message"] for reply in replies] == names
    messages = service.database.messages()
    assert [messages[name] for name in names] == [1] * len(names)


def test_one_create_that_ends_its_session_among_many(service):
    """The other creates that shared the commit succeed. Whether it was itself committed is not known when its third session has ended."""
    names = named(12, "poison", lambda at: at == 5)
    with end_sessions_that_insert(service.database, "new.message like 'poison%'"):
        replies = create_together(service, names)
    assert [reply.status for reply in replies] == [200 if name.startswith("good") else 504 for name in names]
    messages = service.database.messages()
    assert [messages.get(name, 0) for name in names] == [int(name.startswith("good")) for name in names]


def test_a_server_that_crashes_for_a_moment(service):
    """The server accepts new sessions and ends them again. A statement has few attempts, so they must not all be made in that moment."""
    service.database.sql("create sequence crash_ends; grant usage, select, update on sequence crash_ends to cruddur_app")
    now = "(extract(epoch from clock_timestamp()) * 1000)::bigint"
    crash = f"""(select case when is_called then last_value else setval('crash_ends', {now} + 30) end from crash_ends) > {now}"""
    with end_sessions_that_insert(service.database, crash):
        assert service.create("after the crash").status == 200
    assert service.database.messages()["after the crash"] == 1
    assert service.database.sql("select is_called from crash_ends") == [(True,)]


def test_one_create_that_takes_too_long_among_many(service):
    """The other creates that shared the commit succeed. The test cancels the statement, which the server does in the same way for a
    time-out."""
    users = ["bayko" if at == 3 else "andrewbrown" for at in range(8)]
    with service.database.locked_user("bayko"), peers_of(service, len(users) + 1) as peers:
        send_at_once(service, peers, [create_request(f"by {user}", user) for user in users])
        ((backend, _),) = service.database.wait_for_waiting()
        service.database.sql("select pg_cancel_backend(%s)", backend)
        statuses = [peer.read_reply().status for peer in peers[:-1]]
    assert statuses == [504 if user == "bayko" else 200 for user in users]


@pytest.fixture(scope="module")
def impatient(cluster):
    """A service in which reads of one activity can be held up while new sessions still prepare their statements. See held_read()."""
    with Service(cluster, workers=1, statement_timeout=900, deadline=1000, feed_watch=0) as service:
        service.database.sql(
            """create table held_reads (activity uuid primary key, lock bigint, meets_a_conflict boolean);
               create sequence conflicts;
               grant select on held_reads to cruddur_app;
               grant usage on sequence conflicts to cruddur_app;
               create function wait(uuid) returns boolean volatile language plpgsql as $$
               declare
                   held held_reads;
               begin
                   select * into held from held_reads where activity = $1;
                   if held.lock is not null then
                       perform pg_advisory_xact_lock_shared(held.lock);
                   end if;
                   if held.meets_a_conflict and nextval('conflicts') = 1 then
                       raise exception 'injected' using errcode = '40001';
                   end if;
                   return true;
               end $$;
               alter table activities enable row level security;
               create policy wait on activities using (wait(uuid))"""
        )
        yield service


def held_read(service, lock, meets_a_conflict=False):
    """An activity. A statement that reads it waits while another session holds the advisory lock. With meets_a_conflict the first such
    statement then fails with a conflict."""
    (uuid,) = service.database.add_activities(1)
    service.database.sql("insert into held_reads values (%s, %s, %s)", uuid, lock, meets_a_conflict)
    return uuid


@contextlib.contextmanager
def advisory_locks(service, *locks):
    """A cursor whose session holds the locks."""
    with contextlib.closing(service.database.connect()) as connection, connection.cursor() as cursor:
        for lock in locks:
            cursor.execute("select pg_advisory_lock(%s)", (lock,))
        yield cursor


def answered(service, *request_ids):
    """The ids of these requests that the log has, in its order. A request's line may come after its answer."""
    return [entry["request_id"] for entry in service.log.requests() if entry["request_id"] in request_ids]


def test_one_that_runs_again_is_late_all_the_same(impatient):
    """A read that met a conflict is sent again, behind a younger one that never ends. It gets no new deadline, so it is given up first."""
    service = impatient
    again, endless = held_read(service, 1, meets_a_conflict=True), held_read(service, 2)
    eventually(lambda: service.get("/api/users/@bayko/short").status == 200)
    with peers_of(service, 3) as peers, advisory_locks(service, 1, 2) as cursor:

        def waiting_for(lock, peer):
            """The session that waits for the lock, or an empty row if the request was answered before."""
            cursor.execute("select pid from pg_locks where locktype = 'advisory' and objid = %s and not granted", (lock,))
            return cursor.fetchall() or peer.has_answer() and [()]

        peers[0].send(request("GET", f"/api/activities/{again}", HTTP_X_REQUEST_ID="again"))
        eventually(lambda: waiting_for(1, peers[0]))
        peers[1].send(request("GET", f"/api/activities/{endless}", HTTP_X_REQUEST_ID="endless"))
        assert peers[2].ask().status == 200  # the worker has read that request when it answers this one
        cursor.execute("select pg_advisory_unlock(1)")
        (backend,) = eventually(lambda: waiting_for(2, peers[1]))
        with contextlib.ExitStack() as stack:
            for pid in backend:
                stack.enter_context(frozen(pid))
            statuses = [peer.read_reply().status for peer in peers[:2]]
    assert set(statuses) <= {503, 504}
    assert eventually(lambda: len(order := answered(service, "again", "endless")) == 2 and order) == ["again", "endless"]
    eventually(lambda: service.get(f"/api/activities/{again}").status == 200)


def test_the_wait_in_the_queue_counts(impatient):
    """Behind statements that hang no request waits longer than the deadline; otherwise each statement in turn would wait for
    PostgreSQL's time-out."""
    service = impatient
    uuid = held_read(service, 3)
    eventually(lambda: service.get("/api/users/@bayko/short").status == 200)
    count = 30
    with advisory_locks(service, 3), peers_of(service, count + 1) as peers:
        send_at_once(service, peers, [request("GET", f"/api/activities/{uuid}")] * count)
        statuses = [peer.read_reply().status for peer in peers[:-1]]
    assert set(statuses) == {503, 504}
    assert statuses.count(503) > count / 3
    eventually(lambda: service.get(f"/api/activities/{uuid}").status == 200)


def test_what_is_not_sent_yet_is_not_sent_for_clients_that_left(service):
    """Creates that are still queued are dropped if their clients leave."""
    names = named(10, "", lambda _: False)
    before = len(established(service))
    with peers_of(service, len(names) + 2) as peers:
        with creates_held(service):
            send_at_once(service, peers, [create_request(name) for name in [*names, "stays"]])
            for peer in peers[: len(names)]:
                peer.close()
            eventually(lambda: len(established(service)) <= before + 3, what="the end of their connections")
        assert peers[-2].read_reply().status == 200
    messages = service.database.messages()
    assert "stays" in messages and not set(names) & set(messages)


def test_reads_wait_for_no_write(service):
    with creates_held(service):
        for _ in range(5):
            assert service.get("/api/users/@bayko/short").status == 200


def test_only_what_asks_the_database_waits_for_it(service):
    """Both sessions of the only worker hang. Requests that need no session are answered meanwhile."""
    with service.database.locked("activities"):
        waiting = [Asking(service.get, f"{HOME}?limit=7"), Asking(service.create, "waits")]
        service.database.wait_for_waiting(2)
        for _ in range(10):
            assert service.get("/livez").status == 200
            assert service.get("/api/nothing").status == 404
            assert service.create(message="").status == 422
        assert all(one.is_alive() for one in waiting)
    assert [one.reply().status for one in waiting] == [200, 200]


def test_the_queue_has_an_end(service):
    """A request beyond the size of the queue is refused at once."""
    count = IN_FLIGHT + QUEUE_MAX
    (uuid,) = service.database.add_activities(1)
    with contextlib.ExitStack() as stack:
        with service.database.locked("activities"):
            peers = [stack.enter_context(service.peer()) for _ in range(count + 1)]
            for peer in peers:
                peer.send(request("GET", f"/api/activities/{uuid}"))
            assert service.get("/livez").status == 200
            eventually(lambda: any(peer.has_answer() for peer in peers), what="the refusal")
        statuses = [peer.read_reply().status for peer in peers]
    assert (statuses.count(503), statuses.count(200)) == (1, count)


def answer_larger_than_a_socket(service):
    service.database.add_activities(200, message="repeat('\U0001f4a9', 280)")
    whole = service.get(LARGEST_HOME)
    assert len(whole.body) > 250_000
    return whole


def test_a_peer_that_reads_late_gets_all_of_it(service):
    """The worker sends the answer as the peer reads it; other requests do not wait."""
    whole = answer_larger_than_a_socket(service)

    def has_got_all():
        with service.peer() as peer:
            peer.send(request("GET", LARGEST_HOME))
            eventually(peer.has_answer)
            assert service.get("/livez").status == 200
            try:
                late = peer.read_reply()
            except ConnectionError:
                return False  # the peer was too late: the worker has closed the connection
            assert late.body == whole.body
            return peer.ask("GET", "/livez").status == 200

    eventually(has_got_all)


def test_a_peer_that_never_reads_is_hung_up_on(service):
    """Until then it holds up no other request."""
    answer_larger_than_a_socket(service)
    before = len(established(service))

    def is_seen():
        with peers_of(service, 4) as peers:
            for peer in peers:
                peer.send(request("GET", LARGEST_HOME))
            eventually(lambda: all(peer.has_answer() for peer in peers))
            assert service.get("/livez").status == 200
            was_before = not all(peer.is_hung_up_on() for peer in peers)
            eventually(lambda: all(peer.is_hung_up_on() for peer in peers), what="the end of their connections")
            return was_before

    eventually(is_seen)
    assert len(established(service)) <= before + 1  # the front server's


def test_what_left_while_it_waited_costs_nothing(service):
    """Clients leave before their statement is done: their connections are closed, and later requests are answered."""
    count = 20
    before = len(established(service))
    with peers_of(service, count + 1) as peers:
        with service.database.locked("activities"):
            send_at_once(service, peers, [request("GET", f"{HOME}?limit=3")] * count)
            service.database.wait_for_waiting()
            for peer in peers[:-1]:
                peer.close()
        eventually(lambda: len(established(service)) <= before + 1, what="the end of their connections")
    assert service.home().status == 200
