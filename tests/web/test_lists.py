"""Lists while others write, and lists that were left and are shown again: no row is missed, and none stays that is gone."""

import contextlib
import json

from waiting import eventually


def open_thread(person, message):
    person.press_part(message, "when")
    person.wait("article.is-main", message)


def go_back(person):
    """To the list, which was kept."""
    person.script("history.back()")
    eventually(lambda: not person.all("article.is-main"), what="the list")


def test_a_post_that_was_deleted_in_its_thread_leaves_the_list_too(andrew, quickstart):
    andrew.post("Deleted where it is read")
    open_thread(andrew, "Deleted where it is read")
    andrew.choose("Deleted where it is read", "Delete")
    eventually(lambda: quickstart.posts("Deleted where it is read") == 0, what="the end of the post")
    go_back(andrew)
    andrew.wait_gone("#main article", "Deleted where it is read")


def is_pressed(person, message, name):
    return person.part(message, name).get_attribute("aria-pressed") == "true"


def uuid_of(quickstart, message):
    return quickstart.sql(f"select uuid from activities where message = '{message}' and deleted_at is null")


def was_asked(person, path):
    """Whether an answer for this path has come."""
    return person.script("return performance.getEntriesByName(location.origin + arguments[0]).some(entry => entry.responseEnd > 0)", path)


def test_a_like_of_the_thread_is_shown_in_the_list_and_stays(people, quickstart):
    andrew, bayko = people
    bayko.post("Liked where it is read")
    uuid = uuid_of(quickstart, "Liked where it is read")
    quickstart.ask("PUT", f"/api/activities/{uuid}/like", "londo")
    andrew.open("/")
    andrew.wait_label("Liked where it is read", "like", "Like, 1 like")
    eventually(lambda: was_asked(andrew, f"/api/activities/{uuid}?limit=1"), what="the question for the marks")
    open_thread(andrew, "Liked where it is read")
    andrew.press_part("Liked where it is read", "like")
    andrew.wait_label("Liked where it is read", "like", "Like, 2 likes")
    go_back(andrew)
    eventually(lambda: is_pressed(andrew, "Liked where it is read", "like"), what="the mark")
    quickstart.ask("PUT", f"/api/activities/{uuid}/like", "altbrown")
    andrew.wait_label("Liked where it is read", "like", "Like, 3 likes")
    assert is_pressed(andrew, "Liked where it is read", "like")


@contextlib.contextmanager
def follower(quickstart):
    """andrewbrown follows bayko, and nobody else does."""
    quickstart.ask("PUT", "/api/users/@bayko/follow", "andrewbrown")
    try:
        yield
    finally:
        quickstart.ask("DELETE", "/api/users/@bayko/follow", "andrewbrown")


def test_a_list_that_was_kept_shows_the_marks_that_are_known(people, quickstart):
    andrew, bayko = people
    bayko.post("Read among those one follows")
    with follower(quickstart):
        andrew.open("/following")
        andrew.row("Read among those one follows")
        open_thread(andrew, "Read among those one follows")
        andrew.press_part("Read among those one follows", "repost")
        andrew.wait_label("Read among those one follows", "repost", "Repost, 1 repost")
        go_back(andrew)
        eventually(lambda: is_pressed(andrew, "Read among those one follows", "repost"), what="the mark")


# In the place of the browser's own function: answers for the paths that have a part of them, asked of a page that is loaded anew.
INSTEAD = """
const plainFetch = fetch;
window.asked = [];
window.fetch = (path, ...rest) => {
    asked.push(String(path));
    const found = window.isPlain ? undefined : ANSWERS.find(([part, , , left]) => String(path).includes(part) && left > asked.filter(other => other.includes(part)).length - 1);
    return found ? new Promise(resolve => setTimeout(resolve, 20, new Response(found[2], {status: found[1], headers: found[4] ?? {}}))) : plainFetch(path, ...rest);
};
"""


@contextlib.contextmanager
def instead(person, *answers):
    """Each: a part of the path, the status, the body, for how many requests, headers."""
    driver = person.here()
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": INSTEAD.replace("ANSWERS", json.dumps(answers))})
    try:
        yield
    finally:
        person.here().execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
        person.open("/")


def asked(person, part):
    """How many requests had a path with this part."""
    return person.script("return asked.filter(path => path.includes(arguments[0])).length", part)


MANY = 1_000_000


def test_a_further_page_that_fails_is_asked_for_again_by_the_button_alone(andrew):
    """No row is shown, so that the list would load the next page by itself."""
    link = {"Link": '</api/activities/home?cursor=next>; rel="next"', "ETag": '"x"'}
    with instead(andrew, ["/home/events", 503, "[]", MANY], ["cursor=next", 500, '["internal_error"]', MANY], ["/api/activities/home", 200, "[]", MANY, link]):
        andrew.open("/")
        andrew.wait("#main .note", "Something went wrong.")
        assert asked(andrew, "cursor=next") == 1
        andrew.click("#main .more", "Show older ones")
        eventually(lambda: asked(andrew, "cursor=next") == 2, what="the second request")
        andrew.wait("#main .note", "Something went wrong.")
        assert asked(andrew, "cursor=next") == 2
