"""Requests that are not answered in time, and those that the service asks to repeat later."""

import pytest

from held import end_limits, hold, hold_from_start, is_held, release
from waiting import eventually


@pytest.mark.parametrize("method, path", [("GET", "/api/activities/notifications"), ("POST", "/cruddur-issuer/token")])
def test_a_request_that_is_not_answered_is_sent_again(people, method, path):
    """This holds for requests to the API, and for the request for a token to the issuer."""
    andrew, _ = people
    with hold_from_start(andrew, path, method):
        andrew.open("/notifications")
    eventually(lambda: is_held(andrew), what="the request")

    def is_away():
        end_limits(andrew)
        return andrew.find("#away", "does not answer")

    eventually(is_away, what="the end of its time")
    release(andrew)
    andrew.wait("#main .note, #main .notification")
    eventually(lambda: andrew.find("#main .note", "Loading…") is None, what="the notifications")
    andrew.wait_gone("#away")


CONFIG_FAILS = """
    let count = 0;
    const plainFetch = window.fetch.bind(window);
    window.fetch = (path, options) => {
        if (path !== '/web/config.json' || count === %d) {
            return plainFetch(path, options);
        }
        count++;
        return count === 1 ? Promise.reject(new TypeError('no network')) : Promise.resolve(new Response('', {status: 502}));
    };
"""


def open_with_failures(person, count):
    """Opens home; the first requests for the page's configuration fail, without an answer or with 502."""
    script = person.here().execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": CONFIG_FAILS % count})
    try:
        person.open("/")
    finally:
        person.here().execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_the_page_starts_although_its_configuration_fails_twice(people):
    andrew, _ = people
    open_with_failures(andrew, 2)
    andrew.wait("#account .own")
    andrew.wait_list()
    open_with_failures(andrew, 3)
    andrew.wait("#main h1", "Cruddur does not start")
    andrew.open("/")


def test_a_view_waits_where_the_service_is_asked_too_often(people):
    andrew, _ = people
    andrew.open("/")
    hold(andrew, "/api/activities/notifications", answer=['["too_many_requests"]', {"status": 429, "headers": {"Retry-After": "1"}}])
    andrew.go("/notifications")
    andrew.wait('#away[role="status"]', "too fast")
    assert andrew.find("#main .note", "Loading…") is not None
    release(andrew)
    andrew.wait_gone("#away")
    eventually(lambda: andrew.find("#main .note", "Loading…") is None, what="the notifications")
