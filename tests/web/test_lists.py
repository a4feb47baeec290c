"""Lists while others write, and lists that were left and are shown again: no row is missed, and none stays that is gone."""

import contextlib

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
