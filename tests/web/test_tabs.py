"""Tabs of one user, which share a session: renewals, refusals and a sign-out in one of them."""

import contextlib

import pytest

from browser import Person
from held import hold, hold_from_start, is_held, release
from waiting import eventually

TOKEN = "/cruddur-issuer/token"
RENEW = "window.renewal = import('/web/session.js').then(async ({accessToken}) => accessToken(await accessToken())).then(token => token !== null, () => 'failed')"


@contextlib.contextmanager
def tab_of(person):
    """Another tab of the same browser, and so with the same storage."""
    driver = person.here()
    driver.switch_to.new_window("window")
    tab = Person(driver, driver.current_window_handle, person.url)
    try:
        tab.open("/notifications")
        tab.wait(".own")
        tab.wait("#main .note, #main .notification")
        yield tab
    finally:
        tab.here().close()
        driver.switch_to.window(person.window)


@pytest.fixture
def tabs(people):
    andrew, _ = people
    andrew.open("/")
    andrew.wait_list()
    session = andrew.script("return localStorage['cruddur:session']")
    with tab_of(andrew) as tab:
        yield andrew, tab
    if andrew.handle:
        andrew.script("localStorage['cruddur:session'] = arguments[0]", session)


def renewals(person):
    return person.script("return performance.getEntriesByName(location.origin + arguments[0]).length", TOKEN)


def is_signed_in(person):
    return person.script("return localStorage.getItem('cruddur:session') !== null")


def renewed(person):
    """The result of the renewal that RENEW has begun: whether there is a token, or "failed"."""
    return person.here().execute_async_script("window.renewal.then(arguments[0])")


def begin_renewal(person, answer=None):
    hold(person, TOKEN, "POST", answer)
    person.script(RENEW)


def test_a_renewal_in_another_tab_changes_nothing_here(tabs):
    """This tab keeps its token and its view, and so does not renew its token in turn."""
    andrew, tab = tabs
    andrew.script("document.querySelector('#main .view').dataset.mark = ''; window.told = 0; addEventListener('storage', event => window.told += event.key === 'cruddur:session')")
    before = renewals(andrew)

    def is_told():
        """Whether the browser has reported the renewal to the other tab. It reports none if both tokens are of one second and so are
        equal."""
        tab.script(RENEW)
        assert renewed(tab) is True
        return andrew.script("return window.told")

    eventually(is_told, what="the news of the renewal")
    andrew.here().execute_async_script("import('/web/session.js').then(({accessToken}) => accessToken()).then(arguments[0])")
    assert renewals(andrew) == before
    assert andrew.script("return document.querySelector('#main .view[data-mark]') !== null")


def test_a_session_that_ends_in_another_tab_ends_here(tabs):
    andrew, tab = tabs
    tab.click("#navigation a", "Home")
    andrew.script("window.kept = localStorage['cruddur:session']; localStorage.removeItem('cruddur:session')")
    tab.wait("#account .main", "Sign in")
    andrew.script("localStorage['cruddur:session'] = window.kept")
    tab.wait("#account .own")


@pytest.mark.parametrize("status", [403, 407, 429])
def test_a_refusal_of_the_moment_is_no_sign_out(tabs, status):
    _, tab = tabs
    begin_renewal(tab, ["{}", {"status": status}])
    assert renewed(tab) == "failed"
    assert is_signed_in(tab)


def test_a_session_that_has_ended_meanwhile_is_not_kept_again(tabs):
    andrew, tab = tabs
    begin_renewal(tab)
    eventually(lambda: is_held(tab), what="the renewal")
    andrew.script("localStorage.removeItem('cruddur:session')")
    release(tab)
    assert renewed(tab) is False
    assert not is_signed_in(tab)


def test_a_sign_out_waits_for_a_renewal_and_ends_its_session_too(tabs):
    andrew, tab = tabs
    begin_renewal(tab)
    eventually(lambda: is_held(tab), what="the renewal")
    andrew.go("/settings")
    andrew.click("#sign-out")
    andrew.handle = None
    pending = "navigator.locks.query().then(({pending}) => arguments[0](pending.length > 0 || localStorage.getItem('cruddur:session') === null))"
    eventually(lambda: tab.here().execute_async_script(pending), what="the sign-out")
    assert is_signed_in(tab)
    release(tab)
    assert renewed(tab) is True
    andrew.wait("#account .main", "Sign in")
    tab.wait("#account .main", "Sign in")
    assert not is_signed_in(andrew)


SESSION = "return localStorage['cruddur:session']"


def test_a_request_is_not_repeated_for_another_visitor(people, tabs, quickstart):
    """The other visitor signs in in another tab, while the request waits for the service."""
    other = people[1].script(SESSION)
    andrew, tab = tabs
    tab.click("#navigation a", "Home")
    hold(tab, "/api/activities", "POST", ["[]", {"status": 503}])
    tab.fill("#new-post textarea", "Repeated for nobody else")
    tab.click("#new-post button", "Post")
    tab.wait("#away", "does not answer")
    andrew.script("localStorage['cruddur:session'] = arguments[0]", other)
    tab.wait("#account .own", "bayko")
    release(tab)
    tab.wait_gone("#away")
    assert quickstart.posts("Repeated for nobody else") == 0
    andrew.script("localStorage.removeItem('cruddur:draft:post')")


def test_a_request_that_waits_for_a_token_does_not_get_another_visitor_s(people, tabs, quickstart):
    other = people[1].script(SESSION)
    andrew, tab = tabs
    with hold_from_start(tab, TOKEN, "POST"):
        tab.open("/")
    eventually(lambda: is_held(tab), what="the renewal")
    tab.fill("#new-post textarea", "Written before a token came")
    tab.click("#new-post button", "Post")
    andrew.script("localStorage['cruddur:session'] = arguments[0]", other)
    tab.wait("#account .own", "bayko")
    release(tab)
    tab.wait_list()
    tab.post("Written by the second visitor")
    assert quickstart.posts("Written before a token came") == 0
    andrew.script("localStorage.removeItem('cruddur:draft:post')")
