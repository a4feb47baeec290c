"""Refused tokens: each is counted by its reason, and logged without its content."""

import functools
import hashlib
import os
import re
import signal
import time

import pytest

from issuer import Key, TokenService, base64url, bearer, claims_for, encoded, service_key, small_key
from places import TOP
from waiting import eventually

HOUR = 3600
CALLERS_ONLY = "/api/message_groups"
VIEWERS = "/api/users/suggested"


@functools.lru_cache
def forger(kid, bits):
    """Another key with this kid, one for all cases, because making one takes as long as starting a service."""
    return Key(kid, bits)


def reasons(key):
    """{reason: [Authorization headers]}, each wrong in one thing. The subjects differ, so that each refusal has its own line
    in the log."""
    now = int(time.time())
    header = {"alg": "RS256", "kid": key.kid}
    head, payload, signature = key.token("of-the-parts").split(".")
    tokens = {
        "bad_claim": [
            key.token("no-exp", exp=None), key.token("exp-text", exp="9"), key.token("nbf-text", nbf="1"), key.token(None),
        ],
        "bad_signature": [forger(key.kid, key.bits).token("forged"), f"{head}.{encoded(claims_for('swapped'))}.{signature}"],
        "expired": [key.token("late", exp=now - HOUR), key.token("later", exp=1)],
        "malformed": ["null", f"{head}.{payload}", f"{head}.{payload}.{signature}.x", key.token("long", x="x" * 4500),
                      key.sign({"alg": "RS256"}, claims_for("no-kid")), key.sign(header, b"[]")],
        "not_yet_valid": [key.token("early", nbf=now + HOUR)],
        "unknown_key": [key.token("other-key", header={"kid": "another"})],
        "wrong_algorithm": [
            f"{encoded({'alg': 'none', 'kid': key.kid})}.{encoded(claims_for('unsigned'))}.{base64url(b'x')}",
            key.token("extended", header={"crit": ["exp"]}),
        ],
        "wrong_audience": [key.token("other-client", client_id="another"), key.token("no-client", client_id=None)],
        "wrong_issuer": [key.token("other-issuer", iss="https://issuer.example/other")],
        "wrong_use": [key.token("id-token", token_use="id"), key.token("no-use", token_use=None)],
    }  # fmt: skip
    found = {reason: [f"Bearer {token}" for token in tokens] for reason, tokens in tokens.items()}
    return found | {"not_bearer": ["Basic eDp5", "Bearer", f"Bearer {key.token('a')}, {key.token('b')}"]}


@pytest.fixture
def service(cluster):
    with TokenService(cluster, workers=1) as service:
        yield service


def counts(service):
    """{reason: count} of all reasons."""
    prefix = 'cruddur_tokens_refused_total{reason="'
    lines = [line[len(prefix) :] for line in service.get("/metrics").body.decode().splitlines() if line.startswith(prefix)]
    return {reason: int(count) for reason, count in (line.split('"} ') for line in lines)}


def refuse(service, authorization, target=CALLERS_ONLY, status=401):
    reply = service.ask("GET", target, headers={"Authorization": authorization})
    assert reply.status == status
    return reply


def refusals(service):
    return service.log.entries("token_refused")


def pseudonym(subject):
    return hashlib.sha256(subject.encode()).hexdigest()[:16]


@pytest.mark.parametrize("reason", sorted(reasons(small_key())))
def test_each_reason_is_counted_and_logged(service, reason):
    none = counts(service)
    headers = reasons(service.key)[reason]
    replies = [refuse(service, header) for header in headers]
    assert counts(service) == none | {reason: len(headers)}
    lines = eventually(lambda: refusals(service), what="a line")
    assert {line["reason"] for line in lines} == {reason}
    assert lines[0]["request_id"] == replies[0].headers["X-Request-Id"]
    assert {line["level"] for line in lines} == {"info" if reason in ("expired", "malformed") else "warning"}


def test_the_names_are_a_fixed_set_that_the_manual_has(service):
    manual = (TOP / "man/cruddurd.8").read_text().split(".It Li cruddur_tokens_refused_total\n")[1].split("\n.El")[0]
    told = [name for line in re.findall(r"^\.It Cm (.+)$", manual, re.M) for name in line.split(" , ")]
    assert sorted(counts(service)) == told
    assert set(counts(service)) == {*reasons(service.key), "no_issuer"}
    assert set(counts(service).values()) == {0}
    refuse(service, bearer(service.key.token(header={"kid": "x" * 250}))["Authorization"])
    assert sorted(counts(service)) == told


def test_a_good_token_and_none_are_no_refusals(service):
    service.create_as("londo")
    service.ask("GET", VIEWERS, headers=bearer(service.token("londo")))
    assert service.get(CALLERS_ONLY).status == 401
    assert set(counts(service).values()) == {0}
    assert refusals(service) == []


def test_where_a_token_makes_a_difference_only(service):
    """Where a token is optional, a forged one is treated as none, but it is counted and logged."""
    refuse(service, f"Bearer {Key(service.key.kid).token('viewer')}", VIEWERS, status=200)
    assert counts(service)["bad_signature"] == 1
    assert [line["subject"] for line in refusals(service)] == [pseudonym("viewer")]


def test_a_token_without_an_issuer(start):
    service = start(identity="token", workers=1)
    refuse(service, f"Bearer {service_key().token('lost')}")
    assert counts(service)["no_issuer"] == 1
    assert [(line["reason"], line["subject"]) for line in refusals(service)] == [("no_issuer", pseudonym("lost"))]


@pytest.mark.parametrize("subject", ["mock-londo", "d7c1e2a4-0000-4000-8000-1a2b3c4d5e6f", "é\n\"\u2028 \\ someone@example.com"])
def test_the_log_has_the_subject_as_a_pseudonym_only(service, subject):
    token = Key(service.key.kid).token(subject, username="name-in-clear", email="mail@example.com", jti="id-in-clear")
    refuse(service, f"Bearer {token}")
    (line,) = refusals(service)
    assert line["subject"] == pseudonym(subject)
    assert line.keys() == {"time", "level", "event", "pid", "request_id", "reason", "subject"}
    logs = service.log.text + service.front.access_log.text + service.front.error_log.text
    for secret in (token, *token.split("."), subject, "name-in-clear", "mail@example.com", "id-in-clear"):
        assert secret not in logs


@pytest.mark.parametrize("authorization", ["Bearer null", "Bearer a.b.c", "Basic eDp5"])
def test_what_names_no_subject(service, authorization):
    refuse(service, authorization)
    (line,) = refusals(service)
    assert "subject" not in line
    assert f'"{authorization.split()[1]}"' not in service.log.text


def test_repeated_refusals_are_counted_and_logged_once(service):
    """Within a minute each of eight subjects has one line, and all further subjects share one."""
    for _ in range(20):
        refuse(service, f"Bearer {service.token('again', exp=1)}")
    assert counts(service)["expired"] == 20
    assert [line["subject"] for line in refusals(service)] == [pseudonym("mock-again")]
    for number in range(20):
        refuse(service, f"Bearer {service.token(f'one-of-many-{number}', exp=1)}")
    assert counts(service)["expired"] == 40
    assert len(refusals(service)) == 9


def test_counts_stay_when_a_worker_ends(service):
    (worker,) = service.wait_for_workers(1)
    refuse(service, "Bearer null")
    os.kill(worker, signal.SIGKILL)
    service.wait_for_workers(1, other_than=[worker])
    assert counts(service)["malformed"] == 1
