"""Cognito's PostConfirmation trigger: each signed event makes one user, and the answer is the event, byte for byte."""

import contextlib
import hashlib
import hmac
import json
import os
import signal
import time
import uuid

import pytest

from client import JSON, Asking
from cluster import FROM_SESSIONS, HOOK_PASSWORD, Database
from issuer import CLIENT, ISSUER, bearer, key_set, service_key
from places import IS_ROOT
from service import Service
from waiting import eventually

TARGET = "/api/hooks/cognito/post-confirmation"
SECRET = "a secret of the tests, long enough"
POOL = "us-east-1_tests"
WINDOW = 300
MARGIN = 150  # seconds that a slow machine may take


class HookService(Service):
    """A service that knows SECRET."""

    def __init__(self, cluster, **settings):
        super().__init__(cluster, **{"cognito_pool": POOL} | settings)

    def open(self):
        self.write_secret(SECRET)
        self.database = self.database or Database(self.cluster)
        self.write_hook_url(self.database.url("cruddur_hook", HOOK_PASSWORD))
        super().open()

    def arguments(self):
        return [
            *super().arguments(),
            *("--hook-secret-file", str(self.path / "hook")),
            *("--hook-connection-url-file", str(self.path / "hook-url")),
        ]

    def write_hook_url(self, url):
        path = self.path / "hook-url"
        path.touch(0o600)
        path.write_text(url)

    def write_secret(self, secret, mode=0o600):
        path = self.path / "hook"
        path.write_text(secret + "\n")
        path.chmod(mode)

    def deliver(self, event, headers=None, **more):
        """Delivers the event with a signature, unless headers have another one."""
        body = raw(event)
        return self.post(TARGET, body, {"X-Cruddur-Signature": signed(body, **more)} | (headers or {}))

    def user(self, sub):
        """The handle, display name and e-mail address of the only user with that sub, or None."""
        rows = self.database.sql("select handle, display_name, email from users where cognito_user_id = %s", sub)
        assert len(rows) <= 1
        return rows[0] if rows else None

    def statements(self):
        return [line for line in self.log.entries("statement") if line["template"] == "hooks/confirm"]


def raw(event):
    return event if isinstance(event, bytes) else json.dumps(event).encode()


def mac(body, at, secret=SECRET):
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def signed(body, at=None, secret=SECRET):
    at = int(time.time()) if at is None else at
    return f"t={at},v1={mac(body, at, secret)}"


def sign_up(name, /, trigger="PostConfirmation_ConfirmSignUp", **attributes):
    """An event as Cognito sends it (its developer guide, post confirmation trigger). An attribute that is None is left out."""
    all_attributes = {
        "sub": f"sub-of-{name}",
        "email_verified": "true",
        "cognito:user_status": "CONFIRMED",
        "name": f"Name of {name}",
        "preferred_username": name,
        "email": f"{name}@example.com",
    } | attributes
    return {
        "version": "1",
        "region": "us-east-1",
        "userPoolId": POOL,
        "userName": f"sub-of-{name}",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "client"},
        "triggerSource": trigger,
        "request": {"userAttributes": {key: value for key, value in all_attributes.items() if value is not None}},
        "response": {},
    }


@pytest.fixture(scope="module")
def service(cluster):
    with HookService(cluster, workers=8) as service:
        yield service


@pytest.fixture
def start_hook(cluster):
    """A service of the test's own."""
    services = []

    def start(**settings):
        services.append(HookService(cluster, **settings))
        return services[-1].__enter__()

    yield start
    for service in services:
        service.__exit__(None, None, None)


def users(service):
    return service.database.sql("select * from users order by uuid")


def test_a_sign_up_becomes_a_user(service):
    event = sign_up("ada")
    body = json.dumps(event, indent=3).encode() + b"\n"
    reply = service.deliver(body)
    assert (reply.status, reply.body) == (200, body)
    assert reply.headers["Content-Type"] == JSON
    assert service.user("sub-of-ada") == ("ada", "Name of ada", "ada@example.com")
    assert service.get("/api/users/@ada/short").json["display_name"] == "Name of ada"
    assert service.line_of(reply)["route"] == TARGET


@pytest.mark.parametrize("escaped", [True, False])
def test_any_text_comes_back_as_it_was(service, escaped):
    event = sign_up(f"текст{escaped:d}", name="Ünï \U0001f600 \"q\" \\ </script> ' ; --", more="\u2028 \t")
    body = json.dumps(event, ensure_ascii=escaped).encode()
    assert service.deliver(body).body == body
    assert service.user(f"sub-of-текст{escaped:d}")[1] == event["request"]["userAttributes"]["name"]


def test_the_largest_event(service):
    event = sign_up("large", more="")
    event["request"]["userAttributes"]["more"] = "x" * (16384 - len(raw(event)))
    assert len(raw(event)) == 16384
    assert service.deliver(event).body == raw(event)


def test_ten_deliveries_at_once(service):
    for number in range(10):
        event = sign_up(f"tenfold{number}")
        deliveries = [Asking(service.deliver, event) for _ in range(10)]
        assert [delivery.reply().status for delivery in deliveries] == [200] * 10
        assert service.user(f"sub-of-tenfold{number}")[0] == f"tenfold{number}"


SLOW_INDEX = """
    create function dawdle(text) returns text immutable language plpgsql as
        'begin perform pg_advisory_xact_lock_shared(1); return $1; end';
    alter table users drop constraint users_cognito_user_id_key;
    drop index users_handle_key;
    create index slow on users (dawdle(handle));
    alter table users add constraint users_cognito_user_id_key unique (cognito_user_id);
    create unique index users_handle_key on users (folded_handle)"""


def test_deliveries_that_do_not_see_each_other(start_hook):
    """Each statement looks for the user before any has put its row into the unique indexes, because the index before them waits."""
    service = start_hook(workers=4)
    service.database.sql(SLOW_INDEX)
    deliveries = []

    def are_two_waiting():
        """The first delivery waits for the lock, another one for the first. The deliveries of one worker run one after the other."""
        if len(deliveries) < 40:
            deliveries.append(Asking(service.deliver, sign_up("simultaneous")))
        return len(service.database.run(f"select 1 {FROM_SESSIONS} and wait_event in ('advisory', 'spectoken')")) > 1

    with service.database.held("select pg_advisory_xact_lock(1)"):
        eventually(are_two_waiting, what="two at once")
    assert {delivery.reply().status for delivery in deliveries} == {200}
    assert service.user("sub-of-simultaneous")


def test_an_event_that_comes_again(service):
    """The user pool sets handle and address each time; the display name and the bio stay as the user has set them."""
    service.deliver(sign_up("again"))
    before = service.database.sql("select uuid, created_at, updated_at from users where handle = 'again'")
    assert service.deliver(sign_up("again")).status == 200
    assert service.database.sql("select uuid, created_at, updated_at from users where handle = 'again'") == before
    service.post("/api/profile/update", {"display_name": "My choice", "bio": "me", "handle": "again"})
    assert service.deliver(sign_up("again")).status == 200
    assert service.user("sub-of-again") == ("again", "My choice", "again@example.com")
    assert service.deliver(sign_up("again", preferred_username="Renamed", email="new@example.com")).status == 200
    assert service.user("sub-of-again") == ("Renamed", "My choice", "new@example.com")


@pytest.mark.parametrize("trigger", ["PostConfirmation_ConfirmForgotPassword", "PreSignUp_SignUp", "", "postconfirmation_confirmsignup"])
def test_events_of_other_triggers(service, trigger):
    """They are answered also if their attributes could not be stored."""
    before, statements = users(service), len(service.statements())
    event = sign_up("andrewbrown", trigger=trigger, email="not one")
    reply = service.deliver(event)
    assert (reply.status, reply.body) == (200, raw(event))
    assert service.line_of(reply)["db_ms"] == 0
    assert (users(service), len(service.statements())) == (before, statements)


@pytest.mark.parametrize("trigger", [None, 1, ["PostConfirmation_ConfirmSignUp"]])
def test_an_event_of_no_trigger(service, trigger):
    assert service.deliver(sign_up("x", trigger=trigger)).json == ["trigger_source_blank"]


BODY = raw(sign_up("mallory"))
NOW = int(time.time())
GOOD = mac(BODY, NOW)
FORGED = {
    "nothing": None,
    "empty": "",
    "no time": f"v1={GOOD}",
    "no mac": f"t={NOW}",
    "no mac behind the comma": f"t={NOW},",
    "wrong order": f"v1={GOOD},t={NOW}",
    "another scheme": f"t={NOW},v0={GOOD}",
    "a short mac": f"t={NOW},v1={GOOD[:-1]}",
    "a long mac": f"t={NOW},v1={GOOD}0",
    "no digit": f"t={NOW},v1={GOOD[:-1]}g",
    "a flipped bit": f"t={NOW},v1={int(GOOD[0], 16) ^ 1:x}{GOOD[1:]}",
    "zeros": f"t={NOW},v1={'0' * 64}",
    "a trailing comma": f"t={NOW},v1={GOOD},",
    "something behind it": f"t={NOW},v1={GOOD},v0=1",
    "another time": f"t={NOW + 1},v1={GOOD}",
    "a padded time": f"t=0{NOW},v1={GOOD}",
    "a signed time": f"t=+{NOW},v1={GOOD}",
    "a negative time": f"t=-1,v1={mac(BODY, -1)}",
    "no time but a mac": f"t=,v1={mac(BODY, '')}",
    "a huge time": f"t={'9' * 30},v1={mac(BODY, '9' * 30)}",
    "another secret": signed(BODY, secret=SECRET + "!"),
    "no secret": signed(BODY, secret=""),
    "the body alone": f"t={NOW},v1={hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()}",
    "another body's": signed(raw(sign_up("other"))),
    "bearer": f"Bearer {GOOD}",
}


def refused(service, reply, code="signature_invalid"):
    line = service.line_of(reply)
    return (
        (reply.status, reply.json) == (401, [code])
        and reply.headers["WWW-Authenticate"] == "Cruddur-Signature"
        and (line["code"], line["db_ms"]) == (code, 0)
    )


@pytest.mark.parametrize("case", FORGED)
def test_forged_signatures(service, case):
    statements = len(service.statements())
    assert refused(service, service.post(TARGET, BODY, {"X-Cruddur-Signature": FORGED[case]}))
    assert service.user("sub-of-mallory") is None
    assert len(service.statements()) == statements


@pytest.mark.parametrize("tampered", [BODY + b" ", BODY.replace(b"mallory", b"malory1"), BODY[:-1], b"", b"{", b"\xff"])
def test_tampered_bodies(service, tampered):
    """The signature is checked before the body, whatever the body is."""
    assert refused(service, service.post(TARGET, tampered, {"X-Cruddur-Signature": signed(BODY)}))


def this_second():
    """The present second, also by the service's time(2), which may be some milliseconds behind."""
    while time.time() % 1 < 0.05:
        time.sleep(0.01)
    return int(time.time())


def test_the_window(service):
    event = sign_up("punctual")
    for offset in (-WINDOW - MARGIN, -WINDOW - 1, WINDOW + MARGIN, -int(time.time()), 10**11):
        assert refused(service, service.deliver(event, at=this_second() + offset), "signature_expired")
    assert service.user("sub-of-punctual") is None
    for offset in (-WINDOW + MARGIN, 0, WINDOW):
        assert service.deliver(event, at=int(time.time()) + offset).status == 200


def test_a_captured_delivery_replayed(service):
    """Within the window it is accepted again, and it changes nothing."""
    body = raw(sign_up("replayed"))
    headers = {"X-Cruddur-Signature": signed(body)}
    assert service.post(TARGET, body, headers).status == 200
    before = users(service)
    assert service.post(TARGET, body, headers).status == 200
    assert users(service) == before


def identities(service, subject):
    """The handle and e-mail address of the user, and the whole row."""
    name, _, email = service.user(f"sub-of-{subject}")
    return (name, email), service.database.sql("select * from users where cognito_user_id = %s", f"sub-of-{subject}")


@pytest.mark.parametrize("seconds", [0, 1, 100])
def test_an_older_event_replayed(service, seconds):
    """If it is replayed within its window after a newer event, the old handle and address do not come back, not even within one second."""
    subject, now = f"wanderer{seconds}", int(time.time())
    old = {"preferred_username": f"{subject}-old", "email": f"{subject}-old@example.com"}
    captured = raw(sign_up(subject, **old))
    headers = {"X-Cruddur-Signature": signed(captured, now - seconds)}
    first = service.post(TARGET, captured, headers)
    assert service.deliver(sign_up(subject), at=now).status == 200
    newest = identities(service, subject)
    assert newest[0] == (subject, f"{subject}@example.com")
    again = service.post(TARGET, captured, headers)
    assert (again.status, again.body) == (first.status, first.body) == (200, captured)
    assert identities(service, subject) == newest


def test_an_event_from_before_the_departure_replayed(service):
    """It does not bring the account back; a later event makes a new user."""
    now = int(time.time())
    body = raw(sign_up("leaving"))
    headers = {"X-Cruddur-Signature": signed(body, now)}
    assert service.post(TARGET, body, headers).status == 200
    (uuid,) = service.database.sql("select uuid from users where handle = 'leaving'")[0]
    service.database.sql("select depart(%s)", uuid)
    assert service.post(TARGET, body, headers).status == 200
    assert service.deliver(sign_up("leaving"), at=now - 60).status == 200
    assert service.user("sub-of-leaving") is None
    assert service.deliver(sign_up("leaving"), at=now + 60).status == 200
    assert service.user("sub-of-leaving") is not None


def test_an_event_that_meets_the_departure(service):
    """It waits for the row of the user, who has left then."""
    now = int(time.time())
    assert service.deliver(sign_up("racing"), at=now - 100).status == 200
    with service.database.held("select depart(uuid) from users where handle = 'racing'") as cursor:
        asking = Asking(lambda: service.deliver(sign_up("racing"), at=now - 50))
        service.database.wait_for_waiting()
        cursor.connection.commit()
    assert asking.reply().status == 200
    assert service.user("sub-of-racing") is None


def test_only_the_old_address_or_the_old_handle(service):
    now = int(time.time())
    for number, old in enumerate(({"email": "old-one@example.com"}, {"preferred_username": "old-one"})):
        subject = f"partial{number}"
        for attributes, at in ((old, now - 9), ({}, now), (old, now - 9)):
            assert service.deliver(sign_up(subject, **attributes), at=at).status == 200
        assert identities(service, subject)[0] == (subject, f"{subject}@example.com")


def test_events_that_arrive_out_of_order(service):
    """The event that was signed last counts, whichever arrives last. Each event may be sent again."""
    now = int(time.time())
    for at in (now - 20, now - 5, now - 30, now - 10, now - 5, now - 20):
        assert service.deliver(sign_up("late-post", preferred_username=f"post-{now - at}"), at=at).status == 200
    assert identities(service, "late-post")[0][0] == "post-5"
    assert service.deliver(sign_up("late-post", preferred_username="post-newest"), at=now).status == 200
    assert identities(service, "late-post")[0][0] == "post-newest"


def test_a_replay_when_another_user_has_the_old_handle(service):
    """The answer is the same as the first time, and does not mention the other user."""
    now = int(time.time())
    old = sign_up("mover", preferred_username="wanted-name")
    assert service.deliver(old, at=now - 9).status == 200
    assert service.deliver(sign_up("mover"), at=now).status == 200
    assert service.deliver(sign_up("heir", preferred_username="wanted-name"), at=now).status == 200
    assert service.deliver(old, at=now - 9).status == 200
    assert [identities(service, subject)[0][0] for subject in ("mover", "heir")] == ["mover", "wanted-name"]


def test_what_was_refused_was_not_applied(service):
    """An event that was refused because another user had the handle is applied later, with the same signature."""
    now = int(time.time())
    blocked = sign_up("patient", preferred_username="blocked-name")
    assert service.deliver(sign_up("blocker", preferred_username="blocked-name"), at=now).status == 200
    assert service.deliver(sign_up("patient"), at=now - 9).status == 200
    assert service.deliver(blocked, at=now - 5).json == ["handle_taken"]
    assert service.deliver(sign_up("blocker"), at=now + 1).status == 200
    assert service.deliver(blocked, at=now - 5).status == 200
    assert identities(service, "patient")[0][0] == "blocked-name"


def test_each_user_has_a_time_of_its_own(service):
    now = int(time.time())
    assert service.deliver(sign_up("ahead"), at=now + 60).status == 200
    assert service.deliver(sign_up("behind"), at=now - 60).status == 200
    assert identities(service, "behind")[0][0] == "behind"


def test_a_user_that_was_made_by_hand(service):
    """bin/user-confirm calls confirm_user without a signature. Its event is always applied, and so is the next signed event."""
    call = "select confirm_user(gen_random_uuid(), %s::json, null)"
    by_hand = json.dumps(sign_up("handmade", preferred_username="by-hand"))
    assert service.database.sql(call, by_hand) == [("ok",)]
    assert service.deliver(sign_up("handmade"), at=int(time.time()) - 60).status == 200
    assert identities(service, "handmade")[0][0] == "handmade"
    assert service.database.sql(call, by_hand) == [("ok",)]
    assert identities(service, "handmade")[0][0] == "by-hand"


def test_two_signatures(service):
    """While the secret is changed, a delivery has one signature by the old secret and one by the new."""
    now = int(time.time())
    wrong = "v1=" + mac(BODY, now, "another secret")
    right = "v1=" + mac(raw(sign_up("both")), now)
    for macs in (f"{wrong},{right}", f"{right},{wrong}", f"{wrong},{wrong},{right}", "v1=" + right[3:].upper()):
        assert service.deliver(sign_up("both"), {"X-Cruddur-Signature": f"t={now},{macs}"}).status == 200
    assert refused(service, service.deliver(sign_up("both"), {"X-Cruddur-Signature": f"t={now},{wrong},{wrong}"}))


def test_tokens_and_handles_open_nothing(service):
    body = raw(sign_up("mallory") | {"user_handle": "andrewbrown", "handle": "andrewbrown"})
    assert refused(service, service.post(TARGET, body))
    assert refused(service, service.post(TARGET, body, {"Authorization": f"Bearer {SECRET}"}))


@pytest.mark.parametrize(
    "body, headers, status, code",
    [
        (b"{", {}, 400, "body_not_json"),
        (b"[]", {}, 400, "body_not_json"),
        (b'{"triggerSource":"a","triggerSource":"b"}', {}, 400, "body_not_json"),
        (b'{"a":"\\u0000"}', {}, 400, "body_not_json"),
        (b'{"a":"\xff"}', {}, 400, "body_not_utf8"),
        (b"", {}, 400, "body_not_json"),
        (BODY, {"Content-Type": "text/plain"}, 415, "content_type_unsupported"),
    ],
)
def test_signed_nonsense(service, body, headers, status, code):
    reply = service.deliver(body, headers)
    assert (reply.status, reply.json) == (status, [code])


def test_other_methods(service):
    for method in ("GET", "PUT", "DELETE"):
        reply = service.ask(method, TARGET, None if method == "GET" else b"{}")
        assert (reply.status, reply.json, reply.headers["Allow"]) == (405, ["method_not_allowed"], "POST, OPTIONS")


@pytest.mark.parametrize("pool", ["us-east-1_other", POOL.upper(), "", None, 1])
def test_another_pool(service, pool):
    reply = service.deliver(sign_up("stranger") | {"userPoolId": pool})
    assert (reply.status, reply.json) == (403, ["user_pool_mismatch"])
    assert service.user("sub-of-stranger") is None


def test_any_pool_where_none_is_known(start_hook):
    service = start_hook(cognito_pool=None)
    for number, pool in enumerate(("us-east-1_other", None)):
        assert service.deliver(sign_up(f"any{number}") | {"userPoolId": pool}).status == 200


TAKEN = [
    ({"preferred_username": "andrewbrown"}, "handle_taken"),
    ({"preferred_username": "AndrewBROWN"}, "handle_taken"),
    ({"email": "andrewbrown@example.com"}, "email_taken"),
    ({"email": "AndrewBrown@EXAMPLE.com"}, "email_taken"),
    ({"preferred_username": "Bayko", "email": "londo@example.com"}, "handle_taken"),
]


@pytest.mark.parametrize("attributes, code", TAKEN)
@pytest.mark.parametrize("is_new", [True, False])
def test_what_another_user_has(service, attributes, code, is_new):
    name = "late" if is_new else "early"
    if not is_new:
        assert service.deliver(sign_up(name)).status == 200
    before = users(service)
    reply = service.deliver(sign_up(name, **attributes))
    assert (reply.status, reply.json) == (409, [code])
    assert users(service) == before
    line = service.line_of(reply)
    assert (line["status"], line["code"]) == (409, code)


REFUSED = [
    ({"sub": None}, "cognito_user_id_blank"),
    ({"sub": ""}, "cognito_user_id_blank"),
    ({"sub": 5}, "cognito_user_id_blank"),
    ({"sub": "a b"}, "cognito_user_id_invalid"),
    ({"sub": "x" * 129}, "cognito_user_id_invalid"),
    ({"preferred_username": None}, "user_handle_blank"),
    ({"preferred_username": ""}, "user_handle_blank"),
    ({"preferred_username": ["a"]}, "user_handle_blank"),
    ({"preferred_username": " "}, "user_handle_invalid"),
    ({"preferred_username": "a/b"}, "user_handle_invalid"),
    ({"preferred_username": "@a"}, "user_handle_invalid"),
    ({"preferred_username": "x" * 65}, "user_handle_invalid"),
    ({"preferred_username": "new\u200b"}, "user_handle_invalid"),
    ({"preferred_username": "c++"}, "user_handle_invalid"),
    ({"name": "\u3000\u200b"}, "display_name_blank"),
    ({"name": "two\nlines"}, "display_name_invalid"),
    ({"name": "a\u202eb"}, "display_name_invalid"),
    ({"name": None}, "display_name_blank"),
    ({"name": ""}, "display_name_blank"),
    ({"name": " \t"}, "display_name_blank"),
    ({"name": {"a": "b"}}, "display_name_blank"),
    ({"name": "é" * 256}, "display_name_exceed_max_chars"),
    ({"email": None}, "email_blank"),
    ({"email": ""}, "email_blank"),
    ({"email": "nobody"}, "email_invalid"),
    ({"email": "a b@example.com"}, "email_invalid"),
    ({"email": "x" * 309 + "@example.com"}, "email_invalid"),
]


@pytest.mark.parametrize("attributes, code", REFUSED, ids=[f"{code}-{number}" for number, (_, code) in enumerate(REFUSED)])
def test_what_the_schema_refuses(service, attributes, code):
    before = users(service)
    reply = service.deliver(sign_up("nobody", **attributes))
    assert (reply.status, reply.json) == (422, [code])
    assert users(service) == before


def test_the_longest_that_is_taken(service):
    attributes = {"sub": "s" * 128, "preferred_username": "é" * 64, "name": "é" * 255, "email": "x" * 308 + "@example.com"}
    assert service.deliver(sign_up("longest", **attributes)).status == 200
    assert service.user("s" * 128) == ("é" * 64, "é" * 255, "x" * 308 + "@example.com")


def test_the_longest_subject_of_a_token(start_hook, tmp_path):
    """Hook and tokens have one limit, in characters: whoever is made a user can also be a caller."""
    key, file = service_key(), tmp_path / "jwks.json"
    file.write_bytes(key_set(key))
    service = start_hook(identity="token", issuer=ISSUER, cognito_client=CLIENT, jwks_file=file)
    body = json.dumps({"message": "hi", "ttl": "1-day"}).encode()
    for number, character in enumerate("sü😀"):
        subjects = character * 128, character * 129
        delivered = [service.deliver(sign_up(f"longest{number}", sub=subject)).status for subject in subjects]
        created = [service.ask("POST", "/api/activities", body, bearer(key.token(subject))).status for subject in subjects]
        assert (character, delivered, created) == (character, [200, 422], [200, 401])


@pytest.mark.parametrize("request_member", [None, "text", [], {}, {"userAttributes": None}, {"userAttributes": []}, {"userAttributes": "x"}])
def test_events_without_attributes(service, request_member):
    reply = service.deliver(sign_up("nobody") | {"request": request_member})
    assert (reply.status, reply.json) == (422, ["cognito_user_id_blank"])


@pytest.mark.parametrize("same, code", [("preferred_username", "handle_taken"), ("email", "email_taken")])
def test_a_race_for_a_handle_or_an_address(service, same, code):
    """One delivery succeeds. The others get 409 with the code for it, not a server error."""
    value = {"preferred_username": "coveted", "email": "coveted@example.com"}[same]
    for round_number in range(5):
        events = [sign_up(f"racer{same[0]}{round_number}x{n}", **{same: f"{round_number}{value}"}) for n in range(8)]
        replies = [asking.reply() for asking in [Asking(service.deliver, event) for event in events]]
        assert sorted(reply.status for reply in replies) == [200] + [409] * 7
        assert {tuple(reply.json) for reply in replies if reply.status == 409} == {(code,)}


def test_a_race_that_the_first_one_loses(service):
    """A delivery that waits for another transaction's row goes on when that is rolled back."""
    with service.database.held(
        "insert into users (display_name, handle, email, cognito_user_id) values ('F', 'fleeting', 'f@example.com', 'f')"
    ):
        asking = Asking(service.deliver, sign_up("fleeting"))
        service.database.wait_for_waiting()
    assert asking.reply().status == 200
    assert service.user("sub-of-fleeting")[0] == "fleeting"


def test_without_a_secret_there_is_no_such_route(cluster):
    with Service(cluster) as service:
        body = raw(sign_up("nobody"))
        for method in ("POST", "GET", "OPTIONS"):
            reply = service.ask(method, TARGET, body if method == "POST" else None, {"X-Cruddur-Signature": signed(body, secret="")})
            assert (reply.status, reply.json) == (404, ["not_found"])


def test_a_new_secret_at_HUP(start_hook):
    service = start_hook()
    new = SECRET[::-1]
    service.write_secret(new)
    assert service.deliver(sign_up("old")).status == 200
    service.daemon.reload()
    assert refused(service, service.deliver(sign_up("late")))
    assert service.deliver(sign_up("new"), secret=new).status == 200


@pytest.mark.parametrize("secret, mode, why", [("x" * 31, 0o600, "fewer than 32 bytes"), (SECRET, 0o604, "others can read it")])
def test_a_bad_secret_at_HUP(start_hook, secret, mode, why):
    service = start_hook()
    service.write_secret(secret, mode)
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message("the old ones stay in force")
    assert why in service.log.text
    assert service.deliver(sign_up("steady")).status == 200


@pytest.mark.skipif(not IS_ROOT, reason="only root looks into another process")
def test_no_process_has_the_secret_in_its_memory(start_hook):
    """This holds also for a process that has checked a signature with it."""
    service = start_hook(workers=1)
    for handle in ("first", "second"):
        assert service.deliver(sign_up(handle)).status == 200
        service.wait_for_workers(1)  # the previous worker has ended
        for process in [service.daemon.pid, *(child.pid for child in service.daemon.children())]:
            memory = memory_of(process)
            assert b"HUP" in memory, "its own text"
            assert SECRET.encode() not in memory, process
        service.daemon.reload()


def memory_of(pid):
    """The readable memory of the process, including the program's constants, without its libraries."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            place, rights, _, _, _, *name = line.split()
            start, end = (int(number, 16) for number in place.split("-"))
            # The sanitizers reserve terabytes, most of which was never touched.
            if rights[0] == "r" and end - start < 1 << 28 and not (name and name[0].startswith(("/usr", "/lib", "[v"))):
                memory.seek(start)
                with contextlib.suppress(OSError):
                    found.append(memory.read(end - start))
    return b"".join(found)


def test_a_database_that_is_away(start_hook, cluster):
    """The trigger gets an error and may try again. No acknowledged user is lost."""
    service = start_hook(workers=1, statement_timeout=300, deadline=500)
    eventually(lambda: service.deliver(sign_up("before")).status == 200)
    with cluster.away():
        reply = service.deliver(sign_up("during"))
        assert (reply.status, reply.json, reply.headers["Retry-After"]) == (503, ["database_unavailable"], "1")
        assert refused(service, service.post(TARGET, BODY))
    eventually(lambda: service.deliver(sign_up("during")).status == 200)
    assert service.user("sub-of-before") and service.user("sub-of-during")


def test_a_statement_that_is_cancelled(start_hook):
    """The server cancels a statement in the same way if it waits too long."""
    service = start_hook(workers=1)
    assert service.deliver(sign_up("early")).status == 200
    with service.database.held("lock table users in share mode"):
        asking = Asking(service.deliver, sign_up("patient"))
        ((backend, _),) = service.database.wait_for_waiting()
        service.database.run("select pg_cancel_backend(%s)", backend)
        assert (asking.reply().status, asking.reply().json) == (504, ["database_timeout"])


def test_a_session_lost_on_the_way(start_hook):
    """The statement is sent again on another session and makes one user."""
    service = start_hook(workers=1)
    assert service.deliver(sign_up("early")).status == 200
    with service.database.held("lock table users in share mode"):
        asking = Asking(service.deliver, sign_up("resent"))
        ((backend, _),) = service.database.wait_for_waiting()
        service.database.sql("select pg_terminate_backend(%s)", backend)
        eventually(lambda: service.database.wait_for_waiting()[0][0] != backend, what="the second attempt")
    assert asking.reply().status == 200
    assert service.user("sub-of-resent")


def test_without_prepared_statements(start_hook):
    service = start_hook(prepare=0)
    body = raw(sign_up("unprepared"))
    assert service.deliver(body).body == body


def test_no_log_has_an_address_or_the_secret(start_hook, cluster):
    canary = f"canary-{uuid.uuid4()}"
    service = start_hook(workers=1, identity="token", issuer="https://i.example", cognito_client="c", jwks_file=os.devnull)
    server_log_before = len(cluster.log.read_text())
    for attributes in [{}, *(attributes for attributes, _ in TAKEN), *(attributes for attributes, _ in REFUSED)]:
        values = {"name": canary, "email": f"{canary}@example.com", "preferred_username": f"{canary[:40]}"} | attributes
        assert service.deliver(sign_up(canary, **values)).status in (200, 409, 422)
    taken = sign_up("other", email=f"{canary}@EXAMPLE.com")
    assert service.deliver(taken).json == ["email_taken"]
    assert refused(service, service.deliver(sign_up(canary), secret="wrong"))
    service.daemon.stop()
    logs = [service.log.text, cluster.log.read_text()[server_log_before:], service.front.access_log.text, service.front.error_log.text]
    for text in logs:
        assert canary not in text and "example.com" not in text and SECRET not in text
    assert len(service.log.requests()) == len(TAKEN) + len(REFUSED) + 3
