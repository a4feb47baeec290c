"""Two people at once in two windows: each one sees what the other one does, without a reload. Every view, every action."""

import pathlib
import subprocess
import urllib.request

from held import hold, release
from waiting import eventually

ASKED_FOR = (".js", ".css", ".html", ".svg")  # by the page; the licence of the library lies beside it


def test_the_page_comes_from_quickstart_with_its_policy(quickstart):
    with urllib.request.urlopen(f"{quickstart.url}/@bayko") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-cache" and answer.headers["ETag"]
    assert policy == (
        f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {quickstart.url}; img-src 'self' data:; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )


def test_the_page_is_small_and_its_library_is_the_one_that_is_named(quickstart):
    web = quickstart.data / "root/usr/local/share/cruddur/web"
    sizes = {path.name: path.stat().st_size for path in web.rglob("*.gz")}
    assert len(sizes) == len([path for path in web.rglob("*") if path.is_file() and path.suffix != ".gz"])
    assert sum(size for name, size in sizes.items() if pathlib.Path(name.removesuffix(".gz")).suffix in ASKED_FOR) <= 80 * 1024
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"], cwd=web / "vendor", check=True)


def test_a_post_is_seen_liked_reposted_and_answered(people):
    andrew, bayko = people
    bayko.post("An #evening for @andrewbrown", ttl="3-hours")
    andrew.wait(".new-rows", "1 new post")
    assert andrew.find("#main article", "An #evening") is None
    andrew.reveal()
    assert "3 h left" in andrew.row("An #evening").text

    andrew.press_part("An #evening", "like")
    bayko.wait_label("An #evening", "like", "Like, 1 like")
    andrew.press_part("An #evening", "repost")
    bayko.wait_label("An #evening", "repost", "Repost, 1 repost")
    assert andrew.part("An #evening", "like").get_attribute("aria-pressed") == "true"

    andrew.press_part("An #evening", "reply")
    andrew.fill("main textarea", "Likewise")
    andrew.click("main form button", "Reply")
    andrew.row("Likewise")
    bayko.wait_label("An #evening", "reply", "Reply, 1 reply")
    bayko.press_part("An #evening", "when")
    bayko.row("Likewise")
    andrew.fill("main textarea", "And once more")
    andrew.click("main form button", "Reply")
    bayko.row("And once more")


def test_a_like_is_taken_back_and_is_known_after_a_reload(people):
    andrew, bayko = people
    bayko.post("Take it back")
    andrew.wait(".new-rows")
    andrew.reveal()
    andrew.press_part("Take it back", "like")
    bayko.wait_label("Take it back", "like", "Like, 1 like")
    andrew.open("/")
    eventually(lambda: andrew.part("Take it back", "like").get_attribute("aria-pressed") == "true", what="the mark")
    andrew.press_part("Take it back", "like")
    bayko.wait_label("Take it back", "like", "Like, 0 likes")


def test_notifications_have_a_badge_until_they_are_read(people, quickstart):
    andrew, bayko = people
    quickstart.ask("PUT", "/api/activities/notifications/read", "bayko", {})
    andrew.post("Tell @bayko of it")
    bayko.wait("[data-unread]", "1")
    assert bayko.script("return document.title").startswith("(1) ")
    bayko.click("#navigation a", "Notifications")
    bayko.wait(".notification.is-unread", "mentioned you")
    bayko.wait_gone("[data-unread]", "1")
    assert quickstart.ask("GET", "/api/activities/notifications/unread", "bayko") == {"unread": 0}
    bayko.click(".notification a", "mentioned you")
    bayko.wait("article.is-main", "Tell @bayko of it")


def test_a_notification_of_a_like_that_is_taken_back(people, quickstart):
    """It opens the post that was liked, and then leaves the list."""
    andrew, _ = people
    uuid = quickstart.ask("POST", "/api/activities", "andrewbrown", {"message": "Liked for a moment", "ttl": "1-hour"})["uuid"]
    quickstart.ask("PUT", f"/api/activities/{uuid}/like", "londo")
    andrew.open("/notifications")
    andrew.wait(".notification", "Liked for a moment")
    hold(andrew, "/api/activities/notifications")
    quickstart.ask("DELETE", f"/api/activities/{uuid}/like", "londo")
    andrew.click(".notification a", "likes your post")
    andrew.wait("article.is-main", "Liked for a moment")
    andrew.script("history.back()")
    andrew.wait(".notification", "Liked for a moment")
    release(andrew)
    andrew.wait_gone(".notification", "Liked for a moment")


def test_deleting_can_be_undone_and_is_seen(people, quickstart):
    andrew, bayko = people
    andrew.post("Not for long")
    bayko.wait(".new-rows")
    bayko.reveal()
    # The page's own timer does not run out while the test is on its way to the button.
    andrew.script("window.plainTimeout = setTimeout; window.setTimeout = (act, ms, ...rest) => plainTimeout(act, ms >= 6000 ? 1e8 : ms, ...rest)")
    andrew.choose("Not for long", "Delete")
    andrew.wait_gone("#main article", "Not for long")
    andrew.click(".toast button", "Undo")
    andrew.row("Not for long")
    assert quickstart.posts("Not for long") == 1
    andrew.script("window.setTimeout = plainTimeout")
    andrew.choose("Not for long", "Delete")
    bayko.wait_gone("#main article", "Not for long")
    eventually(lambda: quickstart.posts("Not for long") == 0, what="the end of the post")
    assert andrew.find("#main article", "Not for long") is None


def test_a_post_is_kept_for_longer(people):
    andrew, bayko = people
    andrew.post("Worth keeping", ttl="1-hour")
    assert "left" in andrew.row("Worth keeping").text and "30 d" not in andrew.row("Worth keeping").text
    bayko.wait(".new-rows")
    bayko.reveal()
    andrew.press_part("Worth keeping", "menu")
    andrew.wait('details[open] option[value="30-days"]').click()
    andrew.click("details[open] .keep button", "Keep")
    eventually(lambda: "30 d left" in andrew.row("Worth keeping").text, what="the longer life")
    eventually(lambda: "30 d left" in bayko.row("Worth keeping").text, what="the longer life elsewhere")


def test_following(people):
    andrew, bayko = people
    andrew.open("/@bayko")
    andrew.click(".profile-actions button", "Follow")
    andrew.wait(".profile-actions button", "Following")
    andrew.click("#navigation a", "Following")
    bayko.post("For those who follow")
    eventually(lambda: andrew.find(".new-rows") or andrew.find("#main article", "For those who follow"), what="the post")
    andrew.open("/following")
    andrew.row("For those who follow")
    andrew.open("/@bayko")
    andrew.click(".profile-actions button", "Following")
    andrew.wait(".profile-actions button", "Follow")


def test_a_conversation(people):
    andrew, bayko = people
    andrew.open("/@bayko")
    andrew.click(".profile-actions a", "Message")
    andrew.fill("main textarea", "Are you there?")
    andrew.click("main form button", "Send")
    andrew.wait(".message.is-own", "Are you there?")
    bayko.click("#navigation a", "Messages")
    bayko.click(".conversation a", "Andrew Brown")
    bayko.wait(".message", "Are you there?")
    bayko.fill("main textarea", "Always")
    bayko.click("main form button", "Send")
    andrew.wait(".message:not(.is-own)", "Always")


def test_conversations_say_what_is_unread(people):
    andrew, bayko = people
    bayko.open("/messages")
    for text in ("One", "Two"):
        quickstart_send(andrew, text)
    bayko.wait(".conversation.is-unread .badge", "2")
    bayko.click(".conversation a", "Andrew Brown")
    bayko.wait(".message", "Two")
    bayko.click("#navigation a", "Messages")
    bayko.wait(".conversation:not(.is-unread)", "Two")


def quickstart_send(person, text, ttl=""):
    """Sends a message in the conversation with bayko."""
    if not person.script("return location.pathname").endswith("/messages/@bayko"):
        person.open("/messages/@bayko")
        person.wait("main form textarea")
    person.fill("main textarea", text)
    if ttl:
        person.wait(f'main form option[value="{ttl}"]').click()
    person.click("main form button", "Send")
    person.wait(".message.is-own", text)


def test_a_message_of_one_s_own_is_deleted(people, quickstart):
    andrew, bayko = people
    quickstart_send(andrew, "A slip of the pen")
    bayko.open("/messages/@andrewbrown")
    bayko.wait(".message", "A slip of the pen")
    assert bayko.find(".message:not(.is-own) button") is None
    andrew.script("[...document.querySelectorAll('.message.is-own')].at(-1).querySelector('button').click()")
    andrew.wait(".toast", "deleted")
    andrew.wait_gone(".message", "A slip of the pen")
    eventually(lambda: quickstart.sql("select count(*) from messages where message = 'A slip of the pen' and deleted_at is null") == "0", what="the end of the message")
    bayko.wait_gone(".message", "A slip of the pen")


def test_a_message_for_an_hour(people, quickstart):
    andrew, _ = people
    quickstart_send(andrew, "For an hour", "1-hour")
    assert quickstart.sql("select expires_at - created_at from messages where message = 'For an hour'") == "01:00:00"
    eventually(lambda: "left" in andrew.find(".message.is-own", "For an hour").text, what="how long it lives")


def test_who_likes_a_post_and_a_report(people, quickstart):
    andrew, bayko = people
    andrew.post("Liked and reported")
    bayko.open("/")
    bayko.press_part("Liked and reported", "like")
    bayko.wait_label("Liked and reported", "like", "Like, 1 like")
    bayko.press_part("Liked and reported", "menu")
    bayko.fill("details[open] .keep input", "It is spam")
    bayko.click("details[open] .keep button", "Report")
    bayko.wait(".toast", "reported")
    assert quickstart.sql("select reason from reports where message = 'Liked and reported'") == "It is spam"
    bayko.press_part("Liked and reported", "menu")
    bayko.click("details[open] a", "Who likes it")
    bayko.wait("#main article.conversation", "Andrew Bayko")


def answers(person, part):
    """How many answers the page has got for a path with this part."""
    return person.script("return performance.getEntriesByType('resource').filter(entry => entry.name.includes(arguments[0])).length", part)


def test_a_user_is_muted_from_a_post_and_blocked_on_the_page(people, quickstart):
    andrew, bayko = people
    try:
        bayko.post("Not for everyone")
        andrew.open("/")
        andrew.row("Not for everyone")
        andrew.choose("Not for everyone", "Mute @bayko")
        andrew.wait(".toast", "muted")
        andrew.wait_gone("#main article", "Not for everyone")
        andrew.open("/@bayko")
        andrew.row("Not for everyone")
        andrew.click(".profile-actions button", "Unmute")
        andrew.wait(".profile-actions button", "Mute")
        bayko.open("/@andrewbrown")
        bayko.wait(".profile h2", "Andrew Brown")
        andrew.click(".profile-actions button", "Block")
        andrew.wait(".profile-actions button", "Unblock")
        andrew.wait_gone("#main article", "Not for everyone")
        bayko.wait("#main .note", "not here")
        assert bayko.find(".profile") is None and bayko.find("#main article") is None
        bayko.script("performance.clearResourceTimings()")
        eventually(lambda: answers(bayko, "/unread") >= 2, what="two further polls")
        assert answers(bayko, "@andrewbrown") == 0
        andrew.click(".profile-actions button", "Unblock")
        andrew.wait(".profile-actions button", "Follow")
        andrew.row("Not for everyone")
    finally:
        quickstart.sql("delete from blocks; delete from mutes")


def test_a_user_and_a_page_that_are_not_here(people):
    andrew, _ = people
    andrew.open("/@nobody")
    andrew.wait("#main .note", "This user is not here.")
    andrew.wait("#main h1", "@nobody")
    assert andrew.find("#main .profile") is None and andrew.find("#main .tabs") is None
    andrew.open("/nowhere")
    andrew.wait("#main h1", "Nothing is here")


def test_what_the_narrow_page_has_no_room_for_is_in_the_settings(andrew):
    andrew.open("/settings")
    andrew.click("#main a", "Growth")
    andrew.wait("#main h1", "Growth")


def test_search_finds_words_tags_and_people(people):
    andrew, bayko = people
    bayko.post("Rare wordfish and a #raretag")
    for term, expected in {"wordfish": "Rare wordfish", "#raretag": "Rare wordfish", "@bayko": "Rare wordfish"}.items():
        andrew.open("/search")
        andrew.fill("#search-term", term)
        andrew.click("main form button", "Search")
        andrew.row(expected)
    andrew.wait(".people .user", "Andrew Bayko")
    andrew.click("#main article a", "#raretag")
    andrew.row("Rare wordfish")
    andrew.open("/search")
    andrew.wait(".trends", "#raretag")
    andrew.wait(".people .user")


def test_a_profile_is_edited_and_seen(people):
    andrew, bayko = people
    bayko.open("/@andrewbrown")
    andrew.open("/settings")
    eventually(lambda: andrew.wait("#display-name").get_attribute("value") == "Andrew Brown", what="the profile")
    andrew.fill("#bio", "Teaches the #cloud.")
    andrew.click("form button", "Save profile")
    andrew.wait(".toast", "saved")
    bayko.wait(".bio", "Teaches the #cloud.")


def test_the_way_back_is_where_one_left(people):
    andrew, _ = people
    for number in range(12):
        andrew.fill("#new-post textarea", f"Of many, number {number}")
        andrew.click("#new-post button", "Post")
        andrew.row(f"Of many, number {number}")
    andrew.script("scrollTo(0, 700)")
    before = andrew.script("return scrollY")
    andrew.press_part("Of many, number 4", "when")
    andrew.wait("article.is-main")
    andrew.script("history.back()")
    andrew.wait("#new-post")
    eventually(lambda: andrew.script("return scrollY") >= before - 400, what="the place")
    assert before > 400


def test_an_account_is_deleted_by_its_handle(andrew):
    """Another handle is refused, and a dismissed prompt does nothing. The page's request is intercepted, so that the user stays for
    other tests."""
    andrew.open("/settings")
    for typed, told in (("bayko", "This is not your handle."), (None, None)):
        andrew.click("#leave", "Delete my account")
        prompt = andrew.here().switch_to.alert
        assert "for ever" in prompt.text
        if typed is None:
            prompt.dismiss()
        else:
            prompt.send_keys(typed)
            prompt.accept()
            andrew.wait(".toast", told)
    assert andrew.find("#account .own") is not None
    andrew.script(
        "const fetched = window.fetch; window.fetch = (path, options) => { if (options?.method !== 'DELETE') return fetched(path, options);"
        "localStorage.asked = `${path} ${options.body}`; return Promise.resolve(new Response('{\"uuid\":\"x\"}')); }"
    )
    andrew.click("#leave")
    prompt = andrew.here().switch_to.alert
    prompt.send_keys("andrewbrown")
    prompt.accept()
    eventually(lambda: andrew.script("return location.pathname") == "/", what="the way back from the issuer")
    andrew.wait("#account .main", "Sign in")
    andrew.handle = None
    asked = andrew.script("const asked = localStorage.asked; localStorage.removeItem('asked'); return asked")
    assert asked == '/api/profile {"handle":"andrewbrown"}'
