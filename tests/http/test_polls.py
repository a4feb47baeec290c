"""Clients that poll and mark, while writers' transactions overlap: what was in no answer is unread, and ?since= misses nothing."""

import base64
import contextlib
import datetime
import random
import threading

import psycopg2
import pytest

from client import Asking
from issuer import TokenService
from social import followed, listed, marked

NOTIFICATIONS = "/api/activities/notifications"
HOME = "/api/activities/home"
GROUPS = "/api/message_groups"
WRITERS, ROUNDS = 6, 15
OTHERS = ("bayko", "altbrown", "andrewbrown")


@pytest.fixture
def service(tokens):
    tokens.database.sql("truncate activities, follows, notification_reads, message_groups cascade")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        yield service


def ask(service, handle, target):
    reply = service.ask_as(handle, "GET", target)
    assert reply.status == 200, reply
    return reply


def since_of(reply):
    return reply.headers["Cruddur-Since"]


def cut_to_milliseconds(text):
    """The time as a client has it that stores milliseconds only."""
    return datetime.datetime.fromisoformat(text).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@contextlib.contextmanager
def begun(connection):
    """A cursor whose transaction has begun; committed at the end."""
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("select now()")
        yield cursor
        connection.commit()


@contextlib.contextmanager
def transaction(database):
    """Likewise, over a connection of its own."""
    with contextlib.closing(database.connect()) as connection, begun(connection) as cursor:
        yield cursor


@contextlib.contextmanager
def overlapping(database, write):
    """Threads that call write(cursor, writer, round), each in a transaction that begins before others' writes and is committed after
    some of them. The value says whether they are still at work."""
    gate = threading.Barrier(WRITERS)
    failures = []

    def work(writer):
        chance = random.Random(writer)
        connection = database.connect()
        try:
            for number in range(ROUNDS):
                with begun(connection) as cursor:
                    if number % 3 == 0:
                        gate.wait()  # so that some begin together whatever the machine does
                    cursor.execute("select pg_sleep(%s)", [chance.random() / 100])
                    write(cursor, writer, number)
                    cursor.execute("select pg_sleep(%s)", [chance.random() / 100])
        except (psycopg2.Error, threading.BrokenBarrierError) as error:
            gate.abort()
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()

    def are_at_work():
        assert failures == []
        return any(thread.is_alive() for thread in threads)

    try:
        yield are_at_work
    finally:
        for thread in threads:
            thread.join()


def add_users(database, count=WRITERS):
    database.sql(
        """insert into users (display_name, handle, email, cognito_user_id)
           select 'Writer ' || n, 'writer' || n, 'writer' || n || '@example.com', 'mock-writer' || n
           from generate_series(0, %s - 1) n on conflict do nothing""",
        count,
    )


MENTION = "insert into activities (user_uuid, message) select uuid, '@londo ' || %s from users where handle = 'writer' || %s"
POST = "insert into activities (user_uuid, message) select uuid, %s from users where handle = 'writer' || %s"


# --- notifications ---


def test_a_reader_that_polls_and_marks_has_seen_what_is_read(service):
    add_users(service.database)
    post = service.create_as("londo")["uuid"]
    shown = set()

    def write(cursor, writer, number):
        if number == 0:
            cursor.execute("insert into likes select uuid, %s from users where handle = 'writer' || %s", [post, writer])
        else:
            cursor.execute(MENTION, [number, writer])

    with overlapping(service.database, write) as are_at_work:
        goes_on = True
        while goes_on:
            goes_on = are_at_work()
            rows = ask(service, "londo", NOTIFICATIONS + "?limit=200").json
            assert [row["uuid"] for row in rows if row["read"] and row["uuid"] not in shown] == []
            shown |= {row["uuid"] for row in rows}
            if rows:
                newest = rows[0]["created_at"]
                until = random.choice([newest, cut_to_milliseconds(newest)])
                assert service.ask_as("londo", "PUT", NOTIFICATIONS + "/read", {"until": until}).status == 200
    rows = ask(service, "londo", NOTIFICATIONS + "?limit=200").json
    assert len(rows) == WRITERS * ROUNDS
    assert [row for row in rows if not row["read"]] == [] and shown == {row["uuid"] for row in rows}
    assert ask(service, "londo", NOTIFICATIONS + "/unread").json == {"unread": 0}


@pytest.mark.parametrize("document", [{}, {"until": "9999-12-31T23:59:59Z"}, {"until": None}])
def test_what_is_committed_behind_a_mark_is_unread(service, document):
    """This holds for any value of the mark, and also for the first notification."""
    add_users(service.database)
    for number in range(2):
        with transaction(service.database) as cursor:
            cursor.execute(MENTION, [number, 0])
            assert service.ask_as("londo", "PUT", NOTIFICATIONS + "/read", document).status == 200
        assert ask(service, "londo", NOTIFICATIONS + "/unread").json == {"unread": 1}
        assert service.ask_as("londo", "PUT", NOTIFICATIONS + "/read", document).status == 200
        assert ask(service, "londo", NOTIFICATIONS + "/unread").json == {"unread": 0}


def test_a_notification_of_a_transaction_that_was_long_open(service):
    """The notification has a millisecond of its own, too: a client whose times are cut to milliseconds marks only what it was shown."""
    add_users(service.database)
    post = service.create_as("londo")["uuid"]
    with transaction(service.database) as cursor:
        cursor.execute(MENTION, [0, 0])
        cursor.execute("select pg_sleep(1.1)")
        marked(service, "altbrown", "like", post)
        first = ask(service, "londo", NOTIFICATIONS)
    until = cut_to_milliseconds(first.json[0]["created_at"])
    assert service.ask_as("londo", "PUT", NOTIFICATIONS + "/read", {"until": until}).status == 200
    rows = ask(service, "londo", NOTIFICATIONS).json
    assert [(row["kind"], row["read"]) for row in rows] == [("mention", False), ("like", True)]


def test_an_open_transaction_blocks_no_other_writer(service):
    """Its notifications appear when it is committed, above those that appeared meanwhile."""
    add_users(service.database)
    post = service.create_as("londo")["uuid"]
    with transaction(service.database) as cursor:
        cursor.execute(MENTION, [0, 0])
        cursor.execute("insert into likes select uuid, %s from users where handle = 'writer1'", [post])
        marked(service, "altbrown", "like", post)
        first = ask(service, "londo", NOTIFICATIONS)
        assert [(row["kind"], row["handle"]) for row in first.json] == [("like", "altbrown")]
        assert service.ask_as("londo", "PUT", NOTIFICATIONS + "/read", {"until": first.json[0]["created_at"]}).status == 200
    rows = ask(service, "londo", NOTIFICATIONS).json
    assert [(row["kind"], row["handle"], row["read"]) for row in rows] == [
        ("like", "writer1", False), ("mention", "writer0", False), ("like", "altbrown", True),
    ]  # fmt: skip
    assert rows[:2] == ask(service, "londo", f"{NOTIFICATIONS}?since={since_of(first)}").json


def test_many_who_are_mentioned_in_any_order(service):
    """Creates that are committed together write their notifications in one order, so that none of them is a deadlock's victim."""
    add_users(service.database)
    handles = [*OTHERS, "londo"] + [f"writer{n}" for n in range(WRITERS)]

    def post(number):
        names = random.Random(number).sample(handles, 6)
        return service.create_as("londo", f"{number} " + " ".join("@" + name for name in names))

    before = service.database.sql("select deadlocks from pg_stat_database where datname = current_database()")
    threads = [Asking(post, number) for number in range(60)]
    assert len({thread.reply()["uuid"] for thread in threads}) == 60
    assert service.database.sql("select deadlocks from pg_stat_database where datname = current_database()") == before


def test_notifications_since(service):
    """Each notification is returned once, in the order of the list."""
    add_users(service.database)
    with overlapping(service.database, lambda cursor, writer, number: cursor.execute(MENTION, [number, writer])) as are_at_work:
        since, found, goes_on = "", [], True
        while goes_on:
            goes_on = are_at_work()
            reply = ask(service, "londo", f"{NOTIFICATIONS}?limit=200{since}")
            found += [row["uuid"] for row in reply.json][::-1]
            since = "&since=" + since_of(reply)
    assert found[::-1] == [row["uuid"] for row in ask(service, "londo", NOTIFICATIONS + "?limit=200").json]
    assert len(found) == WRITERS * ROUNDS


def test_pages_of_notifications_since(service):
    add_users(service.database)
    first = ask(service, "londo", NOTIFICATIONS)
    assert first.json == []
    post = service.create_as("londo")["uuid"]
    for handle in OTHERS:
        marked(service, handle, "like", post)
    since = since_of(ask(service, "londo", NOTIFICATIONS))
    for handle in OTHERS:
        marked(service, handle, "repost", post)
        followed(service, handle, "londo")
    for value, count in ((since_of(first), 9), (since, 6)):
        rows, sizes = listed(service, "londo", f"{NOTIFICATIONS}?limit=2&since={value}")
        assert rows == ask(service, "londo", f"{NOTIFICATIONS}?limit={count}").json
        assert sum(sizes) == count
    assert ask(service, "londo", f"{NOTIFICATIONS}?since={since_of(ask(service, 'londo', NOTIFICATIONS))}").json == []


# --- home ---


def home_since(service, value, query=""):
    reply = service.get(f"{HOME}?since={value}{query}")
    assert reply.status == 200, reply
    return reply


def test_home_since_has_what_was_committed_late(service):
    """The late post's transaction began before posts that the client already has."""
    add_users(service.database)
    with transaction(service.database) as cursor:
        cursor.execute(POST, ["late", 0])
        service.create_as("londo", "known")
        known = service.get(HOME)
        assert [row["message"] for row in known.json] == ["known"]
        assert home_since(service, since_of(known)).json == []
    service.create_as("londo", "new")
    found = home_since(service, since_of(known))
    assert sorted(row["message"] for row in found.json) == ["late", "new"]
    whole = {row["uuid"]: row for row in service.get(HOME).json}
    assert [whole[row["uuid"]] for row in found.json] == found.json
    assert home_since(service, since_of(found)).json == []


def test_home_since_under_overlapping_writers(service):
    add_users(service.database)
    with overlapping(service.database, lambda cursor, writer, number: cursor.execute(POST, [f"{writer} {number}", writer])) as are_at_work:
        value, found, goes_on = since_of(service.get(HOME)), [], True
        begun_with = len(service.get(HOME + "?limit=200").json)
        while goes_on:
            goes_on = are_at_work()
            reply = home_since(service, value, "&limit=200")
            found += [row["uuid"] for row in reply.json]
            value = since_of(reply)
    everything = {row["uuid"] for row in service.get(HOME + "?limit=200").json}
    assert len(everything) == WRITERS * ROUNDS
    assert len(found) == len(set(found)) and len(everything - set(found)) <= begun_with
    assert set(found) <= everything


def test_pages_of_home_since(service):
    service.create_as("londo", "known")
    value = since_of(service.get(HOME))
    posts = [service.create_as("londo", f"new {number}")["uuid"] for number in range(5)]
    service.reply_as("bayko", posts[0])
    service.ask_as("londo", "DELETE", f"/api/activities/{posts[3]}")
    del posts[3]
    rows, sizes = listed(service, "londo", f"{HOME}?limit=2&since={value}")
    assert [row["uuid"] for row in rows] == posts[::-1]
    assert max(sizes) == 2


def test_a_home_page_that_is_kept_says_the_same(service):
    service.create_as("londo", "known")
    replies = [service.get(HOME) for _ in range(3)]
    for reply in replies:
        assert home_since(service, since_of(reply)).json == []
    service.create_as("londo", "new")
    for reply in replies:
        assert [row["message"] for row in home_since(service, since_of(reply)).json] == ["new"]


def test_a_change_is_no_new_row(service):
    post = service.create_as("londo")["uuid"]
    value = since_of(service.get(HOME))
    for what in ("like", "repost"):
        marked(service, "bayko", what, post)
    service.reply_as("bayko", post)
    assert home_since(service, value).json == []


# --- following ---

FOLLOWING = "/api/activities/following"


@pytest.mark.parametrize("followers", ["few", "many"])
def test_following_since_under_overlapping_writers(service, followers):
    """Each post and repost of a followed user is returned once; an activity is on a page only once."""
    add_users(service.database)
    if followers == "many":
        add_users(service.database, 150)
    service.database.sql(
        """insert into follows (follower_uuid, followed_uuid)
           select l.uuid, u.uuid from users l, users u where l.handle = 'londo' and u.handle ~ '^writer' and u.handle <> 'writer5'"""
    )
    posts = [service.create_as("bayko", f"old {number}")["uuid"] for number in range(ROUNDS)]

    def write(cursor, writer, number):
        if number % 2:
            cursor.execute(POST, [f"{writer} {number}", writer])
        else:
            cursor.execute("insert into reposts select uuid, %s from users where handle = 'writer' || %s", [posts[number], writer])

    first = ask(service, "londo", FOLLOWING)
    assert first.json == []
    with overlapping(service.database, write) as are_at_work:
        value, found, goes_on = since_of(first), [], True
        while goes_on:
            goes_on = are_at_work()
            reply = ask(service, "londo", f"{FOLLOWING}?limit=200&since={value}")
            found += [(row["uuid"], reposter) for row in reply.json for reposter in [each["handle"] for each in row["reposters"]] or [None]]
            value = since_of(reply)
    expected = service.database.sql(
        """select a.uuid::text, null from activities a join users u on u.uuid = a.user_uuid where handle ~ '^writer[0-4]$'
           union all
           select activity_uuid::text, handle from reposts r join users u on u.uuid = r.user_uuid where handle ~ '^writer[0-4]$'"""
    )
    assert sorted(found, key=str) == sorted(expected, key=str)
    rows, sizes = listed(service, "londo", f"{FOLLOWING}?limit=3&since={since_of(first)}")
    assert {row["uuid"] for row in rows} == {uuid for uuid, _ in expected} and max(sizes) <= 3
    service.database.sql("delete from users where handle ~ '^writer[0-9]+$' and handle !~ '^writer[0-5]$'")


def test_what_is_reposted_while_one_pages(service):
    """A post that is reposted moves to the top, and is still on the page where it was."""
    for handle in OTHERS:
        followed(service, "londo", handle)
    posts = [service.create_as("bayko", f"post {number}")["uuid"] for number in range(6)][::-1]
    target, found = FOLLOWING + "?limit=2", []
    while target:
        reply = ask(service, "londo", target)
        found += [row["uuid"] for row in reply.json]
        marked(service, "altbrown", "repost", posts[-1])
        marked(service, "andrewbrown", "repost", posts[0])
        target = reply.next_page
    assert found == posts


@pytest.mark.parametrize("target", [HOME, GROUPS, FOLLOWING])
def test_a_cursor_of_another_server(service, target):
    for text in ("1/1:1:", "0/5:9:6,7"):
        reply = service.ask_as("londo", "GET", f"{target}?since={encoded(text)}")
        assert (reply.status, reply.json) == (410, ["cursor_expired"])


KEY = "1/00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "target, text",
    [(HOME, KEY), (GROUPS, KEY), (NOTIFICATIONS, "1/1:1:"), (HOME, "1/9:1:"), (HOME, "1/x:1:"), (HOME, "1/1:1:" + "1," * 400), (HOME, ""),
     (NOTIFICATIONS, KEY + "/1/1:1:"), (NOTIFICATIONS, "x")],
)  # fmt: skip
def test_since_what_is_none(service, target, text):
    reply = service.ask_as("londo", "GET", f"{target}?since={encoded(text)}")
    assert (reply.status, reply.json) == (422, ["cursor_invalid"])


# --- messages ---


def sent(service, sender, message="psst", **document):
    reply = service.message_as(sender, message=message, **document)
    assert reply.status == 200, reply
    return reply.json


MESSAGE = "insert into messages (message_group_uuid, user_uuid, message) select %s, uuid, %s from users where handle = %s"


def test_messages_since(service):
    """Both users of the conversation write, in transactions that overlap."""
    group = sent(service, "londo", handle="bayko")["message_group_uuid"]

    def write(cursor, writer, number):
        cursor.execute(MESSAGE, [group, f"{writer} {number}", ("londo", "bayko")[writer % 2]])

    with overlapping(service.database, write) as are_at_work:
        since, found, goes_on = "", [], True
        while goes_on:
            goes_on = are_at_work()
            reply = ask(service, "londo", f"/api/messages/{group}?limit=200{since}")
            found += [row["uuid"] for row in reply.json]
            since = "&since=" + since_of(reply)
    assert found == [row["uuid"] for row in ask(service, "londo", "/api/messages/@bayko?limit=200").json]
    assert len(found) == 1 + WRITERS * ROUNDS


def test_a_message_of_a_transaction_that_was_long_open(service):
    """The message stays unread, although its transaction began before the message that the mark names."""
    group = sent(service, "bayko", handle="londo")["message_group_uuid"]
    with transaction(service.database) as cursor:
        cursor.execute("select pg_sleep(1.1)")
        shown = sent(service, "bayko", handle="londo")
        cursor.execute(MESSAGE, [group, "from long ago", "bayko"])
    document = {"until": cut_to_milliseconds(shown["created_at"])}
    assert service.ask_as("londo", "PUT", f"/api/message_groups/{group}/read", document).status == 200
    assert [row["unread"] for row in ask(service, "londo", GROUPS).json] == [1]


@pytest.fixture
def talks(service):
    """The handles of londo's conversations, the newest first."""
    add_users(service.database)
    for number in range(WRITERS):
        sent(service, "londo", handle=f"writer{number}")
    return [row["handle"] for row in ask(service, "londo", GROUPS).json]


def pages_of_groups(service, between, limit=2):
    """The handles of all pages; between(page number) runs before each page after the first."""
    target, handles = f"{GROUPS}?limit={limit}", []
    while target:
        reply = ask(service, "londo", target)
        handles += [row["handle"] for row in reply.json]
        target = reply.next_page
        if target:
            between(len(handles) // limit)
    return handles


@pytest.mark.parametrize("sender", ["londo", "writer"])
def test_a_conversation_that_moves_while_one_pages(service, talks, sender):
    """A conversation that moves to the top before its page is read is still on that page."""

    def between(page):
        for handle in (talks[-1], talks[0], talks[2 * page % len(talks)]):
            if sender == "londo":
                sent(service, "londo", "again", handle=handle)
            else:
                sent(service, handle, "again", handle="londo")

    assert pages_of_groups(service, between) == talks
    assert [row["handle"] for row in ask(service, "londo", GROUPS).json] != talks


def test_a_conversation_that_moves_by_a_transaction_that_was_under_way(service, talks):
    with contextlib.ExitStack() as stack:
        cursor = stack.enter_context(transaction(service.database))
        group = service.database.sql(
            """select g.uuid from message_groups g join users u on u.uuid in (g.first_user_uuid, g.second_user_uuid) where u.handle = %s""",
            talks[-1],
        )[0][0]
        cursor.execute(MESSAGE, [group, "under way", talks[-1]])
        sent(service, "londo", "newest", handle=talks[0])
        assert pages_of_groups(service, lambda page: stack.close()) == talks


def test_a_conversation_that_begins_while_one_pages(service, talks):
    service.database.sql(
        "insert into users (display_name, handle, email, cognito_user_id) values ('New', 'newone', 'n@example.com', 'mock-newone')"
    )
    assert pages_of_groups(service, lambda page: sent(service, "newone", handle="londo")) == talks
    assert ask(service, "londo", GROUPS).json[0]["handle"] == "newone"


def test_conversations_since(service, talks):
    with transaction(service.database) as cursor:
        (group,) = [row["uuid"] for row in ask(service, "londo", GROUPS).json if row["handle"] == talks[-1]]
        cursor.execute(MESSAGE, [group, "under way", talks[-1]])
        sent(service, "londo", "newest", handle=talks[0])
        first = ask(service, "londo", GROUPS)
        assert ask(service, "londo", f"{GROUPS}?since={since_of(first)}").json == []
    sent(service, "londo", "again", handle=talks[2])
    later = ask(service, "londo", f"{GROUPS}?since={since_of(first)}")
    assert {(row["handle"], row["message"]) for row in later.json} == {(talks[-1], "under way"), (talks[2], "again")}
    assert ask(service, "londo", f"{GROUPS}?since={since_of(later)}").json == []
    rows, sizes = listed(service, "londo", f"{GROUPS}?limit=1&since={since_of(first)}")
    assert sorted(row["handle"] for row in rows) == sorted([talks[-1], talks[2]]) and max(sizes) == 1
