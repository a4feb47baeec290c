"""DELETE /api/activities/{uuid}: an author deletes an activity of their own, and everything below it."""

import concurrent.futures
import uuid

import pytest

from issuer import TokenService


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster) as service:
        yield service


def delete(service, handle, what):
    return service.ask_as(handle, "DELETE", f"/api/activities/{what}")


def show(service, what):
    return service.get(f"/api/activities/{what}")


def test_ones_own(service):
    row = service.create_as("londo", "soon gone")
    reply = delete(service, "londo", row["uuid"])
    assert (reply.status, reply.json) == (200, {"uuid": row["uuid"]})
    assert show(service, row["uuid"]).status == 404
    assert row["uuid"] not in [post["uuid"] for post in service.home("?limit=200").json]


def test_a_second_time(service):
    """The author gets the same answer again, for a day; other users get not_yours."""
    row = service.create_as("londo")
    for _ in range(3):
        reply = delete(service, "londo", row["uuid"])
        assert (reply.status, reply.json) == (200, {"uuid": row["uuid"]})
    assert delete(service, "bayko", row["uuid"]).json == ["not_yours"]
    assert show(service, row["uuid"]).status == 404


def test_another_ones(service):
    row = service.create_as("londo")
    for handle in ("andrewbrown", "bayko", "altbrown"):
        reply = delete(service, handle, row["uuid"])
        assert (reply.status, reply.json) == (403, ["not_yours"])
    assert show(service, row["uuid"]).status == 200


def test_replies_go_along(service):
    parent = service.create_as("londo")["uuid"]
    reply = service.reply_as("bayko", parent).json["uuid"]
    answer = service.reply_as("londo", reply).json["uuid"]
    assert delete(service, "londo", parent).status == 200
    assert [show(service, what).status for what in (parent, reply, answer)] == [404, 404, 404]


def test_a_reply_is_taken_off_the_count(service):
    parent = service.create_as("londo")["uuid"]
    replies = [service.reply_as("bayko", parent, f"{number}").json["uuid"] for number in range(3)]
    assert delete(service, "bayko", replies[1]).status == 200
    thread = show(service, parent).json
    assert thread["activity"]["replies_count"] == 2
    assert [reply["uuid"] for reply in thread["replies"]] == [replies[0], replies[2]]
    assert delete(service, "londo", replies[0]).json == ["not_yours"]  # nor may the parent's author
    assert show(service, parent).json["activity"]["replies_count"] == 2


def test_deletes_at_once(service):
    parent = service.create_as("londo")["uuid"]
    replies = [service.reply_as("bayko", parent, f"{number}").json["uuid"] for number in range(10)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda what: delete(service, "bayko", what), replies * 2))
    assert sorted(answer.status for answer in answers) == [200] * 20
    assert show(service, parent).json["activity"]["replies_count"] == 0


def test_what_is_not_there(service):
    (expired,) = service.database.add_activities(1, created_at="now() - interval '2 days'", expires_at="now() - interval '1 day'")
    for what in (uuid.uuid4(), expired):
        reply = delete(service, "londo", what)
        assert (reply.status, reply.json) == (404, ["not_found"])


@pytest.mark.parametrize("what", ["x", "home", "@londo", "5a3e8b7c1f944d608b2ac6d7e9f0a418"])
def test_what_is_no_uuid(service, what):
    reply = delete(service, "londo", what)
    assert reply.status in (404, 405) and len(reply.json) == 1


def test_who_is_nobody(service):
    row = service.create_as("londo")
    reply = delete(service, None, row["uuid"])
    assert (reply.status, reply.json) == (401, ["generic_401"])
    reply = delete(service, "stranger", row["uuid"])
    assert (reply.status, reply.json) == (403, ["user_not_registered"])
    assert show(service, row["uuid"]).status == 200


def test_the_method_is_told(service):
    row = service.create_as("londo")
    assert "DELETE" in service.ask("OPTIONS", f"/api/activities/{row['uuid']}").headers["Allow"].split(", ")


def test_a_body_does_not_matter(service):
    row = service.create_as("londo")
    reply = service.ask_as("londo", "DELETE", f"/api/activities/{row['uuid']}", {"handle": "bayko"})
    assert reply.status == 200


def test_handle_mode_names_nobody(start):
    """A DELETE has no body that could name a user, so without a default handle it has none."""
    service = start()
    row = service.create(user_handle="londo").json
    reply = service.ask("DELETE", f"/api/activities/{row['uuid']}")
    assert (reply.status, reply.json) == (422, ["user_handle_blank"])


def test_the_default_handle_deletes_its_own(start):
    service = start(default_handle="bayko")
    own, other = (service.create(user_handle=handle).json["uuid"] for handle in ("bayko", "londo"))
    assert service.ask("DELETE", f"/api/activities/{own}").status == 200
    reply = service.ask("DELETE", f"/api/activities/{other}")
    assert (reply.status, reply.json) == (403, ["not_yours"])
