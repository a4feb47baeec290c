"""Lists while others write, and lists that were left and are shown again: no row is missed, and none stays that is gone."""

import contextlib

from waiting import eventually


def open_thread(person, message):
    person.press_part(message, "when")
    person.wait("article.is-main", message)


def go_back(person):
    """To the list, which was kept."""
    person.script("history.back()")
    person.wait("#new-post, #main h1", "")
    eventually(lambda: not person.all("article.is-main"), what="the list")


def test_a_post_that_was_deleted_in_its_thread_leaves_the_list_too(andrew, quickstart):
    andrew.post("Deleted where it is read")
    open_thread(andrew, "Deleted where it is read")
    andrew.choose("Deleted where it is read", "Delete")
    eventually(lambda: quickstart.posts("Deleted where it is read") == 0, what="the end of the post")
    go_back(andrew)
    andrew.wait_gone("#main article", "Deleted where it is read")
