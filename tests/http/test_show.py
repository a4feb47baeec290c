"""GET /api/activities/{uuid}: one activity and its replies."""

import uuid

import pytest

ACTIVITY_FIELDS = {
    "uuid", "display_name", "handle", "message", "replies_count", "reposts_count", "likes_count",
    "reply_to_activity_uuid", "expires_at", "created_at", "liked", "reposted",
}  # fmt: skip


def show(service, activity):
    return service.get(f"/api/activities/{activity}")


def add_replies(service, parent, count, expires_at="null"):
    service.database.sql(
        f"""insert into activities (user_uuid, message, reply_to_activity_uuid, created_at, expires_at)
            select (select uuid from users where handle = 'bayko'), 'reply ' || n, %s,
                   now() + n * interval '1 millisecond', {expires_at}
            from generate_series(1, %s) n""",
        parent,
        count,
    )


def test_an_activity_without_replies(service):
    created = service.create("look at me").json
    reply = show(service, created["uuid"])
    assert reply.status == 200
    assert set(reply.json) == {"activity", "replies"}
    assert set(reply.json["activity"]) >= ACTIVITY_FIELDS
    assert reply.json["activity"] == {name: created[name] for name in reply.json["activity"]} | {"liked": None, "reposted": None}
    assert reply.json["replies"] == []


def test_replies_oldest_first(service):
    parent = service.create().json["uuid"]
    add_replies(service, parent, 3)
    replies = show(service, parent).json["replies"]
    assert [reply["message"] for reply in replies] == ["reply 1", "reply 2", "reply 3"]
    assert {reply["reply_to_activity_uuid"] for reply in replies} == {parent}
    assert {reply["handle"] for reply in replies} == {"bayko"}
    assert set(replies[0]) >= ACTIVITY_FIELDS


def test_expired_replies_are_not_there(service):
    parent = service.create().json["uuid"]
    add_replies(service, parent, 3, expires_at="now() + n * interval '1 millisecond' + interval '1 microsecond'")
    service.database.sql("select pg_sleep(0.01)")
    assert show(service, parent).json["replies"] == []


def test_an_expired_activity_is_not_found(service):
    (expired,) = service.database.add_activities(
        1, created_at="now() - interval '2 hours'", expires_at="now() - interval '1 hour'"
    )
    reply = show(service, expired)
    assert (reply.status, reply.json) == (404, ["not_found"])


def test_an_unknown_uuid_is_not_found(service):
    reply = show(service, uuid.uuid4())
    assert (reply.status, reply.json) == (404, ["not_found"])


def test_case_does_not_matter(service):
    created = service.create().json["uuid"]
    assert show(service, created.upper()).json["activity"]["uuid"] == created


@pytest.mark.parametrize("form", ["{}0", "{}%00", "%7B{}%7D", "{}-", " {}", "{}/", "x{}"])
def test_what_is_no_uuid(service, form):
    created = service.create().json["uuid"]
    reply = show(service, form.format(created).replace(" ", "%20"))
    assert reply.status in (400, 404)
    assert reply.json in (["malformed_request"], ["not_found"])


def test_a_uuid_without_its_hyphens(service):
    created = service.create().json["uuid"]
    assert show(service, created.replace("-", "")).status == 404
