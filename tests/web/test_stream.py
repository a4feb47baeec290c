"""Home by a stream of events, and by the timer where the stream does not pass."""

import contextlib
import time

import pytest

from waiting import eventually

HOME = "/api/activities/home"
QUIET = 2  # s; the timer asks four times in it

# Answers in place of the browser's fetch, for the stream alone. They end when the request is aborted, as the browser's do.
ANSWERS = {
    "refused": "Promise.resolve(new Response('[\"streams_exceed_max\"]', {status: 503}))",
    "held back": "new Promise((_, reject) => rest[0].signal.addEventListener('abort', () => reject(rest[0].signal.reason)))",
    "lost": """Promise.resolve(new Response(new ReadableStream({start(controller) {
        controller.enqueue(new TextEncoder().encode('retry: 100\\n\\nid: x\\nevent: home\\ndata: {"etag":"x","new":null}\\n\\n'));
        rest[0].signal.addEventListener('abort', () => controller.error(rest[0].signal.reason));
    }})))""",
}
PATCH = """
const plainFetch = fetch, plainTimeout = setTimeout;
window.fetch = (path, ...rest) => String(path).endsWith('/home/events') ? ANSWER : plainFetch(path, ...rest);
window.setTimeout = (act, ms, ...rest) => plainTimeout(act, ms === 40000 ? 300 : ms, ...rest);
"""

# The first request for home is answered as by another host, whose page may be a little older than the event.
OLDER = """
const plainFetch = fetch;
window.older = 0;
window.fetch = (path, ...rest) => {
    const isOlder = String(path).endsWith('/activities/home') && window.older === 0;
    window.older += isOlder ? 1 : 0;
    return isOlder ? Promise.resolve(new Response(null, {status: 304})) : plainFetch(path, ...rest);
};
"""


def homes(person):
    """How often the page has asked for home."""
    return person.script("return performance.getEntriesByName(location.origin + arguments[0]).length", HOME)


def is_quiet(person):
    person.script("performance.clearResourceTimings()")
    time.sleep(QUIET)
    return homes(person) == 0


@contextlib.contextmanager
def patched(person, answer):
    driver = person.here()
    source = {"source": PATCH.replace("ANSWER", ANSWERS[answer])}
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    try:
        yield
    finally:
        person.here().execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_home_is_asked_for_when_it_has_changed(people):
    andrew, bayko = people
    andrew.open("/")
    eventually(lambda: is_quiet(andrew), what="a page that is told")
    bayko.post("Told at once")
    andrew.wait(".new-rows", "1 new post")
    assert homes(andrew) >= 1
    andrew.reveal()
    andrew.row("Told at once")
    bayko.press_part("Told at once", "like")
    andrew.wait_label("Told at once", "like", "Like, 1 like")
    eventually(lambda: is_quiet(andrew), what="a page that is told")


def test_the_event_of_a_page_that_another_host_lacks_yet(people):
    andrew, bayko = people
    andrew.open("/")
    eventually(lambda: is_quiet(andrew), what="a page that is told")
    andrew.script(OLDER)
    bayko.post("Told by one host")
    andrew.wait(".new-rows", "1 new post")
    assert andrew.script("return window.older") == 1
    eventually(lambda: is_quiet(andrew), what="a page that is told")


def test_the_machines_clock_is_set_back(people):
    andrew, bayko = people
    andrew.open("/")
    eventually(lambda: is_quiet(andrew), what="a page that is told")
    andrew.script("const now = Date.now; Date.now = () => now() - 3600e3;")
    bayko.post("Told in the hour before")
    andrew.wait(".new-rows", "1 new post")


def test_it_goes_on_after_the_pool_was_replaced(people, quickstart):
    andrew, bayko = people
    andrew.open("/")
    eventually(lambda: is_quiet(andrew), what="a page that is told")
    quickstart.run("--stop")
    quickstart.start()
    bayko.post("After the pause")
    andrew.wait(".new-rows")
    eventually(lambda: is_quiet(andrew), what="a page that is told again")


@pytest.mark.parametrize("answer", ANSWERS)
def test_where_the_stream_does_not_pass(people, answer):
    andrew, bayko = people
    with patched(andrew, answer):
        andrew.open("/")
        andrew.wait_list()
        for number in range(2):
            bayko.post(f"Not told, number {number}")
            andrew.wait(".new-rows")
            andrew.reveal()
            andrew.row(f"Not told, number {number}")
    andrew.open("/")
