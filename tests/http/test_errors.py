"""The form of an error: an array of codes, or a problem document (RFC 9457) if the client asks for it."""

import json

import pytest

from client import JSON, PROBLEM

ERRORS = {
    (400, "malformed_request"): ("GET", "/api/%ff", None),
    (400, "body_not_json"): ("POST", "/api/activities", b"{"),
    (404, "not_found"): ("GET", "/api/nothing", None),
    (405, "method_not_allowed"): ("PUT", "/livez", None),
    (414, "uri_too_long"): ("GET", "/api/" + "x" * 5000, None),
    (415, "content_type_unsupported"): ("POST", "/api/activities", b"{}"),
    (422, "limit_invalid"): ("GET", "/api/activities/home?limit=0", None),
    (422, "message_blank"): ("POST", "/api/activities", b"{}"),
    (501, "not_implemented"): ("BREW", "/api/trends", None),
}
TITLES = {
    400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 414: "URI Too Long", 415: "Unsupported Media Type",
    422: "Unprocessable Content", 501: "Not Implemented",
}  # fmt: skip


def ask(service, error, **headers):
    method, target, body = ERRORS[error]
    if error == (415, "content_type_unsupported"):
        headers["Content-Type"] = "text/plain"
    return service.ask(method, target, body, headers)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error[1])
def test_an_array_of_codes(service, error):
    reply = ask(service, error)
    assert reply.status == error[0]
    assert reply.json[0] == error[1]
    assert reply.headers["Content-Type"] == JSON


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error[1])
def test_a_problem_document(service, error):
    reply = ask(service, error, Accept=PROBLEM)
    assert reply.status == error[0]
    assert reply.headers["Content-Type"] == PROBLEM
    assert reply.json == {
        "type": "about:blank",
        "title": TITLES[error[0]],
        "status": error[0],
        "codes": ask(service, error).json,
        "request_id": reply.headers["X-Request-Id"],
    }


@pytest.mark.parametrize(
    "accept, form",
    [
        (PROBLEM, PROBLEM), (f"{JSON}, {PROBLEM}", PROBLEM), (f"text/html;q=0.9,{PROBLEM};q=0.5", PROBLEM),
        ("Application/Problem+JSON", PROBLEM), (f" {PROBLEM} ; q=1", PROBLEM),
        (None, JSON), ("", JSON), ("*/*", JSON), ("application/*", JSON), (JSON, JSON), (f"{PROBLEM};q=0", JSON),
        (f"{PROBLEM};q=0.000", JSON), (f"{PROBLEM}x", JSON), (f"x{PROBLEM}", JSON), ("application/problem", JSON),
        (",;,;q=", JSON),
    ],
)  # fmt: skip
def test_who_gets_which(service, accept, form):
    assert ask(service, (404, "not_found"), Accept=accept).headers["Content-Type"] == form


def test_success_is_no_problem(service):
    reply = service.get("/livez", Accept=PROBLEM)
    assert (reply.status, reply.headers["Content-Type"]) == (200, JSON)


@pytest.mark.parametrize("target", ["/livez", "/api/activities/home", "/api/nothing", "/nothing", "/api/activities"])
def test_headers_of_every_answer(service, target):
    headers = service.get(target).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == ("no-cache" if target.endswith("home") else "no-store")
    assert headers["X-Request-Id"]
    assert headers["Server"] == "nginx"
    assert all(len(headers.get_all(name)) == 1 for name in headers)


def test_errors_are_bare_ascii(service):
    """They contain nothing from the request."""
    for error in ERRORS:
        body = ask(service, error).body
        assert all(code.replace("_", "").isalnum() for code in json.loads(body.decode("ascii")))
