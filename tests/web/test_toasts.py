"""A notice with a button stays while it has the focus or the pointer."""

from selenium.webdriver.common.action_chains import ActionChains

from waiting import eventually

# The notices' own timers run out when the test says so.
PATCH = """
const plainTimeout = setTimeout, plainClear = clearTimeout;
window.late = new Map();
let number = -1;
window.setTimeout = (act, ms, ...rest) => ms >= 6000 && ms <= 7000 ? (window.late.set(--number, act), number) : plainTimeout(act, ms, ...rest);
window.clearTimeout = timer => window.late.delete(timer) || plainClear(timer);
"""


def timers(person):
    return person.script("return window.late.size")


def test_undo_waits_for_focus_and_pointer(people, quickstart):
    andrew, _ = people
    andrew.open("/")
    andrew.wait_list()
    andrew.post("Deleted at leisure")
    andrew.script(PATCH)
    andrew.choose("Deleted at leisure", "Delete")
    button = andrew.wait(".toast button", "Undo")
    assert timers(andrew) > 0
    andrew.script("arguments[0].focus()", button)
    eventually(lambda: timers(andrew) == 0, what="the stop by the focus")
    ActionChains(andrew.here()).move_to_element(button).perform()
    andrew.script("arguments[0].blur()", button)
    assert timers(andrew) == 0
    ActionChains(andrew.here()).move_to_element(andrew.wait("#main article")).perform()
    eventually(lambda: timers(andrew) > 0, what="the end of the stop")
    assert quickstart.posts("Deleted at leisure") == 1
    andrew.script("[...window.late.values()].forEach(act => act())")
    andrew.wait_gone(".toast")
    eventually(lambda: quickstart.posts("Deleted at leisure") == 0, what="the end of the post")
    andrew.open("/")


def test_a_sign_out_sends_the_deletion_that_waits(people, quickstart):
    andrew, _ = people
    andrew.open("/")
    andrew.wait_list()
    andrew.post("Deleted before the sign-out")
    andrew.script(PATCH)
    andrew.choose("Deleted before the sign-out", "Delete")
    andrew.wait(".toast button", "Undo")
    andrew.go("/settings")
    andrew.click("#sign-out")
    andrew.handle = None
    andrew.wait("#account .main", "Sign in")
    eventually(lambda: quickstart.posts("Deleted before the sign-out") == 0, what="the end of the post")
