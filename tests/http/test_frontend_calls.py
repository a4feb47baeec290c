"""Every call of the two React frontends, with its headers and body, and every field of the answers that they read. The calls were
recorded in a browser while all pages were visited, including the failures that the pages can cause."""

import json
import re

import pytest

from issuer import TokenService, bearer
from social import followed, marked

FRONTEND = "http://localhost:3000"
# What Chromium adds to a page's requests and preflights.
BROWSER = {
    "Accept": "*/*", "Accept-Encoding": "gzip, deflate, br, zstd", "Accept-Language": "en-US,en;q=0.9", "Referer": f"{FRONTEND}/",
    "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site", "User-Agent": "Mozilla/5.0",
}  # fmt: skip
# A time that Luxon's fromISO reads as the same moment in every time zone.
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")


class Frontend:
    """fetch() as a browser does it for a page of FRONTEND. Every answer must be JSON."""

    def __init__(self, service):
        self.service = service

    def fetch(self, method, target, body=None, **headers):
        text = None if body is None else json.dumps(body).encode()
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        self.check_preflight(method, target, own)
        reply = self.service.ask(method, target, text, BROWSER | {"Origin": FRONTEND, "Content-Type": None} | own)
        assert reply.headers["Access-Control-Allow-Origin"] == FRONTEND
        assert reply.headers["Content-Type"] == "application/json"
        reply.json  # noqa: B018 - every answer is parsed
        return reply

    def check_preflight(self, method, target, headers):
        """Sent for anything but a simple request."""
        asked = [name.lower() for name, value in headers.items() if name != "Accept"]
        if not asked and method in ("GET", "POST"):
            return
        reply = self.service.ask("OPTIONS", target, headers=BROWSER | {
            "Origin": FRONTEND, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": ",".join(sorted(asked)),
        })  # fmt: skip
        assert reply.status in (200, 204)
        assert reply.headers["Access-Control-Allow-Origin"] == FRONTEND
        allowed = {name.strip().lower() for name in reply.headers["Access-Control-Allow-Headers"].split(",")}
        assert set(asked) <= allowed
        assert method in reply.headers["Access-Control-Allow-Methods"].split(", ")


class Finished(Frontend):
    """lib/Requests.js of the finished frontend: the body is always JSON, and the token is sent if the page requires it."""

    def __init__(self, service, handle):
        super().__init__(service)
        self.handle = handle

    def call(self, method, target, body=None, auth=True):
        token = bearer(self.service.token(self.handle) if self.handle else "null") if auth else {}
        return self.fetch(method, target, body, Content_Type="application/json", **token)

    def get(self, target, auth=True):
        reply = self.call("GET", target, auth=auth)
        assert reply.status == 200, reply
        return reply.json

    def send(self, method, target, body):
        reply = self.call(method, target, body)
        assert reply.status == 200, reply
        return reply.json

    def errors(self, method, target, body):
        """What FormErrors shows, which expects a list of strings."""
        reply = self.call(method, target, body)
        assert reply.status != 200
        assert isinstance(reply.json, list) and reply.json and all(isinstance(code, str) for code in reply.json)
        return reply.json


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster, frontend_url=FRONTEND) as service:
        yield service


@pytest.fixture
def finished(service):
    return Finished(service, "andrewbrown")


def check_activity(row, may_be_endless=True):
    """ActivityItem and its parts."""
    for name in ("uuid", "handle", "display_name", "message"):
        assert isinstance(row[name], str) and row[name]
    for name in ("replies_count", "reposts_count", "likes_count"):
        assert type(row[name]) is int
    assert MOMENT.fullmatch(row["created_at"])
    assert (may_be_endless and row["expires_at"] is None) or MOMENT.fullmatch(row["expires_at"])


def check_message(row):
    for name in ("uuid", "handle", "display_name", "message"):
        assert isinstance(row[name], str) and row[name]
    assert MOMENT.fullmatch(row["created_at"])


def test_home(finished):
    finished.service.create_as("londo", "in the feed")
    rows = finished.get("/api/activities/home")
    assert isinstance(rows, list) and rows
    for row in rows:
        check_activity(row)


@pytest.mark.parametrize("token", ["null", "undefined", "expired"])
def test_home_signed_out(service, token):
    value = service.token("londo", exp=1) if token == "expired" else token
    reply = Frontend(service).fetch("GET", "/api/activities/home", Content_Type="application/json", **bearer(value))
    assert reply.status == 200 and isinstance(reply.json, list)


@pytest.mark.parametrize("ttl", ["30-days", "7-days", "3-days", "1-day", "12-hours", "3-hours", "1-hour"])
def test_activity_form(finished, ttl):
    row = finished.send("POST", "/api/activities", {"message": "hello", "ttl": ttl})
    check_activity(row, may_be_endless=False)
    assert row == finished.get("/api/activities/home")[0] | {"liked": False, "reposted": False}


def test_activity_form_errors(finished, service):
    assert finished.errors("POST", "/api/activities", {"message": "", "ttl": "7-days"}) == ["message_blank"]
    assert finished.errors("POST", "/api/activities", {"message": "x" * 281, "ttl": "7-days"}) == ["message_exceed_max_chars"]
    assert Finished(service, None).errors("POST", "/api/activities", {"message": "x", "ttl": "7-days"}) == ["generic_401"]


def test_reply_form(finished):
    parent = finished.service.create_as("londo")["uuid"]
    row = finished.send("POST", f"/api/activities/{parent}/reply", {"activity_uuid": parent, "message": "hello"})
    check_activity(row)
    assert finished.errors("POST", f"/api/activities/{parent}/reply", {"activity_uuid": parent, "message": ""}) == ["message_blank"]
    long = {"activity_uuid": parent, "message": "x" * 1025}
    assert finished.errors("POST", f"/api/activities/{parent}/reply", long) == ["message_exceed_max_chars_1024"]


def test_activity_show_page(finished):
    parent = finished.service.create_as("londo")["uuid"]
    finished.service.reply_as("bayko", parent)
    page = finished.get(f"/api/activities/@londo/status/{parent}", auth=False)
    check_activity(page["activity"])
    (reply,) = page["replies"]
    check_activity(reply)


def test_activity_show_page_of_a_reply(finished):
    """A click on a reply opens it, and there it can be replied to."""
    parent = finished.service.create_as("londo")["uuid"]
    reply = finished.send("POST", f"/api/activities/{parent}/reply", {"activity_uuid": parent, "message": "hello"})["uuid"]
    answer = finished.send("POST", f"/api/activities/{reply}/reply", {"activity_uuid": reply, "message": "again"})
    page = finished.get(f"/api/activities/@andrewbrown/status/{reply}", auth=False)
    check_activity(page["activity"])
    assert page["activity"]["replies_count"] == 1
    assert [row["uuid"] for row in page["replies"]] == [answer["uuid"]]


def test_reply_form_signed_out(finished, service):
    parent = finished.service.create_as("londo")["uuid"]
    body = {"activity_uuid": parent, "message": "hello"}
    assert Finished(service, None).errors("POST", f"/api/activities/{parent}/reply", body) == ["generic_401"]


def test_user_feed_page(finished):
    finished.service.create_as("londo")
    page = finished.get("/api/activities/@londo", auth=False)
    assert {name: type(page["profile"][name]) for name in ("display_name", "handle", "bio", "cruds_count", "cognito_user_uuid")} == {
        "display_name": str, "handle": str, "bio": str, "cruds_count": int, "cognito_user_uuid": str,
    }  # fmt: skip
    assert page["activities"]
    for row in page["activities"]:
        check_activity(row)


def test_pages_of_what_is_not_there(finished):
    """The answer is not 200, so the page stays as it was."""
    for target in ("/api/activities/@nobody", "/api/activities/@londo/status/x", "/api/users/@nobody/short"):
        reply = finished.call("GET", target)
        assert (reply.status, reply.json) == (404, ["not_found"])


def test_profile_form(finished):
    finished.send("PUT", "/api/profile/update", {"bio": "I teach", "display_name": "Andrew"})
    assert finished.get("/api/activities/@andrewbrown", auth=False)["profile"]["bio"] == "I teach"
    finished.send("PUT", "/api/profile/update", {"bio": None, "display_name": "Andrew Brown"})
    assert finished.errors("PUT", "/api/profile/update", {"bio": "", "display_name": ""}) == ["display_name_blank"]


def test_message_pages(finished):
    """A conversation is begun by a user's handle and then continued."""
    short = finished.get("/api/users/@bayko/short")
    assert (short["handle"], short["display_name"]) == ("bayko", "Andrew Bayko")
    sent = finished.send("POST", "/api/messages", {"message": "hello", "handle": "bayko"})
    group = sent["message_group_uuid"]
    (listed,) = [row for row in finished.get("/api/message_groups") if row["uuid"] == group]
    check_message(listed)
    assert listed["handle"] == "bayko"
    check_message(finished.send("POST", "/api/messages", {"message": "again", "message_group_uuid": group}))
    rows = finished.get(f"/api/messages/{group}")
    assert [row["message"] for row in rows] == ["hello", "again"]
    for row in rows:
        check_message(row)


def test_message_form_errors(finished):
    assert finished.errors("POST", "/api/messages", {"message": "", "handle": "bayko"}) == ["message_blank"]
    assert finished.errors("POST", "/api/messages", {"message": "x" * 1025, "handle": "bayko"}) == ["message_exceed_max_chars_1024"]
    assert finished.errors("POST", "/api/messages", {"message": "x", "handle": ""}) == ["user_reciever_handle_blank"]
    assert finished.errors("POST", "/api/messages", {"message": "x", "message_group_uuid": ""}) == ["message_group_uuid_blank"]
    assert finished.errors("POST", "/api/messages", {"message": "x", "handle": "nobody"}) == ["receiver_not_found"]
    assert finished.errors("POST", "/api/messages", {"message": "x", "handle": "andrewbrown"}) == ["receiver_is_sender"]


FOR_SIGNED_IN = [
    "/api/activities/notifications", "/api/message_groups", "/api/messages/5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a418",
]  # fmt: skip


@pytest.mark.parametrize("target", FOR_SIGNED_IN)
def test_pages_signed_out(service, target):
    """The addresses of these pages can be opened while signed out. The answer is a refusal in JSON."""
    reply = Finished(service, None).call("GET", target)
    assert (reply.status, reply.json) == (401, ["generic_401"])


def test_notifications_page(finished):
    """The rows are like those of home. A click on a row opens it under its author's handle."""
    post = finished.send("POST", "/api/activities", {"message": "hello", "ttl": "7-days"})["uuid"]
    finished.service.reply_as("bayko", post, "hello yourself")
    rows = finished.get("/api/activities/notifications")
    for row in rows:
        check_activity(row)
    assert (rows[0]["handle"], rows[0]["message"]) == ("bayko", "hello yourself")
    page = finished.get(f"/api/activities/@bayko/status/{rows[0]['uuid']}", auth=False)
    assert page["activity"]["message"] == "hello yourself"


@pytest.mark.parametrize("what", ["like", "repost"])
def test_reply_form_of_a_notification(finished, what):
    """The page shows a reply button below each row, and names the row's uuid in the call."""
    post = finished.send("POST", "/api/activities", {"message": f"please {what}", "ttl": "7-days"})["uuid"]
    marked(finished.service, "bayko", what, post)
    row = finished.get("/api/activities/notifications")[0]
    assert row["kind"] == what
    reply = finished.send("POST", f"/api/activities/{row['uuid']}/reply", {"activity_uuid": row["uuid"], "message": "thank you"})
    check_activity(reply)
    assert reply["reply_to_activity_uuid"] == post
    shown = finished.get(f"/api/activities/{post}", auth=False)
    assert (shown["activity"]["replies_count"], [each["uuid"] for each in shown["replies"]]) == (1, [reply["uuid"]])


def test_reply_form_of_a_follow(finished):
    """There is nothing to reply to."""
    followed(finished.service, "bayko", "andrewbrown")
    row = finished.get("/api/activities/notifications")[0]
    assert row["kind"] == "follow"
    assert finished.errors("POST", f"/api/activities/{row['uuid']}/reply", {"message": "welcome"}) == ["not_found"]


class Week4(Frontend):
    """The frontend of week 4: it sends a token only for home, and its forms have no identity."""

    def read(self, target, **headers):
        reply = self.fetch("GET", target, **headers)
        assert reply.status == 200, reply
        return reply.json

    def send(self, target, **body):
        reply = self.fetch("POST", target, body, Accept="application/json", Content_Type="application/json")
        assert reply.status == 200, reply
        return reply.json


@pytest.fixture(scope="module")
def week4(cluster):
    with TokenService(
        cluster, identity="handle", default_handle="andrewbrown", compat="week4", frontend_url=FRONTEND
    ) as service:
        yield Week4(service)


@pytest.mark.parametrize("token", ["null", "undefined", "good"])
def test_week4_home(week4, token):
    value = week4.service.token("londo") if token == "good" else token
    rows = week4.read("/api/activities/home", **bearer(value))
    assert rows
    for row in rows:
        check_activity(row)
        assert row["replies"] == []  # rendered by recursion, and the reply form pushes into it


def test_week4_user_feed(week4):
    rows = week4.read("/api/activities/@andrewbrown")
    assert isinstance(rows, list) and rows
    for row in rows:
        check_activity(row)


@pytest.mark.parametrize("more, handle", [({}, "andrewbrown"), ({"user_handle": "londo"}, "londo"), ({"handle": "bayko"}, "bayko")])
def test_week4_activity_form(week4, more, handle):
    row = week4.send("/api/activities", message="hello", ttl="7-days", **more)
    check_activity(row, may_be_endless=False)
    assert row["handle"] == handle
    assert row == week4.read("/api/activities/home", **bearer("null"))[0] | {"liked": False, "reposted": False}


def test_week4_reply_form(week4):
    parent = week4.send("/api/activities", message="hello", ttl="7-days")["uuid"]
    row = week4.send(f"/api/activities/{parent}/reply", message="hello")
    check_activity(row)
    assert week4.read(f"/api/activities/{parent}")["activity"]["replies_count"] == 1
    check_activity(week4.send(f"/api/activities/{row['uuid']}/reply", message="to the reply"))


def test_week4_home_of_the_first_week(week4):
    """The first week had no tokens: the frontend's request has no headers of its own."""
    for row in week4.read("/api/activities/home"):
        check_activity(row)


def test_week4_messages(week4):
    sent = week4.send("/api/messages", message="hello", user_receiver_handle="londo")
    check_message(sent)
    rows = week4.read("/api/messages/@londo")
    assert [row["message"] for row in rows] == ["hello"]
    for row in (*rows, *week4.read("/api/message_groups")):
        check_message(row)


def test_week4_times_carry_their_zone(week4):
    """fromISO would read a time without a zone as the browser's local time."""
    for row in week4.read("/api/activities/home", **bearer("null")):
        assert re.search(r"(Z|[+-]\d\d:\d\d)$", row["created_at"])
        assert row["expires_at"] is None or re.search(r"(Z|[+-]\d\d:\d\d)$", row["expires_at"])


def test_week4_notifications(week4):
    """They are the default user's. The reply form also pushes into `replies` here."""
    post = week4.send("/api/activities", message="hello", ttl="7-days")["uuid"]
    week4.send(f"/api/activities/{post}/reply", message="hello yourself", user_handle="bayko")
    rows = week4.read("/api/activities/notifications")
    assert (rows[0]["handle"], rows[0]["message"]) == ("bayko", "hello yourself")
    for row in rows:
        check_activity(row)
        assert row["replies"] == []


def test_week4_pages_of_what_is_not_there(week4):
    for target in ("/api/activities/@nobody", "/api/messages/@nobody"):
        reply = week4.fetch("GET", target)
        assert (reply.status, reply.json) == (404, ["not_found"])
    headers = {"Accept": "application/json", "Content_Type": "application/json"}
    refusals = [
        ("/api/messages", {"message": "x", "user_receiver_handle": "nobody"}, 404, ["receiver_not_found"]),
        ("/api/activities", {"message": "", "ttl": "7-days"}, 422, ["message_blank"]),
        ("/api/activities", {"message": "x" * 281, "ttl": "7-days"}, 422, ["message_exceed_max_chars"]),
    ]
    for target, body, status, codes in refusals:
        reply = week4.fetch("POST", target, body, **headers)
        assert (reply.status, reply.json) == (status, codes)
