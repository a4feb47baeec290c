"""The Lambda function: a confirmed sign-up becomes a user, each event is returned unchanged, and anything else is an error of the
function."""

import contextlib
import ipaddress
import json
import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aws import ALWAYS, CUT, HALF, LOST, Function, RuntimeApi, SecretsManager
from cluster import HOOK_PASSWORD, Cluster, Database, cheap_verifier, loopback_address
from issuer import Authority, certificate
from test_hook import POOL, sign_up
from waiting import PATIENCE, eventually

EVENT_MAX = 1024 * 1024


class TlsCluster(Cluster):
    """A server with a certificate for its address, signed by its own authority. It listens on a second address, too."""

    def __init__(self):
        super().__init__(loopback_address())
        self.other_address = loopback_address()

    def make(self):
        super().make()
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
        for name, key in zip(("authority", "another"), keys):
            (self.folder.path / f"{name}.pem").write_bytes(certificate(name, key, name, key, [(x509.BasicConstraints(True, 0), True)]))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(self.address))])
        (self.data / "server.key").touch(0o600)
        (self.data / "server.key").write_bytes(keys[2].private_bytes(*form))
        (self.data / "server.crt").write_bytes(certificate("database", keys[2], "authority", keys[0], [(address, False)]))
        self.own(self.data / "server.key")
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(f"ssl = on\nlisten_addresses = '{self.address}, {self.other_address}'\n")
        with (self.data / "pg_hba.conf").open("r+") as access:
            text = access.read().replace("host  all", "hostssl all")
            access.seek(0)
            access.write(text)

    @property
    def authority(self):
        return self.folder.path / "authority.pem"


@pytest.fixture(scope="module")
def tls_cluster():
    with TlsCluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def database(tls_cluster):
    database = Database(tls_cluster)
    database.feed_bound = 0
    yield database
    database.remove()


@pytest.fixture(scope="module")
def settings(tls_cluster, database):
    """settings(…): the environment of a function that works, with the given changes."""

    def make(**more):
        return {
            "CONNECTION_URL": database.url("cruddur_hook", HOOK_PASSWORD),
            "PGSSLROOTCERT": tls_cluster.authority,
            "AWS_COGNITO_USER_POOL_ID": POOL,
        } | more

    return make


@pytest.fixture(scope="module")
def function(settings):
    """One function for all tests that do not change it."""
    with Function(settings()) as function:
        yield function


def user(database, name):
    """handle, display name and e-mail of the one user of that name's sub, or None."""
    rows = database.sql("select handle, display_name, email from users where cognito_user_id = %s", f"sub-of-{name}")
    assert len(rows) <= 1
    return rows[0] if rows else None


def users(database):
    return database.sql("select * from users order by uuid")


def sessions(database):
    return database.sql(
        "select a.pid, s.ssl from pg_stat_activity a join pg_stat_ssl s using (pid)"
        " where a.datname = current_database() and a.application_name = 'cruddur-confirm'"
    )


def is_echoed(invocation):
    answer = invocation.answer()
    return (answer.kind, answer.body) == ("response", invocation.event)


def waiting(database):
    """The process ids of the sessions that wait for a lock."""
    return database.run("select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")


def echoes(function, event):
    return is_echoed(function.api.invoke(event))


def ended(function):
    """Whether the function ends by itself, with status 1."""
    return function.process.wait() == 1


# --- events ---


def test_a_sign_up_becomes_a_user(function, database):
    event = json.dumps(sign_up("ada"), indent=3).encode() + b"\n"
    invocation = function.api.invoke(event)
    assert is_echoed(invocation)
    assert user(database, "ada") == ("ada", "Name of ada", "ada@example.com")
    line = function.line_of(invocation)
    assert {name: line[name] for name in ("level", "event", "trigger", "outcome")} == {
        "level": "info", "event": "invocation", "trigger": "PostConfirmation_ConfirmSignUp", "outcome": "ok",
    }  # fmt: skip
    assert set(line) == {"time", "level", "event", "pid", "request_id", "trigger", "outcome", "ms", "db_ms"}
    assert line["ms"] >= line["db_ms"] > 0
    assert all(word not in function.log.text for word in ("ada", "@", HOOK_PASSWORD))


def test_the_connection_is_kept_and_encrypted(function, database):
    assert echoes(function, sign_up("kept"))
    before = sessions(database)
    assert [is_encrypted for _, is_encrypted in before] == [True]
    assert echoes(function, sign_up("kept2"))
    assert sessions(database) == before


@pytest.mark.parametrize("escaped", [True, False])
def test_any_text_comes_back_as_it_was(function, database, escaped):
    name = f"текст{escaped:d}"
    event = sign_up(name, name="Ünï \U0001f600 \"q\" \\ </script> ' ; --", more="\u2028 \t")
    assert echoes(function, json.dumps(event, ensure_ascii=escaped).encode())
    assert user(database, name)[1] == event["request"]["userAttributes"]["name"]


def test_an_event_that_comes_again(function, database):
    assert echoes(function, sign_up("again"))
    before = database.sql("select * from users where handle = 'again'")
    assert echoes(function, sign_up("again"))
    assert database.sql("select * from users where handle = 'again'") == before


@pytest.mark.parametrize("trigger", ["PostConfirmation_ConfirmForgotPassword", "PreSignUp_SignUp", "", "postconfirmation_confirmsignup", "ada@example.com"])
def test_events_of_other_triggers(function, database, trigger):
    """Such an event is returned unchanged, even if its attributes could not be stored."""
    before = users(database)
    invocation = function.api.invoke(sign_up("andrewbrown", trigger=trigger, email="not one", number=1.50))
    assert is_echoed(invocation)
    assert users(database) == before
    line = function.line_of(invocation)
    assert (line["outcome"], line["db_ms"]) == ("echoed", 0)
    assert line["trigger"] == (trigger if trigger.startswith("P") else "other")


def of_size(size, trigger="PreSignUp_SignUp"):
    event = sign_up("large", trigger=trigger, more="")
    event["request"]["userAttributes"]["more"] = "x" * (size - len(json.dumps(event)))
    return event


def test_the_largest_event(function, database):
    for trigger in ("PreSignUp_SignUp", "PostConfirmation_ConfirmSignUp"):
        assert echoes(function, of_size(EVENT_MAX, trigger))
        assert function.fails(of_size(EVENT_MAX + 1, trigger)) == "event_too_large"
    assert user(database, "large")
    assert echoes(function, sign_up("behind-large"))


# --- events that make no user ---


def changed(**attributes):
    return sign_up("mallory", **attributes)


def placed(**members):
    return {**sign_up("mallory"), **members}


GOOD = json.dumps(sign_up("mallory")).encode()
NAME = json.dumps(sign_up("mallory")["request"]["userAttributes"]["name"]).encode()


def with_name(raw):
    """GOOD with this JSON text as the name."""
    assert GOOD.count(NAME) == 1
    return GOOD.replace(NAME, raw)


def twice(member, value):
    """GOOD with a second value of the member."""
    return GOOD.replace(b'"%s"' % member, b'"%s": %s, "%s"' % (member, value, member), 1)


NOT_JSON = [
    b"", b" ", b"{", b"}", b"null", b"1", b'"text"', b"[]", b"[" + GOOD + b"]", b"nonsense", b"\xef\xbb\xbf" + GOOD, b"\0" + GOOD, GOOD + b"\0",
    GOOD + b"}", GOOD + GOOD, GOOD[:-1], GOOD[: len(GOOD) // 2], GOOD.replace(b'"', b"'"), GOOD.replace(b":", b"="), GOOD.replace(b"}", b",}"),
    b"//\n" + GOOD, GOOD + b"/**/", GOOD.decode().encode("utf-16"), GOOD.decode().encode("utf-32-le"),
    with_name(b'"\xff"'), with_name(b'"\xc3"'), with_name(b'"\xc0\xaf"'), with_name(b'"\xed\xa0\x80"'), with_name(b'"\xf4\x90\x80\x80"'),
    with_name(b'"\\u0000"'), with_name(b'"a\0b"'), with_name(b'"\\ud800"'), with_name(b'"\\udc00\\ud800"'), with_name(b'"\\u12g4"'), with_name(b'"\\x41"'),
    with_name(b'"a\nb"'), with_name(b'"\x1f"'), with_name(b'"open'), with_name(b"NaN"), with_name(b"Infinity"), with_name(b"01"), with_name(b"+1"),
    with_name(b"1."), with_name(b".5"), with_name(b"True"), with_name(b"undefined"), with_name(b"[" * 17 + b"]" * 17), with_name(b"[" * 5000),
    twice(b"triggerSource", b'"PreSignUp_SignUp"'), twice(b"sub", b'"sub-of-other"'), twice(b"email", b'"other@example.com"'),
    twice(b"userPoolId", b'"us-east-1_other"'), twice(b"request", b"{}"),
]  # fmt: skip
FORGED = {
    "trigger_source_blank": [
        {}, {"event": sign_up("mallory")}, placed(triggerSource=None), placed(triggerSource=1), placed(triggerSource=True), placed(triggerSource={}),
        placed(triggerSource=["PostConfirmation_ConfirmSignUp"]), {"Records": [{"body": GOOD.decode()}]}, {"httpMethod": "POST", "body": GOOD.decode()},
        {"TriggerSource": "PostConfirmation_ConfirmSignUp"}, {"__proto__": sign_up("mallory")},
    ],
    "user_pool_mismatch": [
        placed(userPoolId="us-east-1_other"), placed(userPoolId=POOL + " "), placed(userPoolId=POOL.upper()), placed(userPoolId=""), placed(userPoolId=None),
        placed(userPoolId=[POOL]), {name: value for name, value in sign_up("mallory").items() if name != "userPoolId"},
    ],
    "cognito_user_id_blank": [
        changed(sub=None), changed(sub=""), changed(sub=1), changed(sub=["sub-of-mallory"]), changed(sub={}), placed(request=None), placed(request=[]),
        placed(request={}), placed(request={"userAttributes": None}), placed(request={"userAttributes": [["sub", "x"]]}), placed(request={"userAttributes": "sub"}),
        placed(request={"userattributes": sign_up("mallory")["request"]["userAttributes"]}),
    ],
    "cognito_user_id_invalid": [changed(sub=" "), changed(sub="x" * 1025), changed(sub="a\tb")],
    "user_handle_blank": [changed(preferred_username=None), changed(preferred_username=""), changed(preferred_username=7)],
    "user_handle_invalid": [
        changed(preferred_username="a b"), changed(preferred_username="x" * 256), changed(preferred_username="a\u202eb"), changed(preferred_username="a/b"),
        changed(preferred_username="\u200b"), changed(preferred_username="@mallory"), changed(preferred_username="AndrewBrown\u00ad"),
    ],
    "display_name_blank": [changed(name=None), changed(name=""), changed(name=" \u3000"), changed(name=False)],
    "display_name_exceed_max_chars": [changed(name="x" * 256)],
    "display_name_invalid": [changed(name="a\u202eb"), changed(name="a\u0001b"), changed(name="a\u2028b")],
    "email_blank": [changed(email=None), changed(email=""), changed(email={"address": "m@example.com"})],
    "email_invalid": [changed(email="mallory"), changed(email="mallory@"), changed(email="@example.com"), changed(email="a b@example.com")],
    "handle_taken": [changed(preferred_username="andrewbrown"), changed(preferred_username="ANDREWBROWN")],
    "email_taken": [changed(email="andrew@example.com"), changed(email="ANDREW@Example.com")],
}  # fmt: skip


def words(function, events):
    """Sends all events at once. Returns "ok" or the error type of each."""
    invocations = [function.api.invoke(event) for event in events]
    return [json.loads(invocation.answer().body)["errorType"] if invocation.answer().kind == "error" else "ok" for invocation in invocations]


def test_a_hundred_malformed_and_forged_events(function, database):
    database.sql("update users set email = 'andrew@example.com' where handle = 'andrewbrown'")
    before, text = users(database), function.log.text
    assert len(NOT_JSON) + sum(map(len, FORGED.values())) >= 100
    told = words(function, NOT_JSON)
    assert told == ["event_not_json"] * len(NOT_JSON), [event for event, word in zip(NOT_JSON, told) if word != "event_not_json"]
    for word, events in FORGED.items():
        assert words(function, events) == [word] * len(events), word
    assert users(database) == before
    log = function.log.text[len(text) :]
    assert all(secret not in log for secret in ("mallory", "@", "andrew", "x" * 20))
    assert echoes(function, sign_up("after-mallory"))


def test_without_a_pool_any_counts(settings, database):
    with Function(settings(AWS_COGNITO_USER_POOL_ID=None)) as function:
        assert echoes(function, {**sign_up("elsewhere"), "userPoolId": "us-east-1_other"})
        assert any("AWS_COGNITO_USER_POOL_ID" in line for line in function.log.messages("start"))
    assert user(database, "elsewhere")


# --- many, and interrupted ones ---


def test_ten_deliveries_at_once(settings, database):
    """Ten processes get the same event at once and make one user."""
    api = RuntimeApi()
    with contextlib.ExitStack() as stack:
        stack.callback(api.stop)
        for _ in range(10):
            stack.enter_context(Function(settings(), api))
        eventually(lambda: len(sessions(database)) >= 10, what="ten sessions")
        eventually(lambda: api.requests.count("next") >= 10, what="ten processes that wait")
        with database.locked():
            invocations = [api.invoke(sign_up("tenfold")) for _ in range(10)]
            eventually(lambda: len(waiting(database)) == 10, what="ten at once")
        assert {invocation.answer().kind for invocation in invocations} == {"response"}
    assert user(database, "tenfold")


def test_a_lost_session(function, database):
    assert echoes(function, sign_up("before-loss"))
    ((pid, _),) = sessions(database)
    database.sql("select pg_terminate_backend(%s)", pid)
    assert echoes(function, sign_up("after-loss"))
    assert user(database, "after-loss") and sessions(database) != [(pid, True)]


def test_a_session_lost_under_an_event(function, database):
    """The statement is repeated on the next session and makes one user."""
    assert echoes(function, sign_up("before-cut"))
    with database.locked():
        invocation = function.api.invoke(sign_up("cut-under"))
        ((pid,),) = eventually(lambda: waiting(database), what="a statement that waits")
        database.run("select pg_terminate_backend(%s)", pid)
    assert invocation.answer().kind == "response"
    assert user(database, "cut-under")


def test_a_database_that_is_down(settings, tls_cluster, database):
    """The database is down when the function starts. Sign-ups fail until it is back."""
    with contextlib.ExitStack() as stack:
        with tls_cluster.away():
            function = stack.enter_context(Function(settings()))
            assert function.fails(sign_up("down")) == "database_unavailable"
            for _ in range(2):
                invocation = function.api.invoke(sign_up("down"))
                assert invocation.answer().kind == "error"
                assert function.line_of(invocation)["ms"] >= 1500  # each event waits for its full time
            assert echoes(function, sign_up("x", trigger="PreSignUp_SignUp"))
        assert user(database, "down") is None
        assert echoes(function, sign_up("down"))
        tls_cluster.restart("immediate")
        assert echoes(function, sign_up("up-again"))
    assert user(database, "down") and user(database, "up-again")


def test_a_host_that_refuses_before_one_that_does_not(settings, cluster, tls_cluster, database):
    """The function tries the next address. The login counts as refused only when all addresses have refused it."""
    tls_cluster.sql(f"create role known_here login in role cruddur_confirmation password '{cheap_verifier('known')}'")
    tls_cluster.sql(f"grant connect on database {database.name} to known_here")
    url = database.url("known_here", "known", hosts=[cluster.sockets, tls_cluster.address])
    with Function(settings(CONNECTION_URL=url)) as function:
        assert echoes(function, sign_up("second1"))
        database.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'known_here'")
        assert echoes(function, sign_up("second2"))
    assert user(database, "second2")


# --- deadlines ---


def test_a_deadline_that_has_passed(function, database):
    for seconds in (-10, 0, 0.09):
        assert function.fails(sign_up("too-late"), seconds) == "deadline_passed"
    assert echoes(function, {**sign_up("too-late"), "triggerSource": "PreSignUp_SignUp"})
    assert user(database, "too-late") is None


@pytest.mark.parametrize("is_named", [True, False])
def test_a_deadline_that_passes(settings, database, is_named):
    """The deadline that Lambda names, or the function's own. A statement that was given up never commits."""
    name = f"slow{is_named:d}"
    with Function(settings() if is_named else settings(CRUDDUR_DEADLINE=500)) as function:
        assert echoes(function, sign_up(f"quick{is_named:d}"))
        with database.locked():
            assert function.fails(sign_up(name), 1 if is_named else None) == "database_timeout"
        eventually(lambda: not waiting(database), what="the end of the statement")
        assert user(database, name) is None
        assert echoes(function, sign_up(name))
    assert user(database, name)


# --- TLS ---


def refuses_certificate(settings, reason):
    with Function(settings) as function:
        assert function.fails(sign_up("unverified")) == "database_unavailable"
        assert any(reason in message for message in function.log.messages("database")), function.log.text


def test_certificates_that_are_not_the_servers(settings, tls_cluster, database):
    wrong_host = database.url("cruddur_hook", HOOK_PASSWORD, hosts=[tls_cluster.other_address])
    refuses_certificate(settings(CONNECTION_URL=wrong_host), "does not match host name")
    refuses_certificate(settings(PGSSLROOTCERT=tls_cluster.folder.path / "another.pem"), "certificate verify failed")
    refuses_certificate(settings(PGSSLROOTCERT="/nowhere/ca.pem"), "does not exist")
    refuses_certificate(settings(PGSSLROOTCERT=None), "root certificate file")
    assert user(database, "unverified") is None


def test_a_url_may_say_otherwise(settings, tls_cluster, database):
    """With sslmode=require the function warns that the certificate is not verified. The URL may also name the authorities."""
    url = database.url("cruddur_hook", HOOK_PASSWORD, hosts=[tls_cluster.other_address], sslmode="require")
    with Function(settings(CONNECTION_URL=url, PGSSLROOTCERT=None)) as function:
        assert echoes(function, sign_up("require"))
        assert any("not verified" in message for message in function.log.messages("database"))
    url = database.url("cruddur_hook", HOOK_PASSWORD, sslrootcert=tls_cluster.authority)
    with Function(settings(CONNECTION_URL=url, PGSSLROOTCERT=None)) as function:
        assert echoes(function, sign_up("rootcert"))
        assert function.log.messages("database") == []


def test_the_authorities_of_the_bundle(settings, tls_cluster, tmp_path):
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca/public.pem").write_bytes((tls_cluster.folder.path / "another.pem").read_bytes())
    refuses_certificate(settings(PGSSLROOTCERT=None, LAMBDA_TASK_ROOT=tmp_path), "certificate verify failed")
    (tmp_path / "ca/database.pem").write_bytes(tls_cluster.authority.read_bytes())
    with Function(settings(PGSSLROOTCERT=None, LAMBDA_TASK_ROOT=tmp_path)) as function:
        assert echoes(function, sign_up("bundled"))


# --- settings ---


@pytest.mark.parametrize(
    "more, reason",
    [
        ({"CONNECTION_URL": None}, "CONNECTION_URL or DATABASE_SECRET_ARN must be set"),
        ({"CONNECTION_URL": "postgresql://a:p@ss@host/x"}, "an @ too many"),
        ({"CONNECTION_URL": "mysql://host"}, "it is no connection string"),
        ({"CRUDDUR_SQL_DIR": "/nowhere"}, "the SQL templates below /nowhere"),
        ({"CRUDDUR_DEADLINE": "900001"}, "from 100 to 900000"),
        ({"CRUDDUR_DEADLINE": "99"}, "from 100 to 900000"),
        ({"CRUDDUR_DEADLINES": "100"}, "CRUDDUR_DEADLINES is no setting"),
        ({"CRUDDUR_PREPARE": "0"}, "CRUDDUR_PREPARE is no setting"),
        ({"DATABASE_SECRET_ARN": SecretsManager.ARN}, "needs AWS_ACCESS_KEY_ID"),
        (SecretsManager.CREDENTIALS | {"DATABASE_SECRET_ARN": "cruddur/hook"}, "is no ARN"),
        (SecretsManager.CREDENTIALS | {"DATABASE_SECRET_ARN": SecretsManager.ARN, "AWS_ENDPOINT_URL": "http://example.com"}, "must be an https:// URL"),
    ],
)
def test_settings_that_are_wrong(settings, more, reason):
    with Function(settings(**more)) as function:
        assert ended(function)
        (error,) = function.api.init_errors
        document = json.loads(error.body)
        assert reason in document["errorMessage"] and document["errorType"] == "settings_invalid"
        assert error.error_type == "Function.settings_invalid"
        assert "p@ss" not in function.log.text


@pytest.mark.parametrize("fault", [403, 500, LOST])
def test_a_reason_for_not_starting_that_is_not_taken(settings, fault):
    """The report of a failed start is not accepted. The reason is in the log in any case, and the process ends."""
    api = RuntimeApi()
    with contextlib.ExitStack() as stack:
        stack.callback(api.stop)
        api.faults["init"].extend([fault] * ALWAYS)
        function = stack.enter_context(Function(settings(CRUDDUR_DEADLINE="soon"), api))
        assert ended(function)
        assert any("CRUDDUR_DEADLINE must be a number" in message for message in function.log.messages("start"))
        assert any(f"answer: {'no answer' if fault == LOST else f'status {fault}'}" in message for message in function.log.messages("runtime"))
        assert (api.init_errors, "next" in api.requests) == ([], False)


def test_without_lambda_it_says_so(settings):
    with Function(settings(AWS_LAMBDA_RUNTIME_API=None)) as function:
        assert function.process.wait() == 2
        assert "AWS Lambda starts it" in function.log.text
        function.process.process.returncode = 1  # as __exit__ wants it


def test_a_password_of_the_environment(settings, tls_cluster, database):
    url = f"postgresql://cruddur_hook@{tls_cluster.address}/{database.name}"
    with Function(settings(CONNECTION_URL=url, PGPASSWORD=HOOK_PASSWORD)) as function:
        assert echoes(function, sign_up("pgpassword"))
        assert echoes(function, sign_up("pgpassword2"))
    assert user(database, "pgpassword2")


def test_a_wrong_password(settings, database):
    with Function(settings(CONNECTION_URL=database.url("cruddur_hook", "wrong-password"))) as function:
        assert function.fails(sign_up("refused")) == "database_refused"
        assert "wrong-password" not in function.log.text
    assert user(database, "refused") is None


# --- the Runtime API ---


@pytest.mark.parametrize("fault", [500, 503, 403, 410, 302])
def test_no_next_event(settings, fault):
    with Function(settings()) as function:
        assert function.api.has_asked.wait(PATIENCE)
        function.api.faults["next"].append(fault)
        assert echoes(function, sign_up("next-fault"))
        assert ended(function)
        assert function.log.messages("runtime") == [f"next: status {fault}"]


def test_connections_to_the_runtime_that_are_cut(settings, database):
    api = RuntimeApi()
    api.faults["next"].extend([LOST, HALF])
    with contextlib.ExitStack() as stack:
        stack.callback(api.stop)
        function = stack.enter_context(Function(settings(), api))
        api.faults["response"].extend([LOST, LOST])
        invocation = api.invoke(sign_up("cut1"))
        assert is_echoed(invocation) and "answer" not in function.line_of(invocation)
        api.faults["response"].append(CUT)
        invocation = api.invoke(sign_up("cut2"))
        assert is_echoed(invocation) and function.line_of(invocation)["answer"] == "refused"
        api.faults["error"].append(LOST)
        assert function.fails(b"nonsense") == "event_not_json"
        assert echoes(function, sign_up("cut3"))
        api.faults["next"].extend([LOST] * ALWAYS)
        api.invoke(b"nonsense")
        assert ended(function)
    assert all(user(database, f"cut{number}") for number in range(1, 4))


@pytest.mark.parametrize("fault", [400, 403, 410, 413])
def test_answers_that_are_refused(function, fault):
    """The Runtime API refuses an answer, for instance because the invocation is over. The next event is served."""
    for kind, event in (("response", sign_up("unheard")), ("error", b"nonsense")):
        function.api.faults[kind].append(fault)
        line = function.line_of(function.api.invoke(event))
        assert (line["answer"], line["level"]) == ("refused", "warning")
    assert echoes(function, sign_up("heard"))


@pytest.mark.parametrize("kind, faults", [("response", [500]), ("error", [500]), ("response", [LOST] * ALWAYS)])
def test_a_runtime_that_is_of_no_use(settings, kind, faults):
    with Function(settings()) as function:
        function.api.faults[kind].extend(faults)
        invocation = function.api.invoke(sign_up("useless") if kind == "response" else b"nonsense")
        assert ended(function)
        assert function.line_of(invocation)["answer"] == "failed"


@pytest.mark.parametrize(
    "headers", [{"Lambda-Runtime-Aws-Request-Id": None}, {"Lambda-Runtime-Aws-Request-Id": "../next"}, {"Lambda-Runtime-Deadline-Ms": "soon"}]
)
def test_headers_that_are_no_invocations(settings, database, headers):
    with Function(settings()) as function:
        function.api.invoke(sign_up("headless"), **headers)
        assert ended(function)
    assert user(database, "headless") is None


# --- secrets ---


def secret_of(tls_cluster, database, **more):
    """A secret as RDS writes it."""
    return {
        "engine": "postgres", "host": tls_cluster.address, "port": 5432, "username": "cruddur_hook", "password": HOOK_PASSWORD, "dbname": database.name,
    } | more  # fmt: skip


def test_a_login_from_secrets_manager(settings, tls_cluster, database):
    """The secret has the whole login, or what the URL leaves open. One signed request fetches it."""
    for name, value, url in (
        ("secret1", secret_of(tls_cluster, database), None),
        ("secret2", {"username": "cruddur_hook", "password": HOOK_PASSWORD}, f"postgresql://{tls_cluster.address}/{database.name}"),
        ("secret3", database.url("cruddur_hook", HOOK_PASSWORD), None),
    ):
        with SecretsManager(value) as manager, Function(settings(**manager.environment(CONNECTION_URL=url))) as function:
            assert echoes(function, sign_up(name))
            assert user(database, name)
            assert manager.fetches == 1
            assert all(text not in function.log.text for text in (HOOK_PASSWORD, "EXAMPLE", "IQoJ"))


def test_the_managers_certificate_is_verified(settings, tls_cluster, database, tmp_path):
    authority = Authority(tmp_path)
    with SecretsManager(secret_of(tls_cluster, database), authority.server_file) as manager:
        with Function(settings(**manager.environment(AWS_CA_BUNDLE=authority.file))) as function:
            assert echoes(function, sign_up("by-https"))
        with Function(settings(**manager.environment(AWS_CA_BUNDLE=tls_cluster.authority))) as function:
            assert function.fails(sign_up("by-https2")) == "secret_unavailable"
        assert manager.fetches == 1


def test_a_password_that_was_rotated(settings, tls_cluster, database):
    """An open session goes on. The next session uses the new password, for which the secret is fetched once."""
    database.sql(f"create role rotated login in role cruddur_confirmation password '{cheap_verifier('first')}'")
    database.sql(f"grant connect on database {database.name} to rotated")
    with SecretsManager(secret_of(tls_cluster, database, username="rotated", password="first")) as manager:
        with Function(settings(**manager.environment())) as function:
            assert echoes(function, sign_up("rotated1"))
            manager.value["password"] = "it's \\new"
            database.sql(f"alter role rotated password '{cheap_verifier(manager.value['password'])}'")
            assert echoes(function, sign_up("rotated2"))
            assert manager.fetches == 1
            database.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotated'")
            assert echoes(function, sign_up("rotated3"))
            assert manager.fetches == 2
            manager.value["password"] = "wrong"
            database.sql(f"alter role rotated password '{cheap_verifier('another')}'")
            database.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotated'")
            assert function.fails(sign_up("rotated4")) == "database_refused"
            assert manager.fetches == 3
            manager.value["password"] = "another"
            assert echoes(function, sign_up("rotated4"))
            assert manager.fetches == 4
    with SecretsManager(secret_of(tls_cluster, database, password="wrong")) as manager:
        manager.faults.extend([500, 500])  # so that the start gets no secret
        with Function(settings(**manager.environment())) as function:
            assert function.fails(sign_up("rotated5")) == "database_refused"
            assert manager.fetches == 3  # a secret that was fetched for this event is not fetched again


def test_a_manager_that_is_silent(settings, tls_cluster, database):
    with SecretsManager(secret_of(tls_cluster, database)) as manager, contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Function(settings(**manager.environment(AWS_ENDPOINT_URL_SECRETS_MANAGER=url))) as function:
            for seconds in (10, 1):
                invocation = function.api.invoke(sign_up("silent"), seconds)
                assert json.loads(invocation.answer().body)["errorType"] in ("secret_unavailable", "deadline_passed")
    assert user(database, "silent") is None


def test_a_manager_that_fails(settings, tls_cluster, database):
    """A failure that may be temporary is retried once, at the start and for each event; then the event is answered."""
    with SecretsManager(secret_of(tls_cluster, database)) as manager:
        manager.faults.extend([500, 503, LOST, 400, b"{}", b"nonsense", 503])
        with Function(settings(**manager.environment())) as function:
            for _ in range(3):
                assert function.fails(sign_up("failing")) == "secret_unavailable"
            assert echoes(function, sign_up("failing"))
            assert manager.fetches == 8
            texts = function.log.messages("secret")
            assert [text.partition(": ")[2] for text in texts] == ["status 503, Injected", "status 400, Injected", "the answer has no SecretString", "the answer has no SecretString"]
        manager.value = "no secret of ours"
        with Function(settings(**manager.environment())) as function:
            assert function.fails(sign_up("failing")) == "secret_unavailable"
            assert function.log.messages("secret")[-1] == "the secret is neither a URL nor a JSON object"
        wrong = manager.environment(AWS_SECRET_ACCESS_KEY="another")
        with Function(settings(**wrong)) as function:
            assert function.fails(sign_up("failing")) == "secret_unavailable"
            assert "InvalidSignatureException" in function.log.messages("secret")[-1]
