"""Which requests are allowed: token mode refuses creates without a valid token, handle mode trusts the loopback interface."""

import psycopg2
import pytest

from client import PROBLEM
from service import Service

TOKENS = ["Bearer null", "Bearer undefined", "Bearer", "bearer x.y.z", "Basic dXNlcjpwYXNz", "", "Bearer " + "x" * 7000]
BODY = b'{"message":"hi","ttl":"1-day","user_handle":"londo"}'


@pytest.fixture(scope="module")
def token_service(cluster):
    with Service(cluster, identity=None) as service:  # the default
        yield service


def check_refusal(reply):
    assert (reply.status, reply.codes) == (401, ["generic_401"])
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", [None, *TOKENS])
def test_token_mode_refuses_creates(token_service, token):
    reply = token_service.ask("POST", "/api/activities", BODY, {"Authorization": token})
    check_refusal(reply)


def test_the_refusal_as_a_problem(token_service):
    reply = token_service.ask("POST", "/api/activities", BODY, {"Accept": PROBLEM})
    check_refusal(reply)
    assert reply.json["title"] == "Unauthorized"


def test_the_refusal_comes_before_the_body_is_looked_at(token_service):
    check_refusal(token_service.ask("POST", "/api/activities", b"{"))


@pytest.mark.parametrize("mode", ["token_service", "service"])
@pytest.mark.parametrize("token", [None, *TOKENS])
def test_everyone_may_read(request, mode, token):
    service = request.getfixturevalue(mode)
    reply = service.ask("GET", "/api/activities/home", headers={"Authorization": token})
    assert reply.status == 200


@pytest.mark.parametrize("token", [token for token in TOKENS if token])
def test_handle_mode_refuses_tokens_it_cannot_check(service, token):
    before = service.database.messages()
    check_refusal(service.ask("POST", "/api/activities", BODY, {"Authorization": token}))
    assert service.database.messages() == before


LOCAL = ["127.0.0.1", "127.9.8.7", "::1", "unix:"]
REMOTE = ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", ""]


@pytest.mark.parametrize("address, status", [*((local, 200) for local in LOCAL), *((remote, 401) for remote in REMOTE)])
def test_handle_mode_is_for_the_loopback(service, address, status):
    with service.peer() as peer:
        assert peer.ask("POST", "/api/activities", BODY, REMOTE_ADDR=address).status == status


def test_handle_mode_warns(service):
    (warning,) = [entry for entry in service.log.entries() if "handle mode" in entry.get("message", "")]
    assert warning["level"] == "warning"


def test_a_refusal_asks_no_database(start):
    service = start(identity="token")
    with service.database.locked():
        check_refusal(service.ask("POST", "/api/activities", BODY))
    assert service.database.backends() == []


FORBIDDEN = [
    "delete from messages",
    "delete from users",
    "truncate activities",
    "update activities set message = 'x'",
    "drop table users",
    "select email from users",
    "update users set handle = 'x'",
    "insert into users default values",
    "create table mine ()",
]


def test_rights_are_the_least(service):
    """The service's login role may not run any of these statements."""
    with psycopg2.connect(service.database.url()) as connection, connection.cursor() as cursor:
        for statement in FORBIDDEN:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)
            connection.rollback()
        rights = "rolsuper, rolcreaterole, rolcreatedb, rolbypassrls"
        cursor.execute(f"select {rights} from pg_roles where rolname = current_user")
        assert not any(cursor.fetchone())
