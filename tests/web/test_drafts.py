"""What is written is not lost: by a reload, a sign-in, a pool that is away or does not answer; and nothing is posted twice."""

from held import hold, is_held, release
from waiting import eventually


def test_a_draft_survives_a_reload(people, quickstart):
    andrew, _ = people
    andrew.fill("#new-post textarea", "Half a thou")
    andrew.open("/")
    assert andrew.wait("#new-post textarea").get_attribute("value") == "Half a thou"
    andrew.fill("#new-post textarea", "")
    andrew.open("/")
    assert andrew.wait("#new-post textarea").get_attribute("value") == ""


def test_a_draft_survives_a_sign_in(people, quickstart):
    andrew, _ = people
    andrew.open("/settings")
    andrew.click("#sign-out")
    andrew.wait("#account .main", "Sign in")
    andrew.handle = None
    andrew.fill("#new-post textarea", "Written before the sign-in")
    andrew.click("#new-post button", "Sign in to post")
    andrew.click("button.user", "@andrewbrown")
    andrew.watch_anew()
    andrew.handle = "andrewbrown"
    assert andrew.wait("#new-post textarea").get_attribute("value") == "Written before the sign-in"
    andrew.click("#new-post button", "Post")
    andrew.row("Written before the sign-in")
    assert quickstart.posts("Written before the sign-in") == 1


def test_a_pool_that_is_away_loses_no_draft_and_no_post(people, quickstart):
    """The pool is away when the post is sent, and the page is loaded again before the pool is back."""
    andrew, bayko = people
    bayko.fill("#new-post textarea", "A second one, which waits")
    quickstart.end_pool()
    try:
        andrew.fill("#new-post textarea", "Sent while it was away")
        andrew.click("#new-post button", "Post")
        andrew.wait("#away", "does not answer")
        andrew.open("/")
        assert andrew.wait("#new-post textarea").get_attribute("value") == "Sent while it was away"
        bayko.click("#new-post button", "Post")
        bayko.wait("#away", "does not answer")
    finally:
        quickstart.start()
    bayko.row("A second one, which waits")
    bayko.wait_gone("#away")
    andrew.click("#new-post button", "Post")
    andrew.row("Sent while it was away")
    eventually(lambda: quickstart.posts("A second one, which waits") == 1, what="the post that waited")
    assert quickstart.posts("Sent while it was away") == 1
    assert bayko.wait("#new-post textarea").get_attribute("value") == ""


def test_a_post_whose_answer_is_lost_is_made_once(people, quickstart):
    """The pool gets the request and is stopped before it answers; the page gives the answer up and sends it again."""
    andrew, _ = people
    quickstart.freeze()
    try:
        andrew.fill("#new-post textarea", "Once and only once")
        andrew.click("#new-post button", "Post")
        andrew.wait("#away", "does not answer")
        andrew.open("/")
        andrew.click("#new-post button", "Post")
        andrew.wait("#away", "does not answer")
    finally:
        quickstart.thaw()
    andrew.row("Once and only once")
    eventually(lambda: andrew.wait("#new-post textarea").get_attribute("value") == "", what="the end of the draft")
    assert quickstart.posts("Once and only once") == 1


def test_a_composer_that_is_made_while_its_draft_is_sent_waits_too(people, quickstart):
    andrew, _ = people
    andrew.open("/")
    andrew.wait_list()
    hold(andrew, "/api/activities", "POST")
    andrew.fill("#new-post textarea", "Sent from a view before")
    andrew.click("#new-post button", "Post")
    eventually(lambda: is_held(andrew), what="the request")
    andrew.go("/settings")
    andrew.wait("#main h1", "Settings")
    andrew.go("/")
    field = andrew.wait("#new-post textarea")
    assert andrew.wait("#new-post button").text == "Sending…"
    assert field.get_attribute("value") == "Sent from a view before" and field.get_attribute("readonly")
    release(andrew)
    eventually(lambda: field.get_attribute("value") == "", what="the end of the draft")
    assert not field.get_attribute("readonly")
    andrew.row("Sent from a view before")
    assert andrew.script("return localStorage.getItem('cruddur:draft:post')") is None
    assert quickstart.posts("Sent from a view before") == 1


def test_a_send_ends_no_other_draft_than_its_own(people):
    """Another tab has begun a draft meanwhile."""
    andrew, _ = people
    andrew.open("/")
    hold(andrew, "/api/activities", "POST")
    andrew.fill("#new-post textarea", "The first of two")
    andrew.click("#new-post button", "Post")
    eventually(lambda: is_held(andrew), what="the request")
    andrew.script("localStorage['cruddur:draft:post'] = JSON.stringify({text: 'The second of two'})")
    release(andrew)
    andrew.row("The first of two")
    eventually(lambda: andrew.wait("#new-post textarea").get_attribute("value") == "", what="an empty field")
    andrew.open("/")
    assert andrew.wait("#new-post textarea").get_attribute("value") == "The second of two"
    andrew.fill("#new-post textarea", "")


def test_a_draft_is_shown_to_no_other_visitor(people):
    """The session of the draft's visitor has ended by itself."""
    andrew, bayko = people
    other = bayko.script("return localStorage['cruddur:session']")
    own = andrew.script("return localStorage['cruddur:session']")

    def draft(session):
        """The draft that is shown with this session."""
        andrew.script("if (arguments[0]) localStorage['cruddur:session'] = arguments[0]; else localStorage.removeItem('cruddur:session')", session)
        andrew.open("/")
        return andrew.wait("#new-post textarea").get_attribute("value")

    try:
        andrew.fill("#new-post textarea", "Not for the next one")
        assert draft(None) == "Not for the next one"
        assert draft(other) == ""
        assert draft(own) == "Not for the next one"
        draft(None)
        andrew.fill("#new-post textarea", "")
        andrew.fill("#new-post textarea", "Of whoever signs in")
        assert draft(other) == "Of whoever signs in"
        andrew.fill("#new-post textarea", "")
    finally:
        draft(own)


def test_a_profile_cannot_be_edited_before_it_is_there(andrew):
    andrew.open("/")
    hold(andrew, "/api/activities/@andrewbrown")
    andrew.go("/settings")
    name = andrew.wait("#display-name")
    assert name.get_attribute("readonly") and andrew.wait("#bio").get_attribute("readonly")
    release(andrew)
    eventually(lambda: name.get_attribute("value") == "Andrew Brown", what="the profile")
    assert not name.get_attribute("readonly")
    andrew.click("form button", "Save profile")
    andrew.wait(".toast", "saved")
    assert andrew.focused().text == "Save profile"
