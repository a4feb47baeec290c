"""Every view in light, dark and narrow, by axe-core; a run with the keyboard alone; hostile texts; and the pictures of the README."""

import json
import os
import pathlib
import unicodedata

import pytest

from browser import ENTER, TAB
from running import TOP
from waiting import eventually

MODULES = pathlib.Path(os.environ.get("NODE_MODULES") or TOP / "tests/web/node_modules")
VIEWS = ("/", "/following", "/@bayko", "/notifications", "/messages", "/messages/@bayko", "/search", "/search?q=shapes", "/growth", "/settings", "/nowhere")
WIDTHS = {"wide": (1280, 900), "narrow": (320, 700), "low": (683, 325)}


def set_look(person, scheme="light", width="wide"):
    size = WIDTHS[width]
    driver = person.here()
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]})
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False})


@pytest.fixture
def looks(people):
    andrew, _ = people
    yield lambda **look: set_look(andrew, **look)
    andrew.here().execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    andrew.here().execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="module")
def content(quickstart):
    """Adds content for every view."""
    post = quickstart.ask("POST", "/api/activities", "bayko", {"message": "Of shapes and #colours, for @andrewbrown", "ttl": "1-hour"})
    for handle in ("andrewbrown", "londo"):
        quickstart.ask("PUT", f"/api/activities/{post['uuid']}/like", handle)
        quickstart.ask("POST", f"/api/activities/{post['uuid']}/reply", handle, {"message": f"{handle} has seen it"})
    quickstart.ask("PUT", "/api/users/@bayko/follow", "andrewbrown")
    quickstart.ask("PUT", "/api/users/@andrewbrown/follow", "bayko")
    quickstart.ask("POST", "/api/messages", "bayko", {"message": "Have you seen the shapes?", "handle": "andrewbrown"})
    quickstart.ask("POST", "/api/messages", "andrewbrown", {"message": "All of them.", "handle": "bayko"})
    return post


def settled(person):
    """Waits until the view has loaded."""
    person.wait("#main h1, #main h2")
    eventually(lambda: not person.script("return [...document.querySelectorAll('#main .note')].some(note => !note.hidden && note.textContent === 'Loading…')"), what="the view")


def violations(person):
    """What axe-core finds, with the first element of each."""
    person.script((MODULES / "axe-core/axe.min.js").read_text())
    found = person.here().execute_async_script("const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(result => done(result.violations))")
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:200]} {rule['nodes'][0]['failureSummary'][:300]}" for rule in found]


STRAYS = """
const outer = part => part.closest('article, section, form, nav').getBoundingClientRect();
const isStray = part => part.getBoundingClientRect().left < outer(part).left || part.getBoundingClientRect().right > outer(part).right;
return [...document.querySelectorAll('#main :is(.actions, .tabs, .profile-actions, .composer-bar, .row-form) > *, #main .badge')]
    .filter(part => part.offsetParent !== null && (isStray(part) || part.getClientRects().length > 1)).map(part => part.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("scheme, width", [("light", "wide"), ("dark", "wide"), ("light", "narrow"), ("dark", "narrow"), ("light", "low")])
def test_axe_finds_nothing(andrew, looks, content, scheme, width):
    looks(scheme=scheme, width=width)
    for path in (*VIEWS, f"/@bayko/status/{content['uuid']}"):
        andrew.open(path)
        settled(andrew)
        assert violations(andrew) == [], path
        assert andrew.script("return document.documentElement.scrollWidth <= innerWidth"), path
        assert andrew.script(STRAYS) == [], path


def test_axe_finds_nothing_in_lists_without_rows(andrew, quickstart):
    """A list without rows must not have the role feed, which requires an article."""
    post = quickstart.ask("POST", "/api/activities", "bayko", {"message": "No reply to this", "ttl": "1-hour"})
    for path in (f"/@bayko/status/{post['uuid']}", "/search?q=thatisnowhere"):
        andrew.open(path)
        settled(andrew)
        assert violations(andrew) == [], path


def test_a_thread_on_a_narrow_window(andrew, looks, content):
    """The replies are rows of one card, and a menu opens above the bar at the window's bottom."""
    looks(width="narrow")
    andrew.open(f"/@bayko/status/{content['uuid']}")
    andrew.wait("#main .rows article", "londo has seen it")
    assert andrew.script("return [...document.querySelectorAll('#main .rows article')].map(row => getComputedStyle(row).borderInlineStartWidth)") == ["0px", "0px"]
    andrew.script("arguments[0].scrollIntoView({block: 'end'})", andrew.part("londo has seen it", "menu"))
    andrew.press_part("londo has seen it", "menu")
    andrew.wait("#main details[open] button", "Mute @londo")
    eventually(
        lambda: andrew.script(
            "return document.querySelector('#main details[open] .items').getBoundingClientRect().bottom <= document.querySelector('#navigation').getBoundingClientRect().top"
        ),
        what="the menu above the bar",
    )
    andrew.script("scrollTo(0, 0)")
    andrew.press_part("Of shapes and #colours", "menu")
    andrew.wait("#main details[open] a", "Who likes it")
    heights = andrew.script("return [...document.querySelectorAll('#main details[open] .items > .plain')].map(item => item.getBoundingClientRect().height)")
    assert len(heights) == 4 and len(set(heights)) == 1


def test_all_of_the_frame_can_be_reached_in_a_low_window(andrew, looks):
    looks(width="low")
    andrew.open("/")
    andrew.wait_list()
    outside = andrew.script(
        "return [...document.querySelectorAll('header :is(a, button)')].filter(part => { part.scrollIntoView({block: 'nearest'});"
        "const {top, bottom} = part.getBoundingClientRect(); return top < -1 || bottom > innerHeight + 1 }).map(part => part.outerHTML.slice(0, 80))"
    )
    assert outside == []


def test_the_keyboard_alone_posts_replies_and_signs_out(people, quickstart):
    andrew, _ = people
    andrew.open("/")
    andrew.wait_list()

    def tab_to(selector, text=""):
        """Presses Tab until the element has the focus, for one round through the page."""
        stops = andrew.script("return document.querySelectorAll('a, button, input, select, textarea, summary, [tabindex]').length")
        for _ in range(stops + 2):
            if andrew.script("return document.activeElement.matches(arguments[0])", selector) and text in andrew.focused().text:
                return
            andrew.press(TAB)
        raise AssertionError(f"the Tab key does not lead to {selector}")

    tab_to("a.skip")
    andrew.press(ENTER)
    tab_to("#new-post textarea")
    andrew.press("By keys alone")
    tab_to("#new-post button", "Post")
    andrew.press(ENTER)
    andrew.row("By keys alone")
    andrew.script("document.activeElement.blur()")
    andrew.press("j")
    eventually(lambda: andrew.focused().tag_name == "article" and "By keys alone" in andrew.focused().text, what="the focus")
    andrew.press("l")
    andrew.wait_label("By keys alone", "like", "Like, 1 like")
    andrew.press("r")
    eventually(lambda: andrew.focused().tag_name == "textarea", what="the field for the reply")
    andrew.press("An answer by keys")
    tab_to("main form button", "Reply")
    andrew.press(ENTER)
    andrew.row("An answer by keys")
    tab_to('a[href="/settings"]')
    andrew.press(ENTER)
    andrew.wait("#sign-out")
    tab_to("#sign-out")
    andrew.press(ENTER)
    andrew.wait("#account .main", "Sign in")
    andrew.handle = None


def hostile():
    """200 texts: markup, scripts, addresses, control characters, directions, widths, and the characters of every general category."""
    markup = [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "\"><script>alert(1)</script>", "javascript:alert(1)",
        "<a href=javascript:alert(1)>x</a>", "<iframe srcdoc='<script>alert(1)</script>'>", "{{7*7}}", "${alert(1)}", "<style>*{display:none}</style>",
        "<base href=//evil.example>", "<meta http-equiv=refresh content=0>", "</textarea><script>alert(1)</script>", "<!--", "]]>", "&lt;b&gt;", "&#60;b&#62;",
        "<template><script>alert(1)</script></template>", "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>", "' onfocus='alert(1)' autofocus='",
        "http://x/\"onmouseover=alert(1)//", "https://example.com/<script>", "data:text/html,<script>alert(1)</script>", "#<script>", "@<b>", "__proto__", "constructor",
        "../../etc/passwd", "%00%3Cscript%3E", "';drop table users;--", "\\u003cscript\\u003e", "<b", ">", "\"", "'", "`",
    ]  # fmt: skip
    shapes = [
        "W" * 250, "i" * 280, "https://example.com/" + "a" * 200, "#" + "t" * 64, "@" + "h" * 64, "\u202e" + "drawkcab", "\u2066\u2067\u2068nest", "a" + "\u0301" * 150,
        "Z" + "\u0361\u0489\u033f" * 60, "\ufdfd" * 30, "𒐫" * 40, "⸻" * 40, "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 10, "\U0001f1e9" * 41, "שלום עולם " * 20, "مرحبا " * 30,
        "日本語" * 60, "ไทย" * 60, "\n" * 100 + "x", "\t" * 60 + "x", "x\r\ny", "a\u2028b", "a\u2029b", "\ufeffx", "x\u200b" * 90, "\u00ad".join("soft" * 30), "﷽" * 20,
        "\u3164x", "\u115fx", "x" + "\ufe0f" * 60, "\U000e0041x", "0" * 280, "-" * 280, "_" * 280, "." * 280, "\u2003x\u2003", "ﬀﬁ" * 60, "ẞ" * 100, "İ" * 100,
    ]  # fmt: skip
    singles = {}
    for code in range(0x20, 0x110000):
        category = unicodedata.category(chr(code))
        if category not in ("Cs", "Cn", "Co") and len(singles.setdefault(category, [])) < 8:
            singles[category].append(chr(code))
    categories = [f"{character} {category} {character * 20}" for category, found in sorted(singles.items()) for character in found]
    texts = [text for text in dict.fromkeys(markup + shapes + categories) if len(text) <= 280]
    assert len(texts) >= 200
    return texts[:240]


INSERT = """
do $block$
declare
    row json;
    author uuid;
begin
    for row in select * from json_array_elements($texts${texts}$texts$::json) loop
        author := gen_random_uuid();
        begin
            insert into users (uuid, display_name, handle, email, cognito_user_id, bio)
            values (author, row ->> 'text', 'hostile_' || (row ->> 'index'), 'hostile_' || (row ->> 'index') || '@example.com', author, row ->> 'text');
        exception when check_violation or raise_exception or data_exception or integrity_constraint_violation then
            insert into users (uuid, display_name, handle, email, cognito_user_id, bio)
            values (author, 'Refused', 'hostile_' || (row ->> 'index'), 'hostile_' || (row ->> 'index') || '@example.com', author, '');
        end;
        if not is_blank(row ->> 'text') then
            insert into activities (uuid, user_uuid, message, expires_at)
            values (gen_random_uuid(), author, row ->> 'text', now() + interval '2 hours');
        end if;
    end loop;
end
$block$
"""


def load_all(person):
    """Scrolls to the end of the list. Returns the number of posts when all are loaded, and 0 before."""
    person.script("scrollTo(0, document.documentElement.scrollHeight)")
    return person.script("return document.querySelector('.more').hidden ? document.querySelectorAll('#main article').length : 0")


def test_hostile_texts_execute_nothing_and_break_no_layout(people, looks, quickstart):
    """The texts are messages, names and bios of separate users, then terms of a search, and handles in a path."""
    andrew, _ = people
    texts = hostile()
    quickstart.sql(INSERT.replace("{texts}", json.dumps([{"text": text, "index": index} for index, text in enumerate(texts)])))
    looks(width="narrow")
    andrew.open("/")
    assert eventually(lambda: load_all(andrew), what="all the posts") >= 190
    assert is_within(andrew) and andrew.script("return [...document.querySelectorAll('#main article')].every(post => post.getBoundingClientRect().right <= innerWidth)")
    shown = andrew.script("return [...document.querySelectorAll('#main article .text')].map(text => text.textContent)")
    names = andrew.script("return [...document.querySelectorAll('#main article .author')].map(text => text.textContent)")
    for text in ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;"):
        assert text in shown and text in names
    assert not andrew.all("#main .text *:not(a)") and not andrew.all('#main a[href^="javascript"]')
    for index, text in enumerate(texts):
        quoted = andrew.script("return encodeURIComponent(arguments[0])", text)
        andrew.go(f"/search?q={quoted}")
        eventually(lambda: andrew.script("return document.querySelector('#search-term') !== null && decodeURIComponent(location.search.slice(3)) === arguments[0]", text), what=f"the search for {text!r}")
        assert is_within(andrew), text
        if index % 4 == 0:
            andrew.go(f"/@hostile_{index}")
            andrew.wait(".profile h2")
            assert is_within(andrew), text
            andrew.go(f"/@{quoted}")
            andrew.wait("#main .note, #main .error")
            assert is_within(andrew), text


def is_within(person):
    return person.script("return document.documentElement.scrollWidth <= innerWidth")


# --- pictures ---


def test_the_pictures(people, looks, quickstart, content):
    """Writes doc/screenshots, if WEB_SCREENSHOTS is that folder; the pages must load in any case."""
    andrew, _ = people
    quickstart.sql("delete from users where handle like 'hostile%'; delete from activities; delete from follows")
    for minutes, message, handle, ttl, fans in (
        (2900, "Reading about prefork servers. @bayko, you will like chapter four.", "altbrown", "7-days", ["bayko", "londo", "andrewbrown"]),
        (640, "The demo went well. Notes are here until tomorrow, then they are gone: https://example.com/notes #cloud", "andrewbrown", "1-day", ["bayko"]),
        (75, "Anyone up for a walk along the river before it rains? #evening", "londo", "3-hours", ["andrewbrown", "altbrown"]),
        (22, "Fresh bread, first come, first served. #evening", "bayko", "1-hour", []),
        (3, "Half of what I write here is gone by Monday, and that is just right. #cruddur", "altbrown", "3-days", ["londo"]),
    ):
        post = quickstart.ask("POST", "/api/activities", handle, {"message": message, "ttl": ttl})["uuid"]
        for fan in fans:
            quickstart.ask("PUT", f"/api/activities/{post}/like", fan)
            quickstart.ask("POST", f"/api/activities/{post}/reply", fan, {"message": "Yes."})
        shift = f"interval '{minutes} minutes'"
        quickstart.sql(f"update activities set created_at = created_at - {shift}, expires_at = expires_at - {shift} where '{post}' in (uuid, reply_to_activity_uuid)")
    quickstart.sql(
        "insert into growth (at, users, posts, replies) select now() - back * interval '6 hours', 2 + back * 7 % 5, 28 + back * 13 % 17 - back / 5, 9 + back * 5 % 7"
        " from generate_series(1, 120) back"
    )
    folder = pathlib.Path(os.environ.get("WEB_SCREENSHOTS") or quickstart.folder)
    for scheme in ("light", "dark"):
        looks(scheme=scheme)
        for name, path in {"home": "/", "growth": "/growth"}.items():
            andrew.open(path)
            settled(andrew)
            andrew.wait("#main article, .uplot canvas")
            assert andrew.here().save_screenshot(str(folder / f"{name}-{scheme}.png"))


def test_the_labels_in_the_side_bar_of_the_api_page_are_within_it(andrew, looks):
    looks(width="wide")
    andrew.here().get(andrew.url + "/api/docs")
    labels = andrew.script(
        "return [...document.querySelectorAll('nav .method')].map(label => {"
        "const range = document.createRange(); range.selectNodeContents(label); return range.getBoundingClientRect().left })"
    )
    assert len(labels) > 20 and min(labels) >= andrew.script("return document.querySelector('nav').getBoundingClientRect().left + 8")
