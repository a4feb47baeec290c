"""Paths and views: the skip link, a view that has been left while it was loading, and one that cannot be loaded."""

from held import hold, is_held, release
from waiting import eventually


def test_the_skip_link_stays_on_the_page(people):
    andrew, _ = people
    andrew.open("/")
    andrew.go("/settings")
    andrew.wait("#main h1", "Settings")
    andrew.here().execute_async_script(
        "const [done] = arguments; addEventListener('hashchange', () => done(), {once: true}); document.querySelector('a.skip').click()"
    )
    assert andrew.find("#main h1", "Settings") is not None
    andrew.go("/search")
    andrew.wait("#main h1", "Explore")
    andrew.script("history.back()")
    andrew.wait("#main h1", "Settings")


def test_a_view_that_has_been_left_neither_renames_nor_scrolls_the_page(people, quickstart):
    """The view goes on loading, so that it is shown when the user goes back."""
    andrew, _ = people
    quickstart.ask("POST", "/api/messages", "bayko", {"message": "For later", "handle": "andrewbrown"})
    andrew.open("/")
    hold(andrew, "/api/users/@bayko/short")
    andrew.go("/messages/@bayko")
    eventually(lambda: is_held(andrew), what="the question for the user")
    andrew.script("window.left = document.querySelector('#main .view')")
    andrew.go("/settings")
    andrew.wait("#main h1", "Settings")
    andrew.script("window.scrolled = []; window.plainScrollTo = window.scrollTo; window.scrollTo = (...to) => window.scrolled.push(JSON.stringify(to))")
    release(andrew)
    eventually(lambda: andrew.script("return window.left.querySelector('.composer') !== null"), what="the conversation")
    assert andrew.script("return window.scrolled") == []
    assert "Settings" in andrew.script("return document.title")
    andrew.script("window.scrollTo = window.plainScrollTo; history.back()")
    andrew.wait(".message", "For later")
    eventually(lambda: "Messages with Andrew Bayko" in andrew.script("return document.title"), what="the title")


def test_a_view_that_cannot_be_loaded_says_so(people):
    andrew, _ = people
    andrew.open("/")
    andrew.here().execute_cdp_cmd("Network.enable", {})
    andrew.here().execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/views/growth.js"]})
    try:
        andrew.go("/growth")
        andrew.wait("#main h1", "This page did not load")
    finally:
        andrew.here().execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    assert andrew.complaints() == []
    andrew.click("#main button", "Try again")
    andrew.wait("#main h1", "Growth")


def test_the_way_back_after_a_reload_and_the_way_forward(people):
    andrew, _ = people
    andrew.open("/growth")
    andrew.go("/settings")
    andrew.wait("#main h1", "Settings")
    andrew.script("history.back()")
    andrew.wait("#main h1", "Growth")
    andrew.here().refresh()
    andrew.wait("#main h1", "Growth")
    andrew.watch()
    andrew.script("history.forward()")
    andrew.wait("#main h1", "Settings")
    andrew.go("/search")
    andrew.wait("#main h1", "Explore")
    andrew.script("history.back()")
    andrew.wait("#main h1", "Settings")
