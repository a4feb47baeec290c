"""Many statements under way on one session: each answer is the right one, and none is given before the commit."""

import contextlib

import pytest

from client import Asking
from daemon import sockets_of
from fcgi import request
from waiting import Stopwatch, eventually, never

IN_FLIGHT = 8  # CONNECTION_UNITS_MAX
QUEUE_MAX = 512  # CONNECTION_QUEUE_MAX
AUTHOR = "andrewbrown"


def warm(start, **settings):
    """One worker that has both its sessions."""
    service = start(workers=1, **settings)
    service.create("warm")
    service.home()
    return service


def refuse(database, condition, when, sqlstate="P0001"):
    """A trigger that fails such rows: at the insert, or not before the commit."""
    kind = {"insert": "create trigger refuse after insert", "commit": "create constraint trigger refuse after insert"}[when]
    deferred = "deferrable initially deferred" if when == "commit" else ""
    database.sql(
        f"""create function refuse() returns trigger language plpgsql as $$
            begin
                if {condition} then
                    raise exception 'injected' using errcode = '{sqlstate}';
                end if;
                return null;
            end $$;
            {kind} on activities {deferred} for each row execute function refuse()"""
    )


@contextlib.contextmanager
def creates_held(service, handle="londo"):
    """The worker's creates gather behind one that waits."""
    with service.database.locked_user(handle):
        first = Asking(lambda: service.create("the first", user_handle=handle))
        service.database.wait_for_waiting()
        yield first
    assert first.reply().status == 200


def start_all(count, ask):
    """ask(n) for each n at once; their replies, when called."""
    threads = [Asking(ask, number) for number in range(count)]
    return lambda: [thread.reply() for thread in threads]


@pytest.mark.parametrize("when", ["insert", "commit"])
def test_no_answer_before_the_commit(start, when):
    """A statement's rows come before the error that undoes it."""
    service = warm(start)
    refuse(service.database, "new.message like 'bad%'", when)
    for number in range(5):
        assert service.create(f"bad {number}").status == 500
        good = service.create(f"good {number}")
        assert (good.status, good.json["message"]) == (200, f"good {number}")
        assert service.home().json[0]["message"] == f"good {number}"
    assert not [message for message in service.database.messages() if message.startswith("bad")]


@pytest.mark.parametrize("when", ["insert", "commit"])
@pytest.mark.parametrize("sqlstate, status", [("P0001", 500), ("23514", 422), ("53100", 503)])
def test_one_bad_create_among_many(start, when, sqlstate, status):
    """They share a commit, which fails; each gets its own answer all the same."""
    service = warm(start)
    refuse(service.database, "new.message like 'bad%'", when, sqlstate)
    names = [f"bad {number}" if number % 7 == 3 else f"good {number}" for number in range(20)]
    with creates_held(service):
        replies = start_all(len(names), lambda number: service.create(names[number]))
        eventually(lambda: service.get("/livez").status == 200)
    for name, reply in zip(names, replies()):
        if name.startswith("bad"):
            assert reply.status == status
        else:
            assert (reply.status, reply.json["message"]) == (200, name)
    messages = service.database.messages()
    assert [messages.get(name, 0) for name in names] == [int(name.startswith("good")) for name in names]


def test_creates_that_wait_share_a_commit(start):
    """That is one transaction, and so one now()."""
    service = warm(start)
    count = 12
    with creates_held(service):
        replies = start_all(count, lambda number: service.create(f"together {number}"))
        eventually(lambda: lines_of(service, "POST") == 1)  # the warm one: all others wait
        eventually(lambda: len(established(service)) >= count + 1, what="their connections")
    created = [reply.json["created_at"] for reply in replies()]
    assert len(created) == count and len(set(created)) < count


def lines_of(service, method):
    return sum(entry["method"] == method for entry in service.log.entries("request"))


def established(service):
    """Sockets that the worker has open: the front server's connections among them."""
    (worker,) = service.wait_for_workers(1)
    return sockets_of(worker)


def test_each_gets_its_own(start):
    """Reads of different things, all under way at once behind one that waits."""
    service = warm(start)
    uuids = service.database.add_activities(40)
    with service.database.locked("activities"):
        replies = start_all(len(uuids), lambda number: service.get(f"/api/activities/{uuids[number]}"))
        service.database.wait_for_waiting()
    assert [reply.json["activity"]["uuid"] for reply in replies()] == uuids


def test_a_lost_session_loses_none_of_them(start):
    service = warm(start)
    uuids = service.database.add_activities(30)
    with service.database.locked("activities"):
        replies = start_all(len(uuids), lambda number: service.get(f"/api/activities/{uuids[number]}"))
        service.database.wait_for_waiting()
        service.database.terminate_sessions()
    assert [reply.json["activity"]["uuid"] for reply in replies()] == uuids


def test_a_session_lost_under_a_shared_commit(start):
    service = warm(start)
    names = [f"once {number}" for number in range(20)]
    with creates_held(service):
        replies = start_all(len(names), lambda number: service.create(names[number]))
        eventually(lambda: len(established(service)) >= len(names) + 1, what="their connections")
        service.database.terminate_sessions()
    assert [reply.json["message"] for reply in replies()] == names
    messages = service.database.messages()
    assert [messages[name] for name in names] == [1] * len(names)


def end_sessions_that_insert(database, condition):
    """A trigger that ends the session of such rows, as a crash of the server would."""
    database.sql(
        f"""create function end_session() returns trigger language plpgsql as $$
            begin
                if {condition} then
                    perform pg_terminate_backend(pg_backend_pid());
                    perform pg_sleep(1);
                end if;
                return null;
            end $$;
            create trigger end_session after insert on activities for each row execute function end_session()"""
    )


def test_one_create_that_ends_its_session_among_many(start):
    """Whoever shared the commit with it is not to blame."""
    service = warm(start)
    end_sessions_that_insert(service.database, "new.message = 'poison'")
    names = ["poison" if number == 5 else f"good {number}" for number in range(12)]
    with creates_held(service):
        replies = start_all(len(names), lambda number: service.create(names[number]))
        eventually(lambda: len(established(service)) >= len(names) + 1, what="their connections")
    assert [reply.status for reply in replies()] == [503 if name == "poison" else 200 for name in names]
    messages = service.database.messages()
    assert [messages.get(name, 0) for name in names] == [int(name != "poison") for name in names]


def test_a_server_that_crashes_for_a_moment(start):
    """It takes new sessions and ends them again: a statement's few attempts are not all made in that moment."""
    service = warm(start)
    service.database.sql("create sequence crash_ends; grant usage, select, update on sequence crash_ends to cruddur_app")
    now = "(extract(epoch from clock_timestamp()) * 1000)::bigint"
    end_sessions_that_insert(
        service.database,
        f"""(select case when is_called then last_value else setval('crash_ends', {now} + 30) end from crash_ends) > {now}""",
    )
    assert service.create("after the crash").status == 200
    assert service.database.messages()["after the crash"] == 1


def test_one_create_that_takes_too_long_among_many(start):
    """Those that shared the commit with it are done without it, in time."""
    service = warm(start, statement_timeout=1000, deadline=1800)
    users = ["bayko" if number == 3 else "andrewbrown" for number in range(8)]
    with service.database.locked_user("bayko"):
        with creates_held(service):
            replies = start_all(len(users), lambda number: service.create(f"by {users[number]}", user_handle=users[number]))
            eventually(lambda: len(established(service)) >= len(users) + 1, what="their connections")
        statuses = [reply.status for reply in replies()]
    assert statuses == [504 if user == "bayko" else 200 for user in users]


def test_one_that_runs_again_is_late_all_the_same(start):
    """A read that met a conflict is sent once more, behind younger ones: its time doesn't grow."""
    service = warm(start, statement_timeout=1500, deadline=2000, feed_watch=0)
    again, slow = service.database.add_activities(2)
    service.database.sql(
        f"""create sequence conflicts; grant usage on sequence conflicts to cruddur_app;
            create function slowly(uuid) returns boolean volatile language plpgsql as $$
            begin
                if $1 = '{slow}' then
                    perform pg_sleep(1.3);
                elsif $1 = '{again}' and nextval('public.conflicts') = 1 then
                    perform pg_sleep(1.3);
                    raise exception 'injected' using errcode = '40001';
                end if;
                return true;
            end $$;
            alter table activities enable row level security;
            create policy slowly on activities using (slowly(uuid))"""
    )
    first = Asking(service.get, f"/api/activities/{again}")
    service.database.wait_for_waiting(on="PgSleep")
    with Stopwatch() as watch:
        others = [Asking(service.get, f"/api/activities/{slow}")]
        eventually(lambda: watch.elapsed() > 1)
        others += [Asking(service.get, f"/api/activities/{slow}")]
        status = first.reply().status
        assert watch.elapsed() < 2.3
    assert status in (503, 504)
    for other in others:
        other.reply()
    assert service.get(f"/api/activities/{again}").status == 200


def test_what_is_not_sent_yet_is_not_sent_for_nobody(start):
    """Clients that leave while their creates are queued."""
    service = warm(start)
    names = [f"left {number}" for number in range(10)]
    with creates_held(service):
        before = len(established(service))
        peers = [service.peer() for _ in names]
        for peer, name in zip(peers, names):
            body = f'{{"message":"{name}","ttl":"1-hour","user_handle":"bayko"}}'.encode()
            peer.send(request("POST", "/api/activities", body))
        eventually(lambda: len(established(service)) >= before + len(peers), what="their connections")
        stays = Asking(service.create, "stays")
        eventually(lambda: len(established(service)) > before + len(peers), what="another connection")
        for peer in peers:
            peer.close()
        eventually(lambda: len(established(service)) <= before + 1, what="the end of their connections")
    assert stays.reply().status == 200
    messages = service.database.messages()
    assert "stays" in messages and not set(names) & set(messages)


def test_reads_wait_for_no_write(start):
    service = warm(start)
    with creates_held(service):
        for _ in range(20):
            assert service.get("/api/users/@bayko/short").status == 200


def test_nothing_waits_for_the_database_but_who_asks_it(start):
    """One worker, whose both sessions hang: whatever needs none is answered meanwhile."""
    service = warm(start)
    with service.database.locked("activities"):
        waiting = [Asking(service.get, "/api/activities/home?limit=7"), Asking(service.create, "waits")]
        service.database.wait_for_waiting(2)
        for _ in range(50):
            with Stopwatch() as watch:
                assert service.get("/livez").status == 200
                assert service.get("/api/nothing").status == 404
                assert service.create(message="").status == 422
            assert watch.seconds < 1
        assert all(one.is_alive() for one in waiting)
    assert [one.reply().status for one in waiting] == [200, 200]


def test_the_wait_in_the_queue_counts(start):
    """Behind statements that hang nobody waits longer than the deadline."""
    service = warm(start, statement_timeout=600, deadline=1000)
    with service.database.locked("activities"):
        with Stopwatch() as watch:
            replies = start_all(30, lambda number: service.get(f"/api/activities/home?limit={number + 1}"))()
        assert watch.seconds < 3
    assert {reply.status for reply in replies} <= {503, 504}
    assert 504 in {reply.status for reply in replies}
    assert service.home().status == 200


@pytest.mark.parametrize("count, refused", [(IN_FLIGHT + QUEUE_MAX, 0), (IN_FLIGHT + QUEUE_MAX + 1, 1)])
def test_the_queue_has_an_end(start, count, refused):
    """One more than it holds is refused at once, not made to wait."""
    service = warm(start)
    (uuid,) = service.database.add_activities(1)
    with contextlib.ExitStack() as stack:
        with service.database.locked("activities"):
            peers = [stack.enter_context(service.peer()) for _ in range(count)]
            for peer in peers:
                peer.send(request("GET", f"/api/activities/{uuid}"))
            peers[0].socket.settimeout(10)
            assert service.get("/livez").status == 200
            answered = 2 + refused  # warm's and livez's too
            eventually(lambda: lines_of(service, "GET") == answered, what="the refusal")
            never(lambda: lines_of(service, "GET") != answered, 0.1)
        statuses = [peer.read_reply().status for peer in peers]
    assert (statuses.count(503), statuses.count(200)) == (refused, count - refused)


def test_a_peer_that_reads_late_gets_all_of_it(start):
    """An answer larger than its socket takes goes out as it reads; the others don't wait."""
    service = warm(start)
    service.database.add_activities(200, message="repeat('\U0001f4a9', 280)")
    whole = service.get("/api/activities/home?limit=200")
    assert len(whole.body) > 250_000
    with service.peer() as peer:
        peer.send(request("GET", "/api/activities/home?limit=200"))
        for _ in range(20):
            assert service.get("/livez").status == 200
        assert peer.read_reply().body == whole.body
        assert peer.ask("GET", "/livez").status == 200


def test_a_peer_that_never_reads_is_hung_up_on(start):
    service = warm(start)
    service.database.add_activities(200, message="repeat('\U0001f4a9', 280)")
    assert service.home().status == 200
    before = len(established(service))
    peers = [service.peer() for _ in range(8)]
    for peer in peers:
        peer.send(request("GET", "/api/activities/home?limit=200"))
    eventually(lambda: len(established(service)) >= before + len(peers), what="their connections")
    slowest = 0

    def is_free():
        nonlocal slowest
        with Stopwatch() as watch:
            assert service.get("/livez").status == 200
        slowest = max(slowest, watch.seconds)
        return len(established(service)) <= before + 2  # the front server's

    eventually(is_free, seconds=6, what="the end of its connections")
    assert slowest < 1
    for peer in peers:
        peer.close()


def test_what_left_while_it_waited_costs_nothing(start):
    """Clients that are gone before their statement is done."""
    service = warm(start)
    with service.database.locked("activities"):
        peers = [service.peer() for _ in range(20)]
        for peer in peers:
            peer.send(request("GET", "/api/activities/home?limit=3"))
        service.database.wait_for_waiting()
        before = len(established(service))
        for peer in peers:
            peer.close()
    eventually(lambda: len(established(service)) <= before - len(peers), what="the end of their connections")
    assert service.home().status == 200
