"""doc/openapi.yaml against the service: each operation, status and code is provoked, each answer is as documented, and nothing is
undocumented. The cases come from the document: a code without a recipe here fails."""

import base64
import contextlib
import copy
import json
import re
import time
import urllib.parse
import uuid

import pytest

from client import PROBLEM, Asking, Client, request_bytes
from cluster import HOOK_PASSWORD, Database, frozen
from daemon import run_once
from fcgi import STDIN, record, request
from front import Front, lone_front
from issuer import TokenService, bearer
from openapi import Document
from places import TOP
from test_hook import SECRET, signed
from waiting import eventually

DOCUMENT = Document.shared()
OPERATIONS = DOCUMENT.operations
CALLER, OTHER = "andrewbrown", "bayko"
POOL = DOCUMENT.operation("confirmUser").body_example()["userPoolId"]
ORIGIN = DOCUMENT.operation("optionsHome").examples("header")["Origin"]


class WalkedService(TokenService):
    """A service in handle mode, where tokens count as well, so that all codes can be reached."""

    def __init__(self, cluster, with_hooks=True, **settings):
        super().__init__(cluster, **{"identity": "handle", "cognito_pool": POOL, "frontend_url": ORIGIN} | settings)
        if with_hooks:
            secret = self.keys_folder.path / "hook"
            secret.touch(0o600)
            secret.write_text(SECRET)
            self.settings["hook_secret_file"] = secret
            self.settings["hook_connection_url_file"] = self.keys_folder.path / "hook-url"

    def open(self):
        if "hook_secret_file" in self.settings:
            self.database = self.database or Database(self.cluster)
            self.settings["hook_connection_url_file"].touch(0o600)
            self.settings["hook_connection_url_file"].write_text(self.database.url("cruddur_hook", HOOK_PASSWORD))
        super().open()


def add_rows(database):
    """Adds the rows that the document's examples name, and enough rows for a second page of every list."""
    group = DOCUMENT.operation("listMessages").examples("path")["uuid"]
    activity = DOCUMENT.operation("showActivity").examples("path")["uuid"]
    database.sql(
        """insert into message_groups (uuid, first_user_uuid, second_user_uuid)
           select case b.handle when %s then %s::uuid else gen_random_uuid() end, least(a.uuid, b.uuid), greatest(a.uuid, b.uuid)
           from users a, users b where a.handle = %s and b.handle in (%s, 'londo')""",
        OTHER, group, CALLER, OTHER,
    )  # fmt: skip
    database.sql(
        """insert into messages (message_group_uuid, user_uuid, message)
           select g.uuid, g.first_user_uuid, 'message ' || n from message_groups g, generate_series(1, 2) n"""
    )
    database.sql(
        """insert into activities (user_uuid, message, reply_to_activity_uuid)
           select uuid, 'reply ' || n, %s from users, generate_series(1, 2) n where handle = %s""",
        activity, OTHER,
    )  # fmt: skip
    database.sql("update activities set replies_count = 2 where uuid = %s", activity)
    database.add_activities(2, handle=CALLER)
    database.sql(
        "insert into activities (uuid, user_uuid, message) select %s, uuid, 'reported' from users where handle = %s",
        DOCUMENT.operation("reportActivity").examples("path")["uuid"], OTHER,
    )  # fmt: skip
    database.sql(
        """insert into follows (follower_uuid, followed_uuid)
           select a.uuid, b.uuid
           from users a, users b
           where (a.handle = %s and b.handle = 'londo') or (a.handle in ('londo', 'altbrown') and b.handle = %s)""",
        CALLER, CALLER,
    )  # fmt: skip
    database.add_activities(2, handle="londo")
    for table in ("likes", "reposts"):
        database.sql(f"insert into {table} (user_uuid, activity_uuid) select uuid, %s from users where handle in ('londo', 'altbrown')", activity)
    database.sql("update activities set likes_count = 2, reposts_count = 2 where uuid = %s", activity)


@pytest.fixture(scope="module")
def service(cluster):
    with WalkedService(cluster) as service:
        add_rows(service.database)
        yield service


@pytest.fixture(scope="module")
def impatient(cluster):
    """A service that waits half a second for a whole request."""
    with WalkedService(cluster, request_timeout=500) as service:
        yield service


@pytest.fixture(scope="module")
def full(cluster):
    """A service with a limit of one post, one message and one report per hour. The caller has reached all limits."""
    with WalkedService(cluster, posts_per_hour=1, messages_per_hour=1, reports_per_hour=1) as service:
        add_rows(service.database)
        service.message_as(CALLER, handle=OTHER)
        service.database.sql(
            """insert into reports (activity_uuid, reporter_uuid, author_uuid, message, reason)
               select gen_random_uuid(), a.uuid, b.uuid, 'x', 'spam' from users a, users b where a.handle = %s and b.handle = 'londo'""",
            CALLER,
        )
        yield service


@pytest.fixture(scope="module")
def strange(cluster):
    """A service whose default handle no user has, and which has no secret for signatures."""
    with WalkedService(cluster, default_handle="nobody", with_hooks=False) as service:
        yield service


@pytest.fixture(scope="module")
def keyless(cluster):
    with WalkedService(cluster, jwks_file="/nonexistent") as service:
        yield service


@pytest.fixture(scope="module")
def lost(cluster):
    """A service whose URL leads to no database."""
    with WalkedService(cluster, feed_watch=0, statement_timeout=300, deadline=500) as service:
        service.write_url(service.database.url(hosts=[service.path]))
        service.settings["hook_connection_url_file"].write_text(service.database.url("cruddur_hook", HOOK_PASSWORD, hosts=[service.path]))
        service.daemon.reload()
        yield service


@pytest.fixture(scope="module")
def locked(cluster):
    """A service whose statements wait for a lock for ever."""
    with WalkedService(cluster, feed_watch=0, workers=1) as service:
        assert service.home().status == service.create().status == 200  # both sessions are there now, everything prepared
        with service.database.held("lock table users, activities, message_groups, messages"):
            yield service


@pytest.fixture(scope="module")
def freezing(cluster):
    with WalkedService(cluster, feed_watch=0, workers=1, statement_timeout=300, deadline=500) as service:
        yield service


@pytest.fixture(scope="module")
def rightless(cluster):
    with WalkedService(cluster, feed_watch=0) as service:
        service.database.sql("revoke all on users, activities, message_groups, messages from cruddur_app")
        service.database.sql("revoke all on function confirm_user from cruddur_confirmation")
        yield service


@pytest.fixture(scope="module")
def poolless():
    with lone_front(Front) as client:
        yield client


class LimitedFront(Front):
    """nginx with the request limit of the production site, but at a lower rate."""

    def configuration(self, port):
        site = (TOP / "nginx/site.conf").read_text()
        key = re.search(r"^map \$binary_remote_addr .*?^\}$.*?^map \$uri \$cruddur_limit_key \{.*?^\}$", site, re.M | re.S)[0]
        zone = re.search(r"^limit_req_zone .*$", site, re.M)[0].replace("rate=20r/s", "rate=1r/m")
        limit = re.search(r"^ *limit_req zone.*$", site, re.M)[0].replace("burst=100 nodelay", "")
        status = re.search(r"^ *limit_req_status.*$", site, re.M)[0]
        return (
            super()
            .configuration(port)
            .replace("    server {", f"{key}\n{zone}\n{limit}\n{status}\nserver {{", 1)
        )  # fmt: skip


@pytest.fixture(scope="module")
def limited():
    with lone_front(LimitedFront) as client:
        assert client.get("/api/livez").status == 503  # the one request that it allows
        yield client


class Call:
    """A good request of an operation, made from the document's examples. Recipes spoil it."""

    def __init__(self, operation, service, accept=None):
        self.operation = operation
        self.places = operation.examples("path")
        self.query = operation.examples("query", is_required=True)
        self.headers = {"Accept": accept}
        self.document = copy.deepcopy(operation.body_example())
        self.raw = None  # bytes to send instead of the document
        if operation.method == "OPTIONS":
            self.headers |= operation.examples("header") | {"X-Request-Id": None, "traceparent": None}
        if operation.wants_token:
            self.headers |= bearer(service.token(CALLER)) if isinstance(service, TokenService) else {}

    @property
    def target(self):
        places = {name: urllib.parse.quote(value, safe="") for name, value in self.places.items()}
        query = urllib.parse.urlencode(self.query)
        return self.operation.path.format(**places) + ("?" + query if query else "")

    @property
    def body(self):
        return self.raw if self.raw is not None or self.document is None else json.dumps(self.document).encode()

    def finished_headers(self):
        if self.operation.is_signed:
            return {"X-Cruddur-Signature": signed(self.body)} | self.headers
        return self.headers

    def bytes(self):
        return request_bytes(self.operation.method, self.target, self.body, self.finished_headers())

    def send(self, client):
        return client.ask(self.operation.method, self.target, self.body, self.finished_headers())

    def send_changed(self, client, old, new):
        """Sends the request with old replaced by new."""
        sent = self.bytes()
        assert old in sent
        return client.send_raw(sent.replace(old, new, 1), self.operation.method)

    def cgi_parameters(self):
        """The headers as nginx would pass them."""
        headers = {name: value for name, value in self.finished_headers().items() if value is not None}
        return {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}

    def spoil(self, **members):
        """Sets members of the body; None removes one."""
        self.document = {name: value for name, value in (self.document | members).items() if value is not None}
        return self

    def anonymous(self):
        self.headers["Authorization"] = None
        return self

    def attributes(self):
        return self.document["request"]["userAttributes"]


# --- recipes: how to get a code ---

RECIPES = {}


def recipe(code, on="service"):
    """The decorated function gets the call to spoil and what `on` names, a service or an nginx. It returns the answer."""

    def keep(function):
        RECIPES[code] = (on, function)
        return function

    return keep


def simple(code, on="service", **members):
    """A recipe that only sets members of the body."""
    RECIPES[code] = (on, lambda call, service: call.spoil(**members).send(service))


def simple_header(code, **headers):
    def send(call, service):
        call.headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        return call.send(service)

    RECIPES[code] = ("service", send)


def simple_query(code, **query):
    def send(call, service):
        call.query |= {name.rstrip("_"): value for name, value in query.items()}
        return call.send(service)

    RECIPES[code] = ("service", send)


def simple_body(code, raw):
    def send(call, service):
        call.raw = raw
        return call.send(service)

    RECIPES[code] = ("service", send)


@recipe("malformed_request")
def _(call, service):
    return call.send_changed(service, b"\r\n\r\n", b"\r\nHost: other\r\n\r\n")


@recipe("uri_too_long")
def _(call, service):
    call.query["pad"] = "x" * 4096
    return call.send(service)


simple_header("headers_too_large", Cookie="x" * 9000)
simple_header("not_implemented", Transfer_Encoding="gzip", Content_Length=None)


@recipe("http_version_unsupported")
def _(call, service):
    return call.send_changed(service, b" HTTP/1.1\r\n", b" HTTP/2.9\r\n")


@recipe("service_unavailable", on="poolless")
def _(call, front):
    return call.send(front)


@recipe("too_many_requests", on="limited")
def _(call, front):
    """nginx may allow one more request by now; it refuses the one after that."""
    reply = call.send(front)
    return reply if reply.status == 429 else call.send(front)


@recipe("request_timeout", on="late")
def _(call, late):
    return late[call.operation.id, call.headers["Accept"]].read_reply()


@pytest.fixture(scope="module")
def late(impatient):
    """A connection for each operation and form of an error, over which a request has arrived except for its end."""
    with contextlib.ExitStack() as stack:
        peers = {}
        for operation in OPERATIONS:
            for accept in (None, PROBLEM):
                call = Call(operation, impatient, accept)
                whole = request(call.operation.method, call.target, call.body or b"", **call.cgi_parameters())
                peer = peers[operation.id, accept] = stack.enter_context(impatient.peer())
                peer.send(whole[: -len(record(STDIN))])
        yield peers


@recipe("body_too_large")
def _(call, service):
    call.raw = b" " * 16385
    return call.send(service)


@recipe("body_truncated")
def _(call, service):
    """Sent past nginx, which never passes on less than the announced length."""
    values = {"CONTENT_LENGTH": str(len(call.body) + 1)} | call.cgi_parameters()
    with service.peer() as peer:
        return peer.ask(call.operation.method, call.target, call.body, **values)


simple_body("body_not_utf8", b'{"message":"\xff"}')
simple_body("body_not_json", b'{"message":"hello"')
simple_header("content_type_unsupported", Content_Type="text/plain")
simple_header("content_encoding_unsupported", Content_Encoding="gzip")


@recipe("generic_401")
def _(call, service):
    call.headers |= bearer("null")
    return call.send(service)


@recipe("user_not_registered")
def _(call, service):
    call.headers |= bearer(service.token("stranger"))
    return call.send(service)


simple("generic_403", user_handle=OTHER)
simple("user_handle_mismatch", user_handle=OTHER)


@recipe("not_yours")
def _(call, service):
    call.places["uuid"] = service.create_as(OTHER)["uuid"]
    if call.operation.id == "deleteMessage":
        call.places["uuid"] = sent(OTHER, CALLER, service)
    return call.send(service)


def sent(sender, receiver, service):
    """Sends a message in the conversation that the document names. Returns its UUID."""
    return service.message_as(sender, handle=receiver).json["uuid"]


@recipe("not_found")
def _(call, service):
    call.places = {name: "nobody" if name == "handle" else str(uuid.uuid4()) for name in call.places}
    if call.operation.id == "createMessage":
        call.spoil(message_group_uuid=str(uuid.uuid4()))
    return call.send(service)


@recipe("blocked_is_blocker")
@recipe("muted_is_muter")
@recipe("followed_is_follower")
def _(call, service):
    call.places["handle"] = CALLER
    return call.send(service)


@recipe("reply_expires_with_parent")
def _(call, service):
    call.places["uuid"] = service.reply_as(CALLER, service.create_as(OTHER)["uuid"]).json["uuid"]
    return call.send(service)


@recipe("user_handle_blank")
def _(call, service):
    if call.operation.is_signed:
        call.attributes()["preferred_username"] = ""
        return call.send(service)
    return call.anonymous().send(service)


@recipe("user_not_found", on="strange")
def _(call, service):
    return call.anonymous().send(service)


simple("reason_blank", reason=" ")
simple("reason_exceed_max_chars", reason="é" * 501)


@recipe("reported_is_reporter")
def _(call, service):
    call.places["uuid"] = service.create_as(CALLER)["uuid"]
    return call.send(service)


@recipe("user_suspended")
def _(call, service):
    service.database.sql("update users set suspended_at = now() where handle = %s", CALLER)
    try:
        return call.send(service)
    finally:
        service.database.sql("update users set suspended_at = null where handle = %s", CALLER)


simple("message_blank", message="")
simple("message_exceed_max_chars", message="é" * 281)
simple("message_exceed_max_chars_1024", message="é" * 1025)
simple("ttl_blank", ttl="2-days")
simple("user_reciever_handle_blank", handle=None)
simple("message_group_uuid_blank", message_group_uuid="x")
simple("receiver_not_found", handle="nobody")


@recipe("receiver_is_sender")
def _(call, service):
    if call.operation.media_type is not None:
        return call.spoil(handle=CALLER).send(service)
    call.places["handle"] = CALLER
    return call.send(service)


simple("until_invalid", until="yesterday")
simple("bio_exceed_max_chars", bio="é" * 1025)
simple("bio_invalid", bio=5)


def spoil_name(call, service, name):
    if call.operation.is_signed:
        call.attributes()["name"] = name
        return call.send(service)
    return call.spoil(display_name=name).send(service)


RECIPES["display_name_blank"] = ("service", lambda call, service: spoil_name(call, service, " \t"))
RECIPES["display_name_exceed_max_chars"] = ("service", lambda call, service: spoil_name(call, service, "é" * 256))
RECIPES["display_name_invalid"] = ("service", lambda call, service: spoil_name(call, service, "two\nlines"))


@recipe("idempotency_key_invalid")
def _(call, service):
    call.headers["Idempotency-Key"] = "a b"
    return call.send(service)


@recipe("idempotency_key_reused")
def _(call, service):
    call.headers["Idempotency-Key"] = str(uuid.uuid4())
    assert call.send(service).status == 200
    return call.spoil(message="another").send(service)


@recipe("activity_deleted")
def _(call, service):
    call.headers["Idempotency-Key"] = str(uuid.uuid4())
    made = call.send(service)
    assert service.ask_as(CALLER, "DELETE", f"/api/activities/{made.json['uuid']}").status == 200
    return call.send(service)


@recipe("message_deleted")
def _(call, service):
    call.headers["Idempotency-Key"] = str(uuid.uuid4())
    made = call.send(service).json
    assert service.ask_as(CALLER, "DELETE", f"/api/messages/{made['message_group_uuid']}/{made['uuid']}").status == 200
    return call.send(service)


@recipe("replies_exceed_max")
def _(call, service):
    call.places["uuid"] = service.create_as(OTHER)["uuid"]
    service.database.sql("update activities set replies_count = 10000 where uuid = %s", call.places["uuid"])
    return call.send(service)


@recipe("reports_exceed_hourly_max", on="full")
@recipe("posts_exceed_hourly_max", on="full")
@recipe("messages_exceed_hourly_max", on="full")
def _(call, full):
    return call.send(full)


def add_user(service):
    """Adds a user. Returns its handle; the token's subject is "mock-" and the handle."""
    name = f"leaving{uuid.uuid4().hex}"
    service.database.run(
        "insert into users (handle, display_name, email, cognito_user_id) values (%s, %s, %s, %s)",
        name, name, f"{name}@example.com", f"mock-{name}",
    )  # fmt: skip
    return name


@recipe("value_refused")
def _(call, service):
    """The author is deleted while the statement waits for the author's row."""
    name = add_user(service)
    call.headers |= bearer(service.token(name))
    with service.database.held(f"delete from users where handle = '{name}'") as cursor:
        asking = Asking(call.send, service)
        service.database.wait_for_waiting()
        cursor.connection.commit()
        return asking.reply()


@recipe("follows_exceed_max")
def _(call, service):
    service.database.load(
        """insert into users (handle, folded_handle, display_name, email, cognito_user_id)
           select 'full' || n, 'full' || n, n, n || '@full.example', 'full-' || n from generate_series(1, 5000) n;
           insert into follows (follower_uuid, followed_uuid)
           select (select uuid from users where handle = %s), uuid from users where handle ~ '^full'""",
        CALLER,
    )
    try:
        return call.send(service)
    finally:
        service.database.load("delete from follows using users where uuid = followed_uuid and handle ~ '^full'; delete from users where handle ~ '^full'")


@recipe("blocks_exceed_max")
@recipe("mutes_exceed_max")
def _(call, service):
    table, column = ("blocks", "blocked_uuid") if "block" in call.operation.id else ("mutes", "muted_uuid")
    service.database.load(
        f"""insert into users (handle, folded_handle, display_name, email, cognito_user_id)
           select 'full' || n, 'full' || n, n, n || '@full.example', 'full-' || n from generate_series(1, 5000) n;
           insert into {table} (user_uuid, {column})
           select (select uuid from users where handle = %s), uuid from users where handle ~ '^full'""",
        CALLER,
    )
    call.places["handle"] = "londo"
    try:
        return call.send(service)
    finally:
        service.database.load(f"delete from {table}; delete from users where handle ~ '^full'")


@recipe("growth_behind")
def _(call, service):
    service.database.load(
        "insert into activities (user_uuid, message, search) select uuid, 'behind', '' from users, generate_series(1, 50001) where handle = %s", OTHER
    )
    try:
        return call.send(service)
    finally:
        service.database.load("delete from activities where message = 'behind'")


simple_query("limit_invalid", limit=201)
simple_query("cursor_invalid", cursor="x")
simple_query("cursor_expired", since=base64.urlsafe_b64encode(b"1/1:1:").decode().rstrip("="))
simple_query("order_invalid", order="best")
simple_query("with_invalid", with_="likes")
simple_query("search_term_blank", term="\u3000 ")
simple_query("search_term_exceed_max_chars", term="é" * 301)
simple_query("time_zone_unknown", tz="Mars/Phobos")
simple_query("days_invalid", days=367)
simple_header("signature_invalid", X_Cruddur_Signature=None)


@recipe("signature_expired")
def _(call, service):
    call.headers["X-Cruddur-Signature"] = signed(call.body, at=int(time.time()) - 400)
    return call.send(service)


simple("user_pool_mismatch", userPoolId="us-east-1_other")
simple("trigger_source_blank", triggerSource=None)


def simple_attribute(code, name, value):
    def send(call, service):
        call.attributes()[name] = value
        return call.send(service)

    RECIPES[code] = ("service", send)


simple_attribute("cognito_user_id_blank", "sub", "")
simple_attribute("cognito_user_id_invalid", "sub", "a b")
simple_attribute("email_blank", "email", "")
simple_attribute("email_invalid", "email", "none")
simple_attribute("user_handle_invalid", "preferred_username", "a/b")
simple_attribute("handle_taken", "preferred_username", OTHER)


@recipe("email_taken")
def _(call, service):
    call.attributes()["email"] = "bayko@example.com"
    return call.send(service)


@recipe("conflict")
def _(call, service):
    """A trigger makes the statement fail as if others created the user again and again."""
    service.database.sql(
        """create function contest() returns trigger language plpgsql as $$ begin raise unique_violation; end $$;
           create trigger contest before insert on users for each row when (new.handle = 'contested') execute function contest()"""
    )
    call.attributes()["preferred_username"] = "contested"
    try:
        return call.send(service)
    finally:
        service.database.sql("drop trigger contest on users; drop function contest()")


@pytest.fixture(scope="module")
def streamless(cluster):
    with WalkedService(cluster, streams=0) as service:
        yield service


@recipe("streams_exceed_max", on="streamless")
def _(call, service):
    return call.send(service)


@recipe("generic_500", on="rightless")
def _(call, service):
    return call.send(service)


@recipe("database_unavailable", on="lost")
def _(call, service):
    return call.send(service)


@recipe("keys_unavailable", on="keyless")
def _(call, service):
    return call.send(service)


@recipe("database_timeout", on="locked")
def _(call, service):
    """The statement is cancelled, as after a time-out."""
    asking = Asking(call.send, service)
    ((backend, _),) = service.database.wait_for_waiting()
    service.database.run("select pg_cancel_backend(%s)", backend)
    return asking.reply()


def frozen_timeout(call, service):
    """The time-out of an operation that waits for no lock."""
    eventually(lambda: call.send(service).status == 200, what="a session")
    with contextlib.ExitStack() as stack:
        for pid in service.database.backends():
            stack.enter_context(frozen(pid))
        return call.send(service)


# Codes that an operation gives in another way than the other operations.
SPECIAL = {
    ("showMetrics", "generic_403"): ("service", lambda call, service: call.send(Client(service.port, source="127.0.0.2"))),
    ("checkReadiness", "database_timeout"): ("freezing", frozen_timeout),
    ("deleteProfile", "user_handle_blank"): ("service", lambda call, service: call.spoil(handle=None).send(service)),
    ("deleteProfile", "user_not_found"): ("service", lambda call, service: call.spoil(handle="nobody").anonymous().send(service)),
    ("confirmUser", "not_found"): ("strange", lambda call, service: call.send(service)),
}


# --- the walk ---

FAILURES = [(operation, status, code) for operation in OPERATIONS for status, code in operation.failures()]
# nginx refuses these before it has seen Accept.
ARRAY_ONLY = {"http_version_unsupported"}


def name_of(value):
    return getattr(value, "id", value)


@pytest.mark.parametrize("operation, status, code", FAILURES, ids=name_of)
def test_failures(request, service, operation, status, code):
    on, make = SPECIAL.get((operation.id, code)) or RECIPES[code]
    where = request.getfixturevalue(on)
    for accept in (None,) if code in ARRAY_ONLY else (None, PROBLEM):
        call = Call(operation, where if isinstance(where, TokenService) else service, accept)
        is_first = str(DOCUMENT.statuses[code]) == status or status == "default"
        if not is_first:  # the code only comes after another one, which decides the status
            assert status == "422" and "message_blank" in operation.codes(status)
            call.spoil(message="")
        reply = make(call, where)
        assert reply.status == (DOCUMENT.statuses[code] if is_first else int(status)), reply
        assert reply.headers["Content-Type"] == (accept or "application/json")
        assert code in reply.codes
        assert DOCUMENT.statuses[reply.codes[0]] == reply.status
        operation.check(reply, status)


def succeed(operation, call, service):
    """Sends a good request, after adding what the operation needs to succeed."""
    if operation.id == "deleteActivity":
        call.places["uuid"] = service.create_as(CALLER)["uuid"]
    if operation.id == "deleteMessage":
        call.places["uuid"] = sent(CALLER, OTHER, service)
    if operation.id == "deleteProfile":
        name = add_user(service)
        call.headers |= bearer(service.token(name))
        call.spoil(handle=name)
    return call.send(service)


SUCCESSES = [
    (operation, status) for operation in OPERATIONS for status in operation.responses if status != "default" and int(status) < 400
]  # fmt: skip


@pytest.mark.parametrize("operation, status", SUCCESSES, ids=name_of)
def test_successes(service, operation, status):
    call = Call(operation, service, PROBLEM)  # this media type is for errors only
    if status == "304":
        call.headers["If-None-Match"] = "*"
    reply = succeed(operation, call, service)
    assert reply.status == int(status), reply
    operation.check(reply, status)
    service.database.sql("delete from blocks; delete from mutes")


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_every_parameter_as_in_its_example(service, operation):
    call = Call(operation, service)
    call.query = operation.examples("query")
    call.headers |= operation.examples("header")
    if "since" in call.query:  # the example's cursor is from another server
        call.query["since"] = Call(operation, service).send(service).headers["Cruddur-Since"]
    reply = succeed(operation, call, service)
    status = "204" if operation.method == "OPTIONS" else "200"
    assert reply.status == int(status), reply
    operation.check(reply, status)
    assert reply.headers["X-Request-Id"] == operation.examples("header")["X-Request-Id"]
    service.database.sql("delete from blocks; delete from mutes")


WITH_BODY = [operation for operation in OPERATIONS if operation.media_type]


@pytest.mark.parametrize("operation", WITH_BODY, ids=name_of)
def test_every_body_as_in_its_examples(service, operation):
    for example in operation.media_type.get("examples", {}).values():
        call = Call(operation, service)
        call.document = example["value"]
        reply = call.send(service)
        assert reply.status == 200, reply
        operation.check(reply, "200")


TEXTS = {"message", "display_name", "bio", "reason"}


def limits(operation):
    """The members that have a limit, and the limit in code points."""
    schema = DOCUMENT.follow(operation.media_type["schema"])
    return [(name, each["maxLength"]) for name, each in schema["properties"].items() if name in TEXTS & schema["properties"].keys()]


@pytest.mark.parametrize(
    "operation, name, length",
    [(operation, *limit) for operation in WITH_BODY for limit in limits(operation)],
    ids=name_of,
)  # fmt: skip
def test_limits_are_code_points(service, operation, name, length):
    for count, status in ((length, "200"), (length + 1, "422")):
        reply = Call(operation, service).spoil(**{name: "\U0001f600" * count}).send(service)
        assert reply.status == int(status)
        operation.check(reply, status)


LISTS = [operation for operation in OPERATIONS if "Link" in operation.responses.get("200", {}).get("headers", {})]


@pytest.mark.parametrize("operation", LISTS, ids=name_of)
def test_lists_go_on(service, operation):
    """The first page has a link to the next one; a page that is not full is the last."""
    call = Call(operation, service)
    call.query = {"limit": 1}
    first = call.send(service)
    operation.check(first, "200")
    second = service.ask("GET", first.next_page, headers=call.headers)
    assert second.status == 200 and second.json != first.json
    operation.check(second, "200")
    call.query = {"limit": 200}
    last = call.send(service)
    operation.check(last, "200")
    assert last.next_page is None


def test_every_list_has_its_parameters():
    for operation in OPERATIONS:
        assert (operation in LISTS) == ("cursor" in operation.examples("query"))
        assert (operation in LISTS or operation.id == "searchActivities") == ("limit" in operation.examples("query"))


def test_a_feed_out_of_date(start, cluster):
    home = DOCUMENT.operation("listHome")
    with WalkedService(cluster, workers=1, feed_stale=3600, statement_timeout=300, deadline=500) as service:
        eventually(lambda: service.home().headers["ETag"], what="a kept page")
        service.write_url(service.database.url(hosts=[service.path]))
        service.database.terminate_sessions()

        def stale():
            """The answer if it is a stale page. The watcher began to connect with the first request and may still get a session by the
            old URL, so its session is ended."""
            service.database.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cruddurd watcher'")
            reply = service.home()
            return reply.headers["Cache-Status"] and reply

        reply = eventually(stale, what="a stale page")
        assert reply.status == 200 and reply.headers["ETag"] is None
        home.check(reply, "200")


def test_the_shape_of_week_4(cluster, service):
    page = DOCUMENT.operation("showUser")
    array, whole = page.responses["200"]["content"]["application/json"]["schema"]["oneOf"][::-1]
    DOCUMENT.check(whole, Call(page, service).send(service).json)
    with WalkedService(cluster, compat="week4") as old:
        reply = Call(page, old).send(old)
        page.check(reply, "200")
        DOCUMENT.check(array, reply.json)


# --- nothing undocumented ---


def tables():
    """The tables that cruddurd prints: its routes, and all codes with their statuses. Each line is a dictionary by the header's names."""
    for part in run_once("--routes").stdout.split("\n\n"):
        header, *lines = (line.split() for line in part.splitlines())
        yield [dict(zip(header, line, strict=True)) for line in lines]


ROUTES, CODES = tables()


def test_the_routes_are_these():
    documented = {(operation.method, operation.path) for operation in OPERATIONS if operation.method != "OPTIONS"}
    assert documented == {(route["METHOD"], route["PATH"]) for route in ROUTES}


# Codes that a route's properties imply, besides the route's own codes.
# fmt: off
IMPLIED = {
    ("ACCESS", "caller"): {"generic_401", "keys_unavailable"},
    ("ACCESS", "hook"): {"signature_invalid", "signature_expired"},
    ("TAKES", "body"): {
        "body_not_json", "body_not_utf8", "body_truncated", "body_too_large", "content_type_unsupported", "content_encoding_unsupported",
    },
    ("TAKES", "page"): {"limit_invalid", "cursor_invalid"},
}
# fmt: on


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route['METHOD']} {route['PATH']}")
def test_no_outcome_of_a_route_is_missing(route):
    codes = set(route["CODES"].split(",")) - {"-"}
    if codes:  # the route runs a statement
        codes |= {"database_unavailable", "database_timeout"}
    codes = codes.union(*(implied for (column, word), implied in IMPLIED.items() if word in route[column].split(",")))
    (operation,) = [each for each in OPERATIONS if (each.method, each.path) == (route["METHOD"], route["PATH"])]
    assert codes <= {code for _, code in operation.failures()}


def example_of(path, service):
    return Call([operation for operation in OPERATIONS if operation.path == path][0], service).target.partition("?")[0]


@pytest.mark.parametrize("path", DOCUMENT.paths)
def test_the_methods_of_a_path(service, path):
    target = example_of(path, service)
    allowed = DOCUMENT.methods(path)
    assert set(service.ask("OPTIONS", target).headers["Allow"].split(", ")) == allowed
    for method in {"GET", "HEAD", "POST", "PUT", "DELETE"} - allowed:
        reply = service.ask(method, target)
        assert reply.status == DOCUMENT.statuses["method_not_allowed"]
        assert method == "HEAD" or reply.codes == ["method_not_allowed"]
        assert set(reply.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.method == "GET"], ids=name_of)
def test_head(service, operation):
    call = Call(operation, service)
    call.headers["X-Request-Id"] = "head"
    whole = call.send(service)
    head = service.ask("HEAD", call.target, headers=call.headers)
    assert (head.status, head.body) == (whole.status, b"")
    others = {"Date": ""} | ({"Content-Length": ""} if operation.id == "showMetrics" else {})  # each counts the one before
    others |= {"Transfer-Encoding": "", "Connection": ""} if operation.id == "streamHome" else {}  # its length is not known
    if "Cruddur-Since" in whole.headers:
        assert "Cruddur-Since" in head.headers
        others["Cruddur-Since"] = ""  # any transaction of the server changes it
    assert {**head.headers, **others} == {**whole.headers, **others}


@pytest.mark.parametrize("path", DOCUMENT.paths)
def test_paths_that_are_not_there(service, path):
    target = example_of(path, service)
    above = target.rsplit("/", 1)[0] or "/"
    others = [f"{target}/x", f"{target}/", target.replace("/", "//", 1)]
    if not path.endswith("@{handle}"):
        others.append(f"{target}x")
    if above not in (example_of(each, service) for each in DOCUMENT.paths) and path.rpartition("/")[0] not in DOCUMENT.paths:
        others.append(above)
    for other in others:
        reply = service.get(other)
        assert (reply.status, reply.codes) == (DOCUMENT.statuses["not_found"], ["not_found"]), other


def test_the_codes_are_these():
    """The document has all codes of the service, with their statuses; the others are codes of nginx."""
    of_service = {row["CODE"]: int(row["STATUS"]) for row in CODES if row["CODE"] != "ok"}
    of_nginx = {
        code: int(status)
        for status, code in re.findall(r"^error_page (?:\d+ )*?=?(\d+) \"/\.error/(\w+)", (TOP / "nginx/cruddur.conf").read_text(), re.M)
    }  # fmt: skip
    assert DOCUMENT.statuses.items() >= of_service.items()
    assert DOCUMENT.statuses.items() <= (of_nginx | of_service).items()
    used = {code for _, _, code in FAILURES}
    assert DOCUMENT.statuses.keys() - used == {"method_not_allowed"}
