"""POST and PUT /api/profile/update: one's own name and bio."""

import pytest

from issuer import TokenService, bearer

TARGET = "/api/profile/update"
FIELDS = {"uuid", "handle", "display_name", "bio"}


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        yield service


def update(service, handle="londo", method="PUT", **document):
    return service.ask_as(handle, method, TARGET, document)


def profile(service, handle="londo"):
    return service.get(f"/api/activities/@{handle}").json["profile"]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_name_and_bio(service, method):
    reply = update(service, method=method, display_name=f"Londo by {method}", bio="Ambassador")
    assert reply.status == 200
    assert set(reply.json) >= FIELDS
    assert (reply.json["handle"], reply.json["display_name"], reply.json["bio"]) == ("londo", f"Londo by {method}", "Ambassador")
    shown = profile(service)
    assert (shown["display_name"], shown["bio"]) == (f"Londo by {method}", "Ambassador")
    assert service.get("/api/users/@londo/short").json["display_name"] == f"Londo by {method}"
    assert "email" not in reply.body.decode()


def test_the_name_is_the_one_in_the_feed(service):
    service.create_as("bayko", "who am I?")
    update(service, "bayko", display_name="Somebody else", bio="")
    assert {row["display_name"] for row in service.home("?limit=200").json if row["handle"] == "bayko"} == {"Somebody else"}


@pytest.mark.parametrize("more, bio", [({"bio": None}, "something"), ({"bio": ""}, ""), ({}, "something")])
def test_no_bio(service, more, bio):
    """A missing bio, or null, leaves the bio as it is."""
    update(service, display_name="Londo", bio="something")
    assert update(service, display_name="Londo", **more).json["bio"] == bio
    assert profile(service)["bio"] == bio


@pytest.mark.parametrize("name", ["", None, 7, [], " ", "  \t\r\n ", "\v", "\f", "\x85", "\u00a0", "\u2003 \u2028", "\u3000"])
def test_no_name(service, name):
    before = profile(service)
    reply = update(service, display_name=name, bio="not stored")
    assert (reply.status, reply.json) == (422, ["display_name_blank"])
    assert profile(service) == before


def test_no_name_at_all(service):
    for document in ({}, {"bio": "x"}):
        reply = service.ask_as("londo", "PUT", TARGET, document)
        assert (reply.status, reply.json) == (422, ["display_name_blank"])


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600"])
def test_lengths(service, character):
    assert update(service, display_name=character * 255, bio=character * 1024).status == 200
    for document, code in (
        ({"display_name": character * 256, "bio": ""}, "display_name_exceed_max_chars"),
        ({"display_name": "Londo", "bio": character * 1025}, "bio_exceed_max_chars"),
    ):
        reply = update(service, **document)
        assert (reply.status, reply.json) == (422, [code])
    reply = update(service, display_name="x" * 256, bio="x" * 1025)
    assert set(reply.json) == {"display_name_exceed_max_chars", "bio_exceed_max_chars"}


@pytest.mark.parametrize("text", ["'; drop table users; --", "<script>alert(1)</script>", "a\u00a0b", '"', "\\", "%s %(sub)s $1"])
def test_payloads(service, text):
    reply = update(service, display_name=text, bio=text)
    assert (reply.json["display_name"], reply.json["bio"]) == (text, text)
    assert (profile(service)["display_name"], profile(service)["bio"]) == (text, text)


def test_nothing_else_changes(service):
    before = profile(service, "altbrown")
    reply = update(service, "altbrown", display_name=before["display_name"], bio="", uuid="x", email="x@example.com",
                   cognito_user_id="mock-londo", cognito_user_uuid="x", created_at=None)  # fmt: skip
    assert reply.status == 200
    assert profile(service, "altbrown") == before | {"bio": ""}
    assert service.database.sql("select email, cognito_user_id from users where handle = 'altbrown'") == [
        ("altbrown@example.com", "mock-altbrown")
    ]


def test_updated_at(service):
    changed = "select updated_at from users where handle = 'altbrown'"
    update(service, "altbrown", display_name="Alt", bio="1")
    before = service.database.sql(changed)
    update(service, "altbrown", display_name="Alt", bio="1")
    assert service.database.sql(changed) == before
    update(service, "altbrown", display_name="Alt", bio="2")
    assert service.database.sql(changed) > before


def test_nobody(service):
    assert service.ask("PUT", TARGET, b'{"display_name":"x"}').json == ["generic_401"]
    assert update(service, "stranger", display_name="x", bio="").json == ["user_not_registered"]


def test_methods(service):
    assert set(service.ask("OPTIONS", TARGET).headers["Allow"].split(", ")) == {"POST", "PUT", "OPTIONS"}
    for method in ("GET", "DELETE"):
        assert service.ask(method, TARGET).json == ["method_not_allowed"]


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("body, code", [(b"{", "body_not_json"), (b"[]", "body_not_json"), (b"\xff", "body_not_utf8")])
def test_bodies_that_are_none(service, method, body, code):
    reply = service.ask(method, TARGET, body, bearer(service.token("londo")))
    assert (reply.status, reply.json) == (400, [code])


def test_handle_mode(start):
    service = start()
    reply = service.ask("PUT", TARGET, b'{"display_name":"By handle","bio":"x","user_handle":"LONDO"}')
    assert (reply.status, reply.json["handle"], reply.json["display_name"]) == (200, "londo", "By handle")
    assert service.post(TARGET, {"display_name": "x"}).json == ["user_handle_blank"]
    assert service.post(TARGET, {"display_name": "x", "handle": "nobody"}).json == ["user_not_found"]
