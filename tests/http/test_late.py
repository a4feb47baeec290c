"""An attempt that was given up and runs later has no effect once a later request was acknowledged."""

import contextlib
import os

import pytest

from client import Asking
from cluster import frozen
from issuer import TokenService
from social import check_counts, check_told, followed, mark
from waiting import eventually

ROUNDS = int(os.environ.get("CRUDDUR_LATE_ROUNDS", "2"))
IMPATIENT = {"statement_timeout": 700, "deadline": 1000}
TABLES = (
    "activities", "likes", "reposts", "follows", "notifications", "notification_reads", "messages", "conversation_reads", "users", "blocks",
    "mutes", "reports", "departures",
)  # fmt: skip


@pytest.fixture(scope="module")
def service(cluster):
    """A service with short time limits."""
    with TokenService(cluster, workers=1, **IMPATIENT) as service:
        yield service


@pytest.fixture(scope="module")
def other(cluster, service):
    """The service of another host, with longer time limits."""
    with beside(cluster, service) as other:
        yield other


@contextlib.contextmanager
def beside(cluster, service):
    """Another service with one worker, for the same database and tokens."""
    with TokenService(cluster, database=service.database, workers=1, jwks_file=service.keys_file) as other:
        other.key = service.key
        before = set(service.database.backends("writing"))
        other.create_as("altbrown")
        other.backends = set(service.database.backends("writing")) - before
        yield other


def state(service):
    """All rows of TABLES, without the column search and without the versions of rows."""
    return {table: service.database.sql(f"select to_jsonb(t) - 'search' from {table} t order by 1") for table in TABLES}


def ask(service, method, target, document=None, handle="londo", key=None):
    return service.ask_as(handle, method, target, document, {"Idempotency-Key": key} if key else None)


def given_up(service, ask_late, but=()):
    """Sends a request while the backends that write are stopped, the worker's among them; it must end with 504. Returns what resumes the
    backends when it is closed, and the backends."""
    stack = contextlib.ExitStack()
    backends = [pid for pid in service.database.backends("writing") if pid not in but]
    for backend in backends:
        stack.enter_context(frozen(backend))
    try:
        reply = ask_late()
        assert (reply.status, reply.codes) == (504, ["database_timeout"])
    except BaseException:
        stack.close()
        raise
    return stack, backends


def wait_for_end(service, backends):
    """Waits until each backend is gone or has run all that was sent to it."""

    def is_over():
        rows = service.database.sql(
            "select state, wait_event from pg_stat_activity where pid = any(%s) and application_name like 'cruddurd worker%%'", backends
        )
        return all(row == ("idle", "ClientRead") for row in rows)

    eventually(is_over, what="the end of the old sessions")


def acknowledged(ask_later):
    return eventually(lambda: (reply := ask_later()).status == 200 and reply, what="an acknowledgement")


class Case:
    """Two requests for each kind of write: late is sent and given up, later is acknowledged after it. The requests that prepare them are
    repeated, because the service's time limits are short."""

    def __init__(self, service, number):
        self.number = number
        post = {"message": f"post {number}", "ttl": "1-day"}
        self.post = acknowledged(lambda: ask(service, "POST", "/api/activities", post)).json["uuid"]
        self.key = f"late-{number}"

    def like(self, service):
        return self.mark(service, "like", "PUT", "DELETE")

    def unlike(self, service):
        acknowledged(lambda: mark(service, "bayko", "like", self.post))
        return self.mark(service, "like", "DELETE", "PUT")

    def repost(self, service):
        return self.mark(service, "repost", "PUT", "DELETE")

    def unrepost(self, service):
        acknowledged(lambda: mark(service, "bayko", "repost", self.post))
        return self.mark(service, "repost", "DELETE", "PUT")

    def mark(self, service, what, late, later):
        target = f"/api/activities/{self.post}/{what}"
        return lambda: ask(service, late, target, handle="bayko"), lambda where: ask(where, later, target, handle="bayko")

    def follow(self, service):
        return self.turn(service, "PUT", "DELETE")

    def unfollow(self, service):
        return self.turn(service, "DELETE", "PUT")

    def block(self, service):
        return self.turn(service, "PUT", "DELETE", "/api/users/@andrewbrown/block")

    def unblock(self, service):
        return self.turn(service, "DELETE", "PUT", "/api/users/@andrewbrown/block")

    def mute(self, service):
        return self.turn(service, "PUT", "DELETE", "/api/users/@andrewbrown/mute")

    def unmute(self, service):
        return self.turn(service, "DELETE", "PUT", "/api/users/@andrewbrown/mute")

    def turn(self, service, late, later, target="/api/users/@altbrown/follow"):
        acknowledged(lambda: ask(service, later, target, handle="bayko"))
        return lambda: ask(service, late, target, handle="bayko"), lambda where: ask(where, later, target, handle="bayko")

    def profile(self, service):
        update = lambda where, name: ask(where, "PUT", "/api/profile/update", {"display_name": name, "bio": name})  # noqa: E731
        return lambda: update(service, f"late {self.number}"), lambda where: update(where, f"later {self.number}")

    def keep(self, service):
        keep = lambda where, ttl: ask(where, "PUT", f"/api/activities/{self.post}/keep", {"ttl": ttl})  # noqa: E731
        return lambda: keep(service, "30-days"), lambda where: keep(where, "3-days")

    def delete(self, service):
        target = f"/api/activities/{self.post}"
        return lambda: ask(service, "DELETE", target), lambda where: ask(where, "PUT", f"{target}/like", handle="bayko")

    def reply(self, service):
        target = f"/api/activities/{self.post}"
        late = lambda: ask(service, "POST", f"{target}/reply", {"message": "late"}, "bayko", self.key)  # noqa: E731
        return late, lambda where: ask(where, "DELETE", target)

    def create(self, service):
        create = lambda where: ask(where, "POST", "/api/activities", {"message": "late", "ttl": "1-day"}, key=self.key)  # noqa: E731
        return lambda: create(service), lambda where: ask(where, "DELETE", f"/api/activities/{acknowledged(lambda: create(where)).json['uuid']}")

    def read(self, service):
        late = lambda: ask(service, "PUT", "/api/activities/notifications/read", {})  # noqa: E731
        return late, lambda where: ask(where, "PUT", f"/api/activities/{self.post}/like", handle="bayko")

    def message(self, service):
        send = lambda where, text: ask(where, "POST", "/api/messages", {"message": text, "handle": "bayko"}, key=f"{self.key}{text}")  # noqa: E731
        return lambda: send(service, "late"), lambda where: send(where, "later")

    def answer(self, service):
        """A message into an existing conversation."""
        group = acknowledged(lambda: service.message_as("londo", handle="bayko")).json["message_group_uuid"]
        send = lambda where, text: ask(  # noqa: E731
            where, "POST", "/api/messages", {"message": text, "message_group_uuid": group}, key=f"{self.key}{text}"
        )
        return lambda: send(service, "late"), lambda where: send(where, "later")

    def message_delete(self, service):
        sent = acknowledged(lambda: service.message_as("londo", handle="bayko")).json
        target = f"/api/messages/{sent['message_group_uuid']}/{sent['uuid']}"
        send = lambda where: where.message_as("londo", handle="bayko")  # noqa: E731
        return lambda: ask(service, "DELETE", target), send

    def conversation_read(self, service):
        group = acknowledged(lambda: service.message_as("bayko", handle="londo")).json["message_group_uuid"]
        send = lambda where: where.message_as("bayko", handle="londo")  # noqa: E731
        return lambda: ask(service, "PUT", f"/api/message_groups/{group}/read", {}), send

    def report(self, service):
        target = f"/api/activities/{self.post}"
        late = lambda: ask(service, "POST", f"{target}/report", {"reason": "late"}, "bayko")  # noqa: E731
        return late, lambda where: ask(where, "PUT", f"{target}/like", handle="bayko")

    def leave(self, service):
        handle = f"leaver{self.number}"
        service.database.sql(
            "insert into users (display_name, handle, email, cognito_user_id) values (%s, %s, %s, %s)",
            handle, handle, f"{handle}@example.com", f"mock-{handle}",
        )  # fmt: skip
        late = lambda: ask(service, "DELETE", "/api/profile", {"handle": handle}, handle)  # noqa: E731
        return late, lambda where: ask(where, "PUT", f"/api/activities/{self.post}/like", handle=handle)


KINDS = [name for name in vars(Case) if not name.startswith("_") and name not in ("mark", "turn")]
# The old session is ended in the same way for all kinds, so these kinds are tested in the harder case only.
BY_ANOTHER_ONLY = {"block", "unblock", "mute", "unmute", "message_delete", "conversation_read", "report", "leave"}
numbers = iter(range(1, 10**6))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in BY_ANOTHER_ONLY])
def test_by_the_same_service(service, kind):
    for _ in range(ROUNDS):
        late, later = getattr(Case(service, next(numbers)), kind)(service)
        stopped, backends = given_up(service, late)
        with stopped:
            acknowledged(lambda: later(service))
            before = state(service)
        wait_for_end(service, backends)
        assert state(service) == before


@pytest.mark.parametrize("kind", KINDS)
def test_by_another_service(service, other, kind):
    """Nothing ends the old session: it runs what it was sent when it goes on."""
    for _ in range(ROUNDS):
        late, later = getattr(Case(service, next(numbers)), kind)(service)
        stopped, backends = given_up(service, late, other.backends)
        with stopped:
            acknowledged(lambda: later(other))
            before = state(service)
        wait_for_end(service, backends)
        assert state(service) == before


@pytest.mark.parametrize("kind", ["create", "reply"])
def test_nothing_comes_after_it(service, kind):
    """No later request contradicts a new row, so the attempt must have no effect by itself."""
    late, _ = getattr(Case(service, next(numbers)), kind)(service)
    before = state(service)
    stopped, backends = given_up(service, late)
    stopped.close()
    wait_for_end(service, backends)
    assert state(service) == before


@pytest.mark.parametrize("what", ["like", "repost", "follow"])
def test_what_waits_for_another_sees_what_that_wrote(cluster, service, other, what):
    """Two requests run at once: the first holds the lock, and the second undoes what the first has written."""
    post = other.create_as("londo", "held")["uuid"]
    target = f"/api/activities/{post}/{what}" if what != "follow" else "/api/users/@altbrown/follow"
    if what == "follow":
        followed(other, "bayko", "altbrown", "DELETE")
    service.database.sql(
        f"""create function wait_here() returns trigger language plpgsql as $$
            begin perform pg_advisory_xact_lock(4711); return new; end $$;
            create trigger wait_here before insert on {what}s for each row execute function wait_here()"""
    )
    try:
        with beside(cluster, service) as third:
            with service.database.held("select pg_advisory_xact_lock(4711)"):
                first = Asking(lambda: ask(other, "PUT", target, handle="bayko"))
                service.database.wait_for_waiting(1, on="advisory")
                second = Asking(lambda: ask(third, "DELETE", target, handle="bayko"))
                service.database.wait_for_waiting(2)
            assert (first.reply().status, second.reply().status) == (200, 200)
    finally:
        service.database.sql(f"drop trigger wait_here on {what}s; drop function wait_here()")
    mine = f"user_uuid = u.uuid and activity_uuid = '{post}'" if what != "follow" else "follower_uuid = u.uuid"
    assert service.database.sql(f"select 1 from {what}s join users u on {mine} where u.handle = 'bayko'") == []
    check_counts(service.database)
    check_told(service.database)


@pytest.mark.parametrize("what", ["reply", "like", "repost", "message", "first_message"])
def test_a_block_that_comes_during_the_wait_for_a_lock(service, other, what):
    """The block is acknowledged while the request waits for the lock of the post or conversation."""
    post = other.create_as("londo", "to be blocked")["uuid"]
    group = other.message_as("londo", handle="bayko").json["message_group_uuid"]
    table, uuid = ("message_groups", group) if "message" in what else ("activities", post)
    method, target, document = {
        "reply": ("POST", f"/api/activities/{post}/reply", {"message": "blocked meanwhile"}),
        "like": ("PUT", f"/api/activities/{post}/like", None),
        "repost": ("PUT", f"/api/activities/{post}/repost", None),
        "message": ("POST", "/api/messages", {"message": "blocked meanwhile", "message_group_uuid": group}),
        "first_message": ("POST", "/api/messages", {"message": "blocked meanwhile", "handle": "londo"}),
    }[what]
    before = state(service)
    try:
        with service.database.held(f"select from {table} where uuid = '{uuid}' for no key update"):
            asking = Asking(lambda: ask(other, method, target, document, "bayko"))
            service.database.wait_for_waiting()
            service.database.run("insert into blocks (user_uuid, blocked_uuid) select a.uuid, b.uuid from users a, users b where a.handle = 'londo' and b.handle = 'bayko'")
        reply = asking.reply()
        assert (reply.status, reply.json) == (404, ["receiver_not_found" if what == "first_message" else "not_found"])
        assert {name: rows for name, rows in state(service).items() if name != "blocks"} == {name: rows for name, rows in before.items() if name != "blocks"}
    finally:
        service.database.run("delete from blocks")


@pytest.mark.parametrize("what", ["profile", "follow", "mute", "block"])
def test_a_departure_that_comes_during_the_wait_for_a_lock(service, other, what):
    handle = f"departs{next(numbers)}"
    service.database.sql(
        "insert into users (display_name, handle, email, cognito_user_id) values (%s, %s, %s, %s)",
        handle, handle, f"{handle}@example.com", f"mock-{handle}",
    )  # fmt: skip
    method, target, document = {
        "profile": ("PUT", "/api/profile/update", {"display_name": "My real name", "bio": "My address"}),
        "follow": ("PUT", "/api/users/@altbrown/follow", None),
        "mute": ("PUT", "/api/users/@altbrown/mute", None),
        "block": ("PUT", "/api/users/@altbrown/block", None),
    }[what]
    with service.database.held(f"select depart(uuid) from users where handle = '{handle}'") as cursor:
        asking = Asking(lambda: ask(other, method, target, document, handle))
        service.database.wait_for_waiting()
        cursor.connection.commit()
    reply = asking.reply()
    assert (reply.status, reply.json) == (403, ["user_not_registered"])
    (row,) = service.database.sql(
        """select display_name, bio, exists (select from follows where follower_uuid = u.uuid) or exists (select from mutes m where m.user_uuid = u.uuid)
           or exists (select from blocks b where b.user_uuid = u.uuid)
           from users u join departures d on d.user_uuid = u.uuid where d.folded_handle = %s""",
        handle,
    )
    assert row == ("Deleted user", "", False)


@pytest.mark.parametrize("is_reply", [False, True])
def test_a_suspension_that_comes_during_the_wait_of_a_delete(service, other, is_reply):
    """The reply is subtracted once, and does not come back when the suspension is taken back."""
    parent = other.create_as("londo", "parent")["uuid"]
    post = other.reply_as("bayko", parent, "a reply").json["uuid"] if is_reply else other.create_as("bayko", "a post")["uuid"]
    other.reply_as("londo", parent, "another")
    user = "(select uuid from users where handle = 'bayko')"
    try:
        with service.database.held(f"update users set suspended_at = now() where uuid = {user}; select hide_activities({user}, 500)") as cursor:
            asking = Asking(lambda: ask(other, "DELETE", f"/api/activities/{post}", handle="bayko"))
            service.database.wait_for_waiting()
            cursor.connection.commit()
        assert asking.reply().status == 200
        assert service.database.sql("select uuid from activities where deleted_at is not null and hidden_expires_at is not null") == []
        assert service.database.sql("select replies_count from activities where uuid = %s", parent) == [(1,)]
    finally:
        service.database.run(f"""update users set suspended_at = null where uuid = {user};
            select show_activities(array(select uuid from activities where user_uuid = {user} and hidden_expires_at is not null))""")
    assert service.get(f"/api/activities/{post}").status == 404
    check_counts(service.database)


@pytest.mark.parametrize("is_deleted", [False, True])
@pytest.mark.parametrize("what", ["reply", "like", "repost", "message"])
def test_a_suspension_that_comes_during_the_wait_for_a_lock(service, other, what, is_deleted):
    """So is the end of the user's row."""
    handle = f"suspended{next(numbers)}"
    service.database.sql(
        "insert into users (display_name, handle, email, cognito_user_id) values (%s, %s, %s, %s)",
        handle, handle, f"{handle}@example.com", f"mock-{handle}",
    )  # fmt: skip
    post = other.create_as("londo", "waited for")["uuid"]
    group = other.message_as("londo", handle=handle).json["message_group_uuid"]
    method, target, document = {
        "reply": ("POST", f"/api/activities/{post}/reply", {"message": "suspended meanwhile"}),
        "like": ("PUT", f"/api/activities/{post}/like", None),
        "repost": ("PUT", f"/api/activities/{post}/repost", None),
        "message": ("POST", "/api/messages", {"message": "suspended meanwhile", "message_group_uuid": group}),
    }[what]
    table, uuid = ("message_groups", group) if what == "message" else ("activities", post)
    with service.database.held(f"select from {table} where uuid = '{uuid}' for no key update") as cursor:
        asking = Asking(lambda: ask(other, method, target, document, handle))
        service.database.wait_for_waiting()
        if is_deleted:
            cursor.execute(f"delete from users where handle = '{handle}'")
        else:
            cursor.execute(f"update users set suspended_at = now() where handle = '{handle}'")
        cursor.connection.commit()
    reply = asking.reply()
    assert (reply.status, reply.json) == (403, ["user_not_registered" if is_deleted else "user_suspended"])
    assert service.database.sql("select likes_count, reposts_count, replies_count from activities where uuid = %s", post) == [(0, 0, 0)]
    assert service.database.sql("select 1 from messages where message = 'suspended meanwhile'") == []
