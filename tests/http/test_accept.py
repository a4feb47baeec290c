"""The form of an error depends on the weights in Accept, in the same way for the service's own errors and for nginx's."""

import pytest

from client import PROBLEM

JSON = "application/json"
# Accept, and whether a problem document is sent.
CASES = [
    (None, False), ("*/*", False), (JSON, False), ("application/*", False),
    (PROBLEM, True), (f"{JSON}, {PROBLEM}", True), (f"{PROBLEM}, {JSON}", True),
    (f"{JSON}, {PROBLEM};q=0.5", False), (f"{PROBLEM};q=0.5, {JSON}", False), (f"{PROBLEM}; q=0.9 , {JSON};q=1.0", False),
    (f"{JSON};q=0.5, {PROBLEM}", True), (f"{JSON};q=0, {PROBLEM};q=0.1", True), (f"{PROBLEM};q=0.5", True),
    (f"{PROBLEM};q=0", False), (f"{PROBLEM};q=0.000, {JSON}", False), (f"{PROBLEM}x", False), (f"text/html, {PROBLEM};q=0.3", True),
]  # fmt: skip
# Two weights below 1 are compared by the service alone.
FINER = [
    (f"{JSON};q=0.9, {PROBLEM};q=0.8", False), (f"{JSON};q=0.8, {PROBLEM};q=0.9", True), (f"{JSON};q=0.81, {PROBLEM};q=0.809", False),
    (f'{PROBLEM};x="a, {JSON}"', True), (f'{PROBLEM};x="q=0"', True), (f'{JSON};x=", {PROBLEM}"', False),
]  # fmt: skip


def is_problem(service, target, accept):
    reply = service.ask("GET", target, headers={"Accept": accept})
    assert reply.status == 404
    assert (reply.headers["Content-Type"] == PROBLEM) == isinstance(reply.json, dict)
    return reply.headers["Content-Type"] == PROBLEM


@pytest.mark.parametrize("accept, wanted", CASES + FINER)
def test_the_form_of_the_services_errors(service, accept, wanted):
    assert is_problem(service, "/api/nothing", accept) == wanted
    assert is_problem(service, "/api/users/@nobody-at-all/short", accept) == wanted


@pytest.mark.parametrize("accept, wanted", CASES)
def test_nginx_decides_likewise(service, accept, wanted):
    assert is_problem(service, "/nothing-of-the-service", accept) == wanted
