"""DELETE /api/profile: the caller's account ends at once, and the purge takes the rows away."""

import uuid

import pytest

from client import Asking
from issuer import TokenService
from social import check_counts, check_strangers, check_told, followed, marked
from waiting import eventually

TARGET = "/api/profile"
OTHERS = ["andrewbrown", "bayko", "altbrown"]
BATCH = 50
# The condition that finds a user's rows, by table.
NAMED = {
    "users": "uuid = %(user)s",
    "activities": "user_uuid = %(user)s",
    "likes": "user_uuid = %(user)s",
    "reposts": "user_uuid = %(user)s",
    "follows": "%(user)s in (follower_uuid, followed_uuid)",
    "blocks": "%(user)s in (user_uuid, blocked_uuid)",
    "mutes": "%(user)s in (user_uuid, muted_uuid)",
    "notifications": "%(user)s in (user_uuid, actor_uuid)",
    "withdrawn_notifications": "%(user)s in (user_uuid, actor_uuid)",
    "notification_reads": "user_uuid = %(user)s",
    "reports": "%(user)s in (reporter_uuid, author_uuid)",
    "message_groups": "%(user)s in (first_user_uuid, second_user_uuid)",
    "messages": "user_uuid = %(user)s",
    "conversation_reads": "user_uuid = %(user)s",
    "confirmations": "user_uuid = %(user)s",
}


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        yield service


@pytest.fixture
def service(tokens):
    """With a user "leaver", whose token has the subject "mock-leaver", and without the rows of earlier tests."""
    tokens.database.sql("truncate activities, follows, blocks, mutes, reports, message_groups, notification_reads, departures cascade")
    tokens.database.sql("delete from users where handle not in ('londo', 'andrewbrown', 'bayko', 'altbrown')")
    enrol(tokens)
    return tokens


def enrol(service, handle="leaver"):
    """Adds a user as the hook does."""
    service.database.sql(
        "insert into users (handle, display_name, email, cognito_user_id) values (%s, 'Leaver', %s, %s)",
        handle, f"{handle}@example.com", f"mock-{handle}",
    )  # fmt: skip


def uuid_of(service, handle="leaver"):
    return service.database.sql("select uuid::text from users where handle = %s", handle)[0][0]


def leave(service, user="leaver", **document):
    return service.ask_as(user, "DELETE", TARGET, document or {"handle": user})


def left(service, user="leaver"):
    reply = leave(service, user)
    assert reply.status == 200, reply
    return reply.json["uuid"]


def purge(service, batch=BATCH):
    """Purges all that is due now or within a minute. Returns the result of each step."""
    steps = []
    while not steps or steps[-1]:
        service.database.sql("update departures set due_at = now() where due_at < now() + interval '1 minute'")
        steps.append(service.database.sql("select purge_step(%s)", batch)[0][0])
    return steps


def traces(service, user):
    """The tables that still name the user."""
    count = "select count(*) from {} where {}"
    return [table for table, where in NAMED.items() if service.database.sql(count.format(table, where.replace("%(user)s", f"'{user}'::uuid"))) != [(0,)]]


def fill(service):
    """Gives the leaver some of everything. Returns the posts of andrewbrown and of the leaver, and bayko's reply to the leaver's."""
    elsewhere = service.create_as("andrewbrown", "hello @leaver")["uuid"]
    own = service.create_as("leaver", "hello @bayko")["uuid"]
    reply = service.reply_as("bayko", own, "to the leaver").json["uuid"]
    service.reply_as("leaver", elsewhere, "from the leaver")
    for what in ("like", "repost"):
        marked(service, "leaver", what, elsewhere)
        marked(service, "bayko", what, own)
        marked(service, "londo", what, elsewhere)
    marked(service, "leaver", "like", reply)
    marked(service, "leaver", "like", reply, "DELETE")  # a notification that is withdrawn
    for one, other in (("leaver", "bayko"), ("bayko", "leaver"), ("londo", "bayko")):
        followed(service, one, other)
    for one, other, what in (("leaver", "altbrown", "block"), ("leaver", "londo", "mute"), ("londo", "leaver", "mute")):
        assert service.ask_as(one, "PUT", f"/api/users/@{other}/{what}").status == 200
    for one, post in (("leaver", elsewhere), ("londo", own)):
        assert service.ask_as(one, "POST", f"/api/activities/{post}/report", {"reason": "spam"}).status == 200
    group = service.message_as("leaver", message="bye", handle="bayko").json["message_group_uuid"]
    assert service.ask_as("bayko", "PUT", f"/api/message_groups/{group}/read", {}).status == 200
    assert service.message_as("bayko", message="stay", message_group_uuid=group).status == 200
    assert service.ask_as("leaver", "PUT", f"/api/message_groups/{group}/read", {}).status == 200
    service.ask_as("leaver", "PUT", "/api/activities/notifications/read", {})
    service.database.sql("insert into confirmations select uuid, now(), '{}' from users where handle = 'leaver'")
    return elsewhere, own, reply


def test_all_of_a_user_goes(service):
    elsewhere, own, reply = fill(service)
    user = uuid_of(service)
    assert set(traces(service, user)) == set(NAMED)
    assert left(service) == user
    purge(service)
    assert traces(service, user) == []
    assert service.database.sql("select count(*) from activities where uuid in (%s, %s)", own, reply) == [(0,)]
    assert service.get(f"/api/activities/{elsewhere}").json["activity"]["replies_count"] == 0
    assert service.database.sql("select likes_count, reposts_count from activities") == [(1, 1)]
    check_counts(service.database)
    check_told(service.database)
    assert {name for (name,) in service.database.sql("select handle from users")} == {"londo", *OTHERS}


def test_the_account_ends_at_once(service):
    """Before any purge: no token, handle or address is the user's any more, and no page names the user."""
    elsewhere, own, _ = fill(service)
    user = left(service)
    for method, target, document in (
        ("GET", "/api/activities/notifications", None),
        ("GET", "/api/activities/following", None),
        ("GET", "/api/message_groups", None),
        ("POST", "/api/activities", {"message": "still here", "ttl": "1-day"}),
        ("PUT", f"/api/activities/{elsewhere}/like", None),
        ("PUT", "/api/profile/update", {"display_name": "Still"}),
        ("PUT", "/api/users/@bayko/follow", None),
        ("DELETE", f"/api/activities/{own}", None),
    ):
        reply = service.ask_as("leaver", method, target, document)
        assert (reply.status, reply.json) == (403, ["user_not_registered"]), target
    assert service.ask_as("leaver", "GET", "/api/activities/home").status == 200  # as to a stranger
    for target in ("/api/activities/@leaver", "/api/users/@leaver/short", "/api/users/@leaver/followers"):
        assert service.get(target).status == 404
    ((row,),) = service.database.sql("select u::text from users u where uuid = %s", user)
    assert "leaver" not in row.lower().replace("deleted user", "")
    messages = service.ask_as("bayko", "GET", f"/api/messages/{service.ask_as('bayko', 'GET', '/api/message_groups').json[0]['uuid']}").json
    assert [(message["message"], message["display_name"]) for message in messages] == [("bye", "Deleted user"), ("stay", "Andrew Bayko")]
    assert user not in [shown["uuid"] for shown in service.ask_as("londo", "GET", "/api/users/suggested").json]


def test_the_conversation_stays_for_the_other_user(service):
    fill(service)
    left(service)
    purge(service)
    (row,) = service.ask_as("bayko", "GET", "/api/message_groups").json
    assert (row["handle"], row["display_name"], row["unread"]) == (None, "Deleted user", 0)
    shown = service.ask_as("bayko", "GET", f"/api/messages/{row['uuid']}").json
    assert [(message["message"], message["handle"]) for message in shown] == [("bye", None), ("stay", "bayko")]
    reply = service.message_as("bayko", message="anybody?", message_group_uuid=row["uuid"])
    assert (reply.status, reply.json) == (404, ["receiver_not_found"])


@pytest.mark.parametrize("blocker, blocked", [("leaver", "second"), ("second", "leaver")])
def test_a_conversation_that_a_block_hides_does_not_come_back(service, blocker, blocked):
    enrol(service, "second")
    group = service.message_as("leaver", message="insult", handle="second").json["message_group_uuid"]
    service.database.sql(
        "insert into messages (message_group_uuid, user_uuid, message) select %s, uuid, 'many' from users, generate_series(1, 120) where handle = 'leaver'",
        group,
    )
    kept = service.message_as("leaver", message="hello", handle="bayko").json["message_group_uuid"]
    assert service.ask_as(blocker, "PUT", f"/api/users/@{blocked}/block").status == 200
    left(service)
    purge(service)
    assert service.ask_as("second", "GET", "/api/message_groups").json == []
    assert service.ask_as("second", "GET", f"/api/messages/{group}").status == 404
    assert service.database.sql("select distinct message_group_uuid::text from messages") == [(kept,)]
    assert service.database.sql("select count(*) from blocks") == [(0,)]


def test_a_conversation_that_both_have_left(service):
    enrol(service, "second")
    group = service.message_as("leaver", message="bye", handle="second").json["message_group_uuid"]
    service.database.sql(
        "insert into messages (message_group_uuid, user_uuid, message) select %s, uuid, 'many' from users, generate_series(1, 120) where handle = 'second'",
        group,
    )
    left(service)
    purge(service)
    assert service.database.sql("select count(*) from messages") == [(121,)]
    left(service, "second")
    purge(service)
    assert service.database.sql("select (select count(*) from messages), (select count(*) from message_groups)") == [(0, 0)]


@pytest.mark.parametrize("document", [{}, {"handle": None}, {"handle": ""}, {"handle": 7}, {"handle": ["leaver"]}, {"display_name": "leaver"}])
def test_the_handle_is_to_be_repeated(service, document):
    reply = service.ask_as("leaver", "DELETE", TARGET, document)
    assert (reply.status, reply.json) == (422, ["user_handle_blank"])
    assert uuid_of(service)


@pytest.mark.parametrize("handle", ["bayko", "nobody", "leaver2", "leave", "@leaver", "x'; drop table users; --"])
@pytest.mark.parametrize("field", ["handle", "user_handle"])
def test_another_handle(service, handle, field):
    reply = leave(service, **{field: handle})
    assert (reply.status, reply.json) == (422, ["user_handle_mismatch"])
    assert uuid_of(service) and uuid_of(service, "bayko")


@pytest.mark.parametrize("field", ["handle", "user_handle"])
def test_handles_have_no_case(service, field):
    assert leave(service, **{field: "LEAVER"}).status == 200


@pytest.mark.parametrize("body, code", [(b"{", "body_not_json"), (b"[]", "body_not_json"), (b"\xff", "body_not_utf8")])
def test_bodies_that_are_none(service, body, code):
    headers = {"Authorization": f"Bearer {service.token('leaver')}"}
    reply = service.ask("DELETE", TARGET, body, headers)
    assert (reply.status, reply.json) == (400, [code])
    assert service.ask("DELETE", TARGET, None, headers).json == ["content_type_unsupported"]
    assert uuid_of(service)


def test_strangers(service):
    check_strangers(service, "DELETE", TARGET, {"handle": "leaver"})
    assert uuid_of(service)


def test_the_same_again(service):
    """The same request gets the same answer until an hour after the user's rows are gone. With another handle it is refused."""
    user = left(service)
    assert left(service) == user
    purge(service)
    assert left(service) == user
    assert leave(service, handle="bayko").json == ["user_not_registered"]
    service.database.sql("update departures set due_at = now() - interval '1 second'")
    purge(service)
    assert leave(service).json == ["user_not_registered"]
    assert service.database.sql("select from departures") == []


def test_two_at_once(service):
    """The second request waits for the first, and finds nothing to do."""
    user = uuid_of(service)
    with service.database.held(f"select from users where uuid = '{user}' for update") as cursor:
        asked = [Asking(leave, service) for _ in range(2)]
        service.database.wait_for_waiting(2)
        cursor.connection.commit()
        replies = [each.reply() for each in asked]
    assert [reply.status for reply in replies] == [200, 200]
    assert {reply.json["uuid"] for reply in replies} == {user}
    assert service.database.sql("select count(*) from departures") == [(1,)]


def test_handle_address_and_subject_are_free(service):
    first = left(service)
    enrol(service)
    service.create_as("leaver", "back again")
    assert service.home().json[0]["handle"] == "leaver"
    purge(service)
    assert traces(service, first) == []
    assert [row["message"] for row in service.home().json] == ["back again"]
    assert left(service) not in (first, None)
    purge(service)
    assert service.home().json == []


def test_a_suspended_user_may_leave(service):
    post = service.create_as("andrewbrown", "stays")["uuid"]
    service.create_as("leaver", "hidden")
    service.reply_as("leaver", post, "hidden, too")
    user = uuid_of(service)
    service.database.sql("update users set suspended_at = now() where uuid = %s", user)
    service.database.sql("select hide_activities(%s, 100)", user)
    assert left(service) == user
    purge(service)
    assert traces(service, user) == []
    check_counts(service.database)


def test_a_post_that_is_on_its_way(service):
    """A row that is written after the account's end, by a request that began before it, is purged like the rest."""
    user = left(service)
    service.database.sql("insert into activities (uuid, user_uuid, message) values (%s, %s, 'late')", str(uuid.uuid4()), user)
    purge(service)
    assert traces(service, user) == []
    user = uuid_of(service, "bayko")
    assert traces(service, user) == ["users"]


def test_many_of_everything_go_in_small_steps(service):
    user = uuid_of(service)
    post = service.create_as("andrewbrown", "popular")["uuid"]
    service.database.sql(
        """insert into activities (user_uuid, message) select %(user)s, 'many ' || n from generate_series(1, 230) n;
           insert into activities (user_uuid, message, reply_to_activity_uuid) select %(user)s, 'more', %(post)s from generate_series(1, 120);
           insert into activities (user_uuid, message, reply_to_activity_uuid)
           select u.uuid, 'below', a.uuid from users u, activities a, generate_series(1, 70) where u.handle = 'bayko' and a.message = 'many 1';
           update activities set replies_count = 70 where message = 'many 1';
           update activities set replies_count = 120 where uuid = %(post)s;
           insert into likes select %(user)s, uuid from activities where message <> 'popular';
           update activities set likes_count = 1 where message <> 'popular';
           insert into users (handle, display_name, email, cognito_user_id)
           select 'fan' || n, 'Fan', n || '@fan.example', 'fan-' || n from generate_series(1, 130) n;
           insert into follows select uuid, %(user)s from users where handle like 'fan%%'"""
        % {"user": f"'{user}'::uuid", "post": f"'{post}'::uuid"}
    )
    left(service)
    steps = purge(service)
    # A step takes a batch from each of some tables, and two from a table that names users in two columns.
    assert max(steps) <= 6 * BATCH
    assert len(steps) > 10
    assert traces(service, user) == []
    assert service.database.sql("select message, replies_count, likes_count from activities") == [("popular", 0, 0)]


def test_what_is_visible_goes_first(service):
    """The first step takes the user's posts, whatever other rows there are."""
    fill(service)
    left(service)
    service.database.sql("select purge_step(%s)", BATCH)
    assert [row["message"] for row in service.home().json] == ["hello @leaver"]


def test_a_post_that_was_deleted_before(service):
    """The post's row stays for its day, without a name, and so does the user's row."""
    post = service.create_as("leaver")["uuid"]
    assert service.ask_as("leaver", "DELETE", f"/api/activities/{post}").status == 200
    user = left(service)
    service.database.sql("select purge_step(%s)", BATCH)
    assert traces(service, user) == ["users", "activities"]
    assert service.database.sql("select due_at = (select deleted_at + interval '1 day' from activities) from departures") == [(True,)]
    service.database.sql("update activities set deleted_at = now() - interval '2 days'")
    service.database.sql("update departures set due_at = now()")
    purge(service)
    assert traces(service, user) == []


def test_a_post_that_waits_for_the_purge(service):
    """The next step for a user whose post waits for the purge is due within seconds."""
    service.create_as("leaver")
    left(service)
    while service.database.sql("select purge_departures(%s)", BATCH) != [(0,)]:
        pass
    assert service.database.sql("select due_at between now() and now() + interval '11 seconds' from departures") == [(True,)]


def test_the_handle_that_stands_for_the_user_is_no_other_user_s(service):
    """The new handle is random, so that no other user can have taken it before."""
    user = left(service)
    ((handle, subject, email),) = service.database.sql("select handle, cognito_user_id, email from users where uuid = %s", user)
    assert user.replace("-", "") not in handle and user not in subject and user not in email
    assert email.endswith("@deleted.invalid")


def test_the_service_s_own_purge(cluster):
    """The service removes the user's rows within seconds, without a script."""
    with TokenService(cluster, purge_interval=1) as service:
        enrol(service)
        service.create_as("leaver")
        user = left(service)
        eventually(lambda: traces(service, user) == [] or None, what="the user's rows gone")


def test_handle_mode(start):
    """The body names the user. A body without a handle does not mean the default user."""
    service = start(default_handle="bayko")
    reply = service.ask("DELETE", TARGET, b"{}")
    assert (reply.status, reply.json) == (422, ["user_handle_blank"])
    reply = service.ask("DELETE", TARGET, b'{"handle":"nobody"}')
    assert (reply.status, reply.json) == (422, ["user_not_found"])
    assert service.ask("DELETE", TARGET, b'{"handle":"londo"}').status == 200
    assert service.ask("DELETE", TARGET, b'{"handle":"Londo"}').status == 200
    assert service.get("/api/users/@londo/short").status == 404
    assert service.get("/api/users/@bayko/short").status == 200


def test_methods(service):
    assert set(service.ask("OPTIONS", TARGET).headers["Allow"].split(", ")) == {"DELETE", "OPTIONS"}
    for method in ("GET", "PUT", "POST"):
        assert service.ask(method, TARGET).json == ["method_not_allowed"]


@pytest.mark.parametrize("kind", ["like", "repost"])
def test_the_top_of_a_thread_is_locked_first(service, kind):
    """Deletes, keeps and replies take the locks in the same order, so that no deadlock is possible."""
    top = "ffffffff-ffff-4fff-bfff-ffffffffffff"
    reply = "00000000-0000-4000-8000-000000000001"
    service.database.sql(
        """with by as (select uuid from users where handle = 'bayko')
           insert into activities (uuid, user_uuid, message, reply_to_activity_uuid, created_at)
           select %s::uuid, uuid, 'top', null, now() - interval '2 hours' from by
           union all select %s::uuid, uuid, 'reply', %s::uuid, now() - interval '1 hour' from by""",
        top, reply, top,
    )  # fmt: skip
    marked(service, "leaver", "like", reply)
    marked(service, "leaver", kind, top)
    with service.database.held(f"select from activities where uuid = '{top}' for no key update"):
        taking = Asking(service.database.sql, "select take_back_marks(%s, 10)", uuid_of(service))
        eventually(lambda: service.database.sql("select true from pg_locks where not granted"), what="a wait for the top")
        service.database.sql(f"select from activities where uuid = '{reply}' for no key update nowait")
    assert taking.reply() == [(2,)]


def test_the_lock_of_growth_comes_before_those_of_activities(service):
    """A step of the purge takes the locks in the same order, so that bin/user-delete and the purge cannot deadlock."""
    post = service.create_as("bayko", "liked")["uuid"]
    marked(service, "leaver", "like", post)
    with service.database.held("select pg_advisory_xact_lock(1668445540, 1)"):
        taking = Asking(service.database.sql, "select take_back_all(%s, 10)", uuid_of(service))
        eventually(lambda: service.database.sql("select true from pg_locks where not granted"), what="a wait for the lock")
        service.database.sql(f"select from activities where uuid = '{post}' for no key update nowait")
    assert taking.reply() == [(1,)]


def test_a_step_of_the_purge_waits_for_locks_before_it_keeps_any(service):
    """Departures wait for locks of posts. So they come before the part that keeps those of the parents of what it deletes."""
    post = service.create_as("andrewbrown", "liked")["uuid"]
    reply = service.reply_as("bayko", post).json["uuid"]
    below = service.reply_as("londo", reply).json["uuid"]
    marked(service, "leaver", "like", post)
    assert service.ask_as("londo", "DELETE", f"/api/activities/{below}").status == 200
    purge(service)
    service.database.sql("update activities set created_at = now() - interval '26 hours', deleted_at = now() - interval '25 hours' where uuid = %s", below)
    while service.database.sql("select close_growth()") != [(False,)]:
        pass
    left(service)
    with service.database.held(f"select from activities where uuid = '{post}' for no key update") as cursor:  # as hide_activities begins
        purging = Asking(service.database.sql, "select purge_step(200)")
        eventually(lambda: service.database.sql("select true from pg_locks where not granted"), what="a wait for the post")
        cursor.execute("select hide_activities(%s, 10)", (uuid_of(service, "bayko"),))
        cursor.connection.commit()
    assert purging.reply() == [(2,)]
    assert service.database.sql("select from activities where uuid = %s", below) == []
