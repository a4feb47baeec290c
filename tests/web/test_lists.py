"""Lists while others write, and lists that were left and are shown again: no row is missed, and none stays that is gone."""

import contextlib
import json

import pytest

from held import hold, is_held, release
from waiting import eventually


@pytest.fixture(autouse=True, scope="module")
def others_find_theirs(quickstart):
    """Removes the posts of this file, which are more than a page, because later tests look for their own posts on the first page."""
    quickstart.sql("create schema lists; create table lists.before as select uuid from public.activities")
    yield
    quickstart.sql("delete from public.activities where uuid not in (table lists.before); drop schema lists cascade")


def open_thread(person, message):
    person.press_part(message, "when")
    person.wait("article.is-main", message)


def go_back(person):
    """Goes back to the list, which the page has kept."""
    person.script("history.back()")
    eventually(lambda: not person.all("article.is-main"), what="the list")


def test_a_post_that_was_deleted_in_its_thread_leaves_the_list_too(andrew, quickstart):
    andrew.post("Deleted where it is read")
    open_thread(andrew, "Deleted where it is read")
    andrew.choose("Deleted where it is read", "Delete")
    eventually(lambda: quickstart.posts("Deleted where it is read") == 0, what="the end of the post")
    go_back(andrew)
    andrew.wait_gone("#main article", "Deleted where it is read")


# The notices' timers never end, so that an undo is possible at any time.
KEEP_NOTICES = "const plainTimeout = setTimeout; window.setTimeout = (act, ms, ...rest) => plainTimeout(act, ms >= 6000 ? 1e8 : ms, ...rest)"


def test_a_post_that_is_being_deleted_is_not_in_the_list_until_that_is_undone(andrew, quickstart):
    andrew.post("Deleted for a moment")
    open_thread(andrew, "Deleted for a moment")
    andrew.script(KEEP_NOTICES)
    andrew.choose("Deleted for a moment", "Delete")
    go_back(andrew)
    andrew.wait_gone("#main article", "Deleted for a moment")
    assert quickstart.posts("Deleted for a moment") == 1
    andrew.click(".toast button", "Undo")
    andrew.row("Deleted for a moment")


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


@contextlib.contextmanager
def thread_among_followed(people, quickstart, message):
    """bayko posts the message, and andrew opens its thread from the list of those he follows."""
    andrew, bayko = people
    bayko.post(message)
    with follower(quickstart):
        andrew.open("/following")
        andrew.row(message)
        open_thread(andrew, message)
        yield andrew


def test_a_list_that_was_kept_shows_the_marks_that_are_known(people, quickstart):
    with thread_among_followed(people, quickstart, "Read among those one follows") as andrew:
        andrew.press_part("Read among those one follows", "repost")
        andrew.wait_label("Read among those one follows", "repost", "Repost, 1 repost")
        go_back(andrew)
        eventually(lambda: is_pressed(andrew, "Read among those one follows", "repost"), what="the mark")


# Requests with this part in their path wait for release().
HOLD = """
const plain = fetch, held = new Promise(resolve => window.release = resolve), [part] = arguments;
window.fetch = async (path, ...rest) => {
    if (String(path).includes(part)) await held;
    return plain(path, ...rest);
};
"""


def wait_for_answer(person, part):
    """Waits for one more answer for a path with that part."""

    def count():
        return person.script("return performance.getEntriesByType('resource').filter(entry => entry.name.includes(arguments[0])).length", part)

    before = count()
    eventually(lambda: count() > before, what="an answer")


def test_a_post_that_was_deleted_before_the_list_has_asked_leaves_it(andrew, quickstart):
    andrew.open("/")
    andrew.wait_list()
    andrew.here().execute_script(HOLD, "/api/activities/home")
    andrew.post("Deleted at once")
    open_thread(andrew, "Deleted at once")
    andrew.choose("Deleted at once", "Delete")
    eventually(lambda: quickstart.posts("Deleted at once") == 0, what="the end of the post")
    andrew.here().execute_script("release()")
    go_back(andrew)
    andrew.wait_gone("#main article", "Deleted at once")


def test_a_list_that_was_kept_shows_the_marks_that_have_no_answer_yet(people, quickstart):
    with thread_among_followed(people, quickstart, "Reposted in a hurry") as andrew:
        andrew.here().execute_script(HOLD, "/repost")
        andrew.press_part("Reposted in a hurry", "repost")
        wait_for_answer(andrew, uuid_of(quickstart, "Reposted in a hurry"))  # the answer has the mark as it was
        go_back(andrew)
        eventually(lambda: is_pressed(andrew, "Reposted in a hurry", "repost"), what="the mark")
        andrew.here().execute_script("release()")
        eventually(lambda: quickstart.ask("GET", f"/api/activities/{uuid_of(quickstart, 'Reposted in a hurry')}", "andrewbrown")["activity"]["reposted"], what="the repost")


def test_a_post_that_waits_is_shown_with_the_mark_that_it_has_got_meanwhile(people, quickstart):
    andrew, bayko = people
    with follower(quickstart):
        andrew.open("/following")
        andrew.wait_list()
        bayko.post("Liked before it is shown here")
        andrew.wait(".new-rows", "1 new post")
        andrew.go(f"/@bayko/status/{uuid_of(quickstart, 'Liked before it is shown here')}")
        andrew.press_part("Liked before it is shown here", "like")
        andrew.wait_label("Liked before it is shown here", "like", "Like, 1 like")
        go_back(andrew)
        andrew.reveal()
        eventually(lambda: is_pressed(andrew, "Liked before it is shown here", "like"), what="the mark")


# Replaces the browser's fetch in pages that are loaded from now on: requests with a given part in their path get the given answer.
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
    """Each answer: a part of the path, the status, the body, the number of requests that get it, headers."""
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
    """The list shows no row, so it would load the next page by itself; after a failure only the button does."""
    link = {"Link": '</api/activities/home?cursor=next>; rel="next"', "ETag": '"x"'}
    with instead(andrew, ["/home/events", 503, "[]", MANY], ["cursor=next", 500, '["internal_error"]', MANY], ["/api/activities/home", 200, "[]", MANY, link]):
        andrew.open("/")
        andrew.wait("#main .note", "Something went wrong.")
        assert asked(andrew, "cursor=next") == 1
        andrew.click("#main .more", "Show older ones")
        eventually(lambda: asked(andrew, "cursor=next") == 2, what="the second request")
        andrew.wait("#main .note", "Something went wrong.")
        assert asked(andrew, "cursor=next") == 2


def insert_posts(quickstart, number, text, handle="bayko"):
    """Inserts that many posts at once, a millisecond from one to the next, the last one now."""
    quickstart.sql(
        "insert into activities (user_uuid, message, created_at, expires_at)"
        f" select uuid, '{text}, number ' || n, now() - ({number} - n) * interval '1 ms', now() + interval '1 day' from users, generate_series(1, {number}) n where handle = '{handle}'"
    )


@contextlib.contextmanager
def many(quickstart, text):
    """Deletes the posts that begin with this text at the end of the block."""
    try:
        yield text
    finally:
        quickstart.sql(f"delete from activities where message like '{text}%'")


def texts(person):
    """The texts of the rows, from the top."""
    return person.script("return [...document.querySelectorAll('#main .rows article .text')].map(text => text.textContent)")


def numbers(person, text):
    """The numbers of the shown posts with this text, from the top."""
    return [int(line.rpartition(" ")[2]) for line in texts(person) if line.startswith(text)]


def scroll_down(person):
    person.script("scrollTo(0, 0)")
    person.script("scrollTo(0, document.documentElement.scrollHeight)")


def test_more_than_a_page_has_come(andrew, quickstart):
    """More than a page has come, as after a sleep. A post that the visitor writes before these are shown causes none to be missed."""
    andrew.open("/")
    andrew.wait_list()
    with many(quickstart, "After a sleep"):
        insert_posts(quickstart, 120, "After a sleep")
        andrew.wait(".new-rows", "50 new posts")
        andrew.post("Written meanwhile")
        andrew.wait(".new-rows", "49 new posts")
        andrew.reveal()

        def is_all():
            scroll_down(andrew)
            return numbers(andrew, "After a sleep") == list(range(120, 0, -1))

        eventually(is_all, what="all the posts")
        assert texts(andrew)[0] == "Written meanwhile"


def test_what_waits_goes_on_waiting_when_a_page_is_full(andrew, quickstart):
    andrew.open("/")
    andrew.wait_list()
    with many(quickstart, "In two parts"):
        insert_posts(quickstart, 30, "In two parts")
        andrew.wait(".new-rows", "30 new posts")
        insert_posts(quickstart, 30, "In two parts, the second")
        andrew.wait(".new-rows", "60 new posts")
        andrew.reveal()
        eventually(lambda: numbers(andrew, "In two parts") == [*range(30, 0, -1)] * 2, what="all the posts")


def test_more_than_a_page_has_come_of_those_one_follows(andrew, quickstart):
    with follower(quickstart), many(quickstart, "Followed"):
        andrew.open("/following")
        andrew.wait_list()
        insert_posts(quickstart, 120, "Followed")
        andrew.wait(".new-rows", "120 new posts")
        andrew.reveal()
        eventually(lambda: numbers(andrew, "Followed") == list(range(120, 0, -1)), what="all the posts")


def test_more_than_a_page_of_messages_has_come(andrew, quickstart):
    quickstart.ask("POST", "/api/messages", "bayko", {"message": "The first of many", "handle": "andrewbrown"})
    andrew.open("/messages/@bayko")
    andrew.wait(".message", "The first of many")
    quickstart.sql(
        "insert into messages (message_group_uuid, user_uuid, message) select first.message_group_uuid, first.user_uuid, 'Of many, number ' || n"
        " from messages first, generate_series(1, 120) n where first.message = 'The first of many' order by n"
    )
    try:
        expected = ["The first of many", *(f"Of many, number {number}" for number in range(1, 121))]
        eventually(lambda: andrew.script(LINES)[-121:] == expected, what="all the messages")
        andrew.open("/messages/@bayko")
        andrew.wait(".message", "Of many, number 120")
        assert len(andrew.script(LINES)) < 121

        def is_whole():
            button = andrew.find("#main .more")
            if button:
                button.click()
            return button is None

        eventually(is_whole, what="the oldest message")
        assert andrew.script(LINES)[-121:] == expected
        assert andrew.script("return document.activeElement === document.querySelector('.message')")
    finally:
        quickstart.sql("delete from messages where message like 'Of many, number%'")


def test_a_list_of_changes_learns_of_counts_and_deletions(people, quickstart):
    andrew, bayko = people
    bayko.post("Liked from elsewhere")
    bayko.post("Deleted elsewhere")
    with follower(quickstart):
        andrew.open("/following")
        andrew.row("Deleted elsewhere")
        quickstart.ask("PUT", f"/api/activities/{uuid_of(quickstart, 'Liked from elsewhere')}/like", "londo")
        quickstart.ask("DELETE", f"/api/activities/{uuid_of(quickstart, 'Deleted elsewhere')}", "bayko")
        andrew.wait_gone("#main article", "Deleted elsewhere")
        andrew.wait_label("Liked from elsewhere", "like", "Like, 1 like")


LINES = "return [...document.querySelectorAll('.message .text')].map(text => text.textContent.split(': ')[1])"
LISTEN = """
window.said = [];
const place = document.querySelector('#announcements');
new MutationObserver(() => said.push(place.textContent)).observe(place, {childList: true});
"""


def test_messages_are_in_the_order_of_their_times(andrew, quickstart):
    """A message of the other user, which comes later than a message of one's own, was sent earlier."""
    quickstart.ask("POST", "/api/messages", "bayko", {"message": "The first", "handle": "andrewbrown"})
    andrew.open("/messages/@bayko")
    andrew.wait(".message", "The first")
    andrew.script(LISTEN)
    hold(andrew, "/api/messages/@bayko")
    eventually(lambda: is_held(andrew), what="the poll")
    quickstart.ask("POST", "/api/messages", "bayko", {"message": "A little earlier", "handle": "andrewbrown"})
    andrew.fill("main textarea", "A little later")
    andrew.click("main form button", "Send")
    andrew.wait(".message.is-own", "A little later")
    release(andrew)
    andrew.wait(".message:not(.is-own)", "A little earlier")
    assert andrew.script(LINES)[-3:] == ["The first", "A little earlier", "A little later"]
    assert [text for text in andrew.script("return said") if text.startswith("New message")] == ["New message: A little earlier"]


def insert_replies(quickstart, number, text, message):
    quickstart.sql(
        "insert into activities (user_uuid, message, reply_to_activity_uuid, expires_at, created_at)"
        f" select user_uuid, '{text}, number ' || n, uuid, expires_at, clock_timestamp() from activities, generate_series(1, {number}) n where message = '{message}' order by n"
    )


def test_a_reply_beyond_the_first_page_of_a_thread_is_reached(andrew, quickstart):
    andrew.post("Much discussed")
    insert_replies(quickstart, 199, "Early", "Much discussed")
    open_thread(andrew, "Much discussed")
    eventually(lambda: texts(andrew)[-1:] == ["Early, number 199"], what="the replies")
    insert_replies(quickstart, 3, "Late", "Much discussed")
    andrew.click("#main .more", "Show more replies")
    eventually(lambda: texts(andrew)[-1] == "Late, number 3", what="the further replies")
    andrew.wait_gone("#main .more")
    assert "Late, number" in focused_text(andrew)
    insert_replies(quickstart, 1, "Last", "Much discussed")
    eventually(lambda: texts(andrew)[-1] == "Last, number 1", what="the last reply")
    quickstart.sql("delete from activities where message = 'Much discussed'")


def test_muting_from_a_post_takes_all_posts_of_its_author_and_the_undo_brings_them_back(people, quickstart):
    andrew, bayko = people
    bayko.post("The first one of two")
    bayko.post("The second one of two")
    andrew.open("/")
    andrew.row("The first one of two")
    # The notice stays until the test has clicked its button.
    andrew.script(KEEP_NOTICES)
    with follower(quickstart):
        andrew.go("/following")
        andrew.row("The first one of two")
        try:
            andrew.choose("The second one of two", "Mute @bayko")
            andrew.wait_gone("#main article", "The second one of two")
            andrew.wait_gone("#main article", "The first one of two")
            andrew.click(".toast button", "Undo")
            andrew.row("The second one of two")
            andrew.row("The first one of two")
        finally:
            quickstart.sql("delete from mutes")


FAILED = '["internal_error"]'


def test_a_list_that_has_failed_to_load_is_loaded_later(andrew):
    with instead(andrew, ["/home/events", 503, "[]", MANY], ["/api/activities/home", 500, FAILED, MANY]):
        andrew.open("/")
        andrew.wait("#main .note", "Something went wrong.")
        andrew.script("window.isPlain = true")
        andrew.wait_list()
        assert andrew.script("return document.querySelector('#main .list .note').getAttribute('role')") == "status"
    with instead(andrew, ["/api/activities/search", 429, '["too_many_requests"]', 1]):
        andrew.open("/search?q=bayko")
        andrew.wait_list()


def test_a_thread_that_has_failed_to_load_is_not_gone(andrew, quickstart):
    andrew.post("Loaded at the second attempt")
    path = f"/@andrewbrown/status/{uuid_of(quickstart, 'Loaded at the second attempt')}"
    with instead(andrew, [f"/api/activities{path}", 500, FAILED, MANY]):
        andrew.open(path)
        andrew.wait("#main .note", "Something went wrong.")
        andrew.wait("#main h1", "Thread")
        andrew.script("window.isPlain = true")
        andrew.wait("article.is-main", "Loaded at the second attempt")


def test_a_conversation_that_has_failed_to_load_is_loaded_later(andrew):
    with instead(andrew, ["/api/messages/@bayko", 500, FAILED, MANY]):
        andrew.open("/messages/@bayko")
        andrew.wait("#main .note", "Something went wrong.")
        andrew.script("window.isPlain = true")
        andrew.wait("main form textarea")


def focused_text(person):
    return person.script("return document.activeElement === document.body ? '' : document.activeElement.textContent")


def test_the_focus_of_a_post_that_is_deleted_goes_to_its_neighbour_and_comes_back(andrew):
    andrew.post("Below the one that goes")
    andrew.post("The one that goes")
    andrew.script(KEEP_NOTICES)
    andrew.choose("The one that goes", "Delete")
    andrew.wait_gone("#main article", "The one that goes")
    assert "Below the one that goes" in focused_text(andrew)
    andrew.script("document.activeElement.blur()")
    andrew.click(".toast button", "Undo")
    andrew.row("The one that goes")
    assert "The one that goes" in focused_text(andrew)


def test_the_focus_of_a_menu_goes_back_to_its_button(andrew):
    andrew.post("With a menu")
    andrew.choose("With a menu", "Copy link")
    andrew.wait(".toast", "copied")
    assert andrew.script("return document.activeElement.matches('.menu summary')")


def test_the_focus_stays_on_the_button_of_a_profile_that_changes(andrew, quickstart):
    andrew.open("/@bayko")
    andrew.script("arguments[0].focus()", andrew.wait(".profile-actions button", "Follow"))
    for bio in ("Another bio.", ""):
        quickstart.ask("PUT", "/api/profile/update", "bayko", {"display_name": "Andrew Bayko", "bio": bio})
        eventually(lambda: (andrew.find(".bio", "Another bio.") is not None) == (bio != ""), what="the bio")
        assert focused_text(andrew) == "Follow"


def test_the_focus_stays_on_a_conversation_that_changes(andrew, quickstart):
    for handle in ("bayko", "londo"):
        quickstart.ask("POST", "/api/messages", handle, {"message": f"From {handle}", "handle": "andrewbrown"})
    andrew.open("/messages")
    andrew.wait(".conversation", "From bayko")
    andrew.script("[...document.querySelectorAll('.conversation')].find(row => row.textContent.includes('From bayko')).querySelector('a').focus()")
    quickstart.ask("POST", "/api/messages", "bayko", {"message": "Once more", "handle": "andrewbrown"})
    andrew.wait(".conversation", "Once more")
    assert andrew.script("return document.activeElement.closest('article')?.textContent ?? ''").count("Once more") == 1
    quickstart.ask("POST", "/api/messages", "londo", {"message": "Above it", "handle": "andrewbrown"})
    andrew.wait(".conversation", "Above it")
    assert andrew.script("return document.activeElement.closest('article')?.textContent ?? ''").count("Once more") == 1


def test_a_new_conversation_is_announced(andrew, quickstart):
    quickstart.sql("delete from message_groups where (select uuid from users where handle = 'altbrown') in (first_user_uuid, second_user_uuid)")
    andrew.open("/messages")
    andrew.wait_list()
    quickstart.ask("POST", "/api/messages", "altbrown", {"message": "Out of the blue", "handle": "andrewbrown"})
    andrew.wait(".conversation", "Out of the blue")
    assert andrew.script("return document.querySelector('#announcements').textContent") == "1 new message"


def test_the_focus_of_a_thread_that_ends_goes_to_its_heading(andrew, quickstart):
    andrew.post("A thread in which one reads")
    open_thread(andrew, "A thread in which one reads")
    andrew.script("document.querySelector('article.is-main').focus()")
    quickstart.sql("update activities set expires_at = now() + interval '1 second' where message = 'A thread in which one reads'")
    andrew.wait(".note", "This post is gone")
    assert focused_text(andrew) == "Gone"
