"""Callers in token mode: which user a token stands for, how forged tokens are answered, and what a request without a token may do."""

import hashlib
import hmac
import json
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from client import PROBLEM
from issuer import CLIENT, Key, TokenService, base64url, bearer, claims_for, encoded, small_key
from waiting import eventually

SOME = "5e1f0c3a-9d2b-4f6e-8a7c-1b0d9e8f7a6b"  # fixed, so that the cases have the same names in every process
FOR_CALLERS = [
    ("POST", "/api/activities"),
    ("POST", f"/api/activities/{SOME}/reply"),
    ("DELETE", f"/api/activities/{SOME}"),
    ("POST", "/api/profile/update"),
    ("PUT", "/api/profile/update"),
    ("GET", "/api/activities/notifications"),
    ("GET", "/api/activities/notifications/unread"),
    ("PUT", "/api/activities/notifications/read"),
    ("GET", "/api/activities/following"),
    ("PUT", f"/api/activities/{SOME}/like"),
    ("DELETE", f"/api/activities/{SOME}/like"),
    ("PUT", f"/api/activities/{SOME}/repost"),
    ("DELETE", f"/api/activities/{SOME}/repost"),
    ("PUT", f"/api/activities/{SOME}/keep"),
    ("PUT", "/api/users/@londo/follow"),
    ("DELETE", "/api/users/@londo/follow"),
    ("GET", "/api/message_groups"),
    ("HEAD", "/api/message_groups"),
    ("GET", f"/api/messages/{SOME}"),
    ("GET", "/api/messages/@londo"),
    ("POST", "/api/messages"),
]
FOR_ALL = ["/api/activities/home", "/api/activities/@andrewbrown", "/api/users/@londo/short", "/api/health-check",
           "/api/activities/search?term=x", "/api/trends", "/api/users/suggested", "/api/metrics/growth"]  # fmt: skip


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        yield service


def forged(key):
    """Tokens that are wrong in one thing each, {what: token}."""
    forger = Key(key.kid, key.bits)
    now = int(time.time())
    header = {"alg": "RS256", "kid": key.kid}
    good = key.token()
    head, payload, signature = good.split(".")
    unsigned = f"{encoded({'alg': 'none', 'kid': key.kid})}.{payload}"
    hs256 = f"{encoded({'alg': 'HS256', 'kid': key.kid})}.{payload}"
    by_pem = base64url(hmac.new(key.public_pem(), hs256.encode(), hashlib.sha256).digest())
    pss = {"scheme": padding.PSS(padding.MGF1(hashes.SHA256()), 32)}
    return {
        "null": "null",
        "undefined": "undefined",
        "one word": "x",
        "none": f"{unsigned}.",
        "none, any signature": f"{unsigned}.{signature}",
        "HS256 by the public key": f"{hs256}.{by_pem}",
        "RS384": key.sign(header | {"alg": "RS384"}, claims_for(), digest=hashes.SHA384()),
        "RS512": key.sign(header | {"alg": "RS512"}, claims_for(), digest=hashes.SHA512()),
        "PS256": key.sign(header | {"alg": "PS256"}, claims_for(), **pss),
        "PS256 called RS256": key.sign(header, claims_for(), **pss),
        "RS384 called RS256": key.sign(header, claims_for(), digest=hashes.SHA384()),
        "ES256 by name": key.token(header={"alg": "ES256"}),
        "no kid": key.sign({"alg": "RS256"}, claims_for()),
        "unknown kid": key.token(header={"kid": "another"}),
        "kid twice": key.sign(f'{{"alg":"RS256","kid":"x","kid":"{key.kid}"}}'.encode(), claims_for()),
        "another's signature": forger.token(),
        "jwk": forger.token(header={"jwk": forger.jwk()}),
        "jku": forger.token(header={"jku": "https://127.0.0.1:1/jwks.json"}),
        "x5u": forger.token(header={"x5u": "https://127.0.0.1:1/x.pem"}),
        "jwk and unknown kid": forger.token(header={"kid": "mine", "jwk": forger.jwk(kid="mine")}),
        "crit": key.token(header={"crit": ["exp"]}),
        "b64": key.token(header={"b64": True}),
        "zip": key.token(header={"zip": "DEF"}),
        "enc": key.token(header={"enc": "A128GCM"}),
        "iss": key.token(iss="https://issuer.example/other"),
        "no iss": key.token(iss=None),
        "client": key.token(client_id="another"),
        "no client": key.token(client_id=None),
        "aud instead": key.token(client_id=None, aud=CLIENT),
        "id token": key.token(token_use="id"),
        "id token with aud": key.token(token_use="id", client_id=None, aud=CLIENT),
        "no use": key.token(token_use=None),
        "expired": key.token(exp=now - 31),
        "expired long ago": key.token(exp=1),
        "no exp": key.token(exp=None),
        "exp a string": key.token(exp=str(now + 3600)),
        "exp a fraction": key.token(exp=now + 3600.5),
        "exp true": key.token(exp=True),
        "exp huge": key.token(exp=2**64),
        "exp negative": key.token(exp=-1),
        "not yet": key.token(nbf=now + 1800),
        "no sub": key.token(None),
        "sub empty": key.token(""),
        "sub long": key.token("x" * 129),
        "sub with NUL": key.token("mock-andrewbrown\0"),
        "claims twice": key.sign(header, json.dumps(claims_for())[:-1].encode() + b',"exp":9999999999}'),
        "garbage behind the claims": key.sign(header, json.dumps(claims_for()).encode() + b"x"),
        "flipped": f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "another's claims": f"{head}.{encoded(claims_for('mock-londo'))}.{signature}",
        "two parts": f"{head}.{payload}",
        "four parts": f"{good}.x",
        "padding": f"{good}==",
        "padding inside": f"{head}=.{payload}.{signature}",
        "no base64url": f"{head}.{payload}.{signature[:-1]}*",
        "long": key.token(x="x" * 3200),
        "longer": key.token(x="x" * 4500),
    }


FORGERIES = sorted(forged(small_key()))


@pytest.fixture(scope="module")
def forgeries(service):
    return forged(service.key)


def check_refused(reply):
    assert (reply.status, reply.codes) == (401, ["generic_401"]), reply
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


def create(service, headers, **more):
    body = json.dumps({"message": "hi", "ttl": "1-day"} | more).encode()
    return service.ask("POST", "/api/activities", body, headers)


def test_the_author_is_the_subject(service):
    for handle, name in (("andrewbrown", "Andrew Brown"), ("londo", "Londo Mollari")):
        row = service.create_as(handle)
        assert (row["handle"], row["display_name"]) == (handle, name)


@pytest.mark.parametrize("what", FORGERIES)
def test_forged_tokens(service, forgeries, what):
    check_refused(create(service, bearer(forgeries[what])))


def test_forged_tokens_read_home_like_anybody(service, forgeries):
    anonymous = service.home().json
    for what, token in forgeries.items():
        reply = service.ask("GET", "/api/activities/home", headers=bearer(token))
        assert (what, reply.status, reply.json) == (what, 200, anonymous)


def test_forged_tokens_store_nothing(service, forgeries):
    before = service.database.messages()
    for token in forgeries.values():
        create(service, bearer(token))
    assert service.database.messages() == before


@pytest.mark.parametrize("seconds", [-5, -25, 3600])
def test_clocks_may_differ(service, seconds):
    """Each attempt makes a new token. Attempts are repeated until one is judged while the token has seconds left."""
    eventually(lambda: create(service, bearer(service.token("londo", exp=int(time.time()) + seconds))).status == 200)
    eventually(lambda: create(service, bearer(service.token("londo", nbf=int(time.time()) - seconds))).status == 200)


@pytest.mark.parametrize("form, status", [
    ("Bearer {}", 200), ("bearer {}", 200), ("BEARER {}", 200), ("Bearer   {}", 200),
    ("Bearer {} x", 401), ("Bearer x {}", 401), ("Bearer {0} {0}", 401), ("Bearer {},x", 401), ("Bearer\t{}", 401), ("Bearer{}", 401),
    ("{}", 401), ("Basic {}", 401), ("Token {}", 401), ("Bearer", 401), ("Bearer ", 401), ("", 401), ("Bearer null", 401),
    ("Bearer undefined", 401), ("Bearer \"{}\"", 401), ("Bearer token={}", 401), ("Bearer {0}\r\nAuthorization: Bearer {0}", (400, 401)),
])  # fmt: skip
def test_forms_of_the_header(service, form, status):
    header = form.format(service.token("londo"))
    reply = create(service, {"Authorization": header})
    if status == 401:
        check_refused(reply)
    assert reply.status == status or reply.status in (status if isinstance(status, tuple) else ())
    assert service.ask("GET", "/api/activities/home", headers={"Authorization": header}).status in (200, 400)


def test_a_token_elsewhere_is_none(service):
    token = service.token("londo")
    check_refused(service.post(f"/api/activities?access_token={token}", {"message": "hi", "ttl": "1-day", "access_token": token}))
    check_refused(create(service, {"Cookie": f"access_token={token}", "X-Authorization": f"Bearer {token}"}))


@pytest.mark.parametrize("method, target", FOR_CALLERS)
@pytest.mark.parametrize("authorization", [None, "Bearer null", "Bearer undefined", "Bearer a b c"])
def test_what_is_for_callers_alone(service, method, target, authorization):
    body = b"{}" if method in ("POST", "PUT") else None
    reply = service.ask(method, target, body, {"Authorization": authorization})
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    if method != "HEAD":
        check_refused(reply)


@pytest.mark.parametrize("authorization", [None, "Bearer null", "Bearer undefined", "Bearer a b c", "Basic eDp5", "Bearer a.b.c"])
@pytest.mark.parametrize("target", FOR_ALL)
def test_what_is_for_all(service, target, authorization):
    assert service.ask("GET", target, headers={"Authorization": authorization}).status == 200


def test_the_refusal_as_a_problem(service):
    reply = create(service, bearer("null") | {"Accept": PROBLEM})
    check_refused(reply)
    assert reply.json["title"] == "Unauthorized"


def test_the_refusal_comes_before_the_body_is_looked_at(service):
    check_refused(service.ask("POST", "/api/activities", b"{", bearer("null")))
    assert service.ask("POST", "/api/activities", b"{", bearer(service.token("londo"))).json == ["body_not_json"]


@pytest.mark.parametrize("method, target", FOR_CALLERS)
def test_a_stranger_with_a_good_token(service, method, target):
    bodies = {
        "/api/activities": {"message": "hi", "ttl": "1-day"},
        "/api/profile/update": {"display_name": "Me", "bio": ""},
        "/api/messages": {"message": "hi", "handle": "londo"},
        f"/api/activities/{SOME}/reply": {"message": "hi"},
        f"/api/activities/{SOME}/keep": {"ttl": "1-day"},
        "/api/activities/notifications/read": {},
    }
    body = bodies.get(target) if method in ("POST", "PUT") else None
    reply = service.ask_as("stranger", method, target, body)
    assert reply.status == 403
    assert method == "HEAD" or reply.json == ["user_not_registered"]
    assert "WWW-Authenticate" not in reply.headers


@pytest.mark.parametrize("field", ["user_handle", "handle"])
def test_the_handle_in_the_body(service, field):
    token = bearer(service.token("bayko"))
    parent = service.create_as("londo")["uuid"]
    for handle, status in (("bayko", 200), ("BayKo", 200), ("londo", 403), ("nobody", 403), (None, 200)):
        reply = create(service, token, **{field: handle})
        assert reply.status == status
        assert reply.json == ["generic_403"] if status == 403 else reply.json["handle"] == "bayko"
        answer = service.post(f"/api/activities/{parent}/reply", {"message": "x", field: handle}, token)
        assert answer.status == status
        assert answer.json == ["generic_403"] if status == 403 else answer.json["handle"] == "bayko"


def test_a_foreign_handle_stores_nothing(service):
    before = service.database.messages()
    create(service, bearer(service.token("bayko")), handle="londo", message="not mine")
    assert service.database.messages() == before


def test_a_bad_token_asks_no_database(cluster):
    with TokenService(cluster) as service:
        with service.connect() as connection:
            for token in forged(service.key).values():
                assert connection.ask("POST", "/api/activities", b"{}", bearer(token)).status == 401
            for method, target in FOR_CALLERS:
                body = b"{}" if method in ("POST", "PUT") else None
                assert connection.ask(method, target, body, bearer("null")).status == 401
        assert service.database.backends() == []
        assert service.log.entries("statement") == []
        assert {line["db_ms"] for line in service.log.requests()} == {0}


def test_no_token_in_the_log(service):
    token = service.token("londo")
    create(service, bearer(token))
    for what in (token, token.split(".")[1], token.split(".")[2], token.split(".")[0]):
        assert what not in service.log.text
        assert what not in service.front.access_log.text + service.front.error_log.text
    assert "mock-londo" not in service.log.text


def test_a_token_longer_than_nginx_takes(service):
    reply = create(service, bearer(service.token("londo", x="x" * 9000)))
    assert reply.status in (400, 401, 431)
    assert len(reply.json) == 1


def test_without_an_issuer_no_token_is_good(start):
    service = start(identity="token")
    check_refused(create(service, bearer(Key("the key").token())))


def test_tokens_in_handle_mode(cluster):
    """A token counts in handle mode, too: a body that names another user is refused."""
    with TokenService(cluster, identity="handle") as service:
        assert create(service, bearer(service.token("bayko"))).json["handle"] == "bayko"
        assert create(service, bearer(service.token("bayko")), user_handle="londo").json == ["generic_403"]
        assert create(service, {}, user_handle="londo").json["handle"] == "londo"
        check_refused(create(service, bearer("null"), user_handle="londo"))
