"""GET /api/activities/search: words, starts of words, tags, authors, and terms that are none of these."""

import urllib.parse

import pytest

from service import Service
from test_home import FIELDS


@pytest.fixture(scope="module")
def service(cluster):
    with Service(cluster) as service:
        service.database.feed_bound = 0  # these tests do not read the cached home page
        yield service


@pytest.fixture(autouse=True)
def empty_feed(service):
    service.database.sql("truncate activities cascade")


@pytest.fixture
def post(service):
    def post(message, age="1 minute", handle="londo", expires_at="null"):
        ((uuid,),) = service.database.sql(
            f"""insert into activities (user_uuid, message, created_at, expires_at)
                select uuid, %s, now() - %s::interval, {expires_at} from users where handle = %s returning uuid""",
            message, age, handle,
        )  # fmt: skip
        return uuid

    return post


def search(service, term, more=""):
    return service.get(f"/api/activities/search?term={urllib.parse.quote(term)}{more}")


def found(service, term, more=""):
    """The messages, in their order."""
    reply = search(service, term, more)
    assert reply.status == 200, reply
    assert reply.next_page is None
    return [row["message"] for row in reply.json]


def test_a_row_has_the_fields_of_the_feed(service, post):
    uuid = post("Every ship is a minor miracle", handle="andrewbrown")
    (row,) = search(service, "ship").json
    assert set(row) == FIELDS
    assert (row["uuid"], row["handle"], row["display_name"]) == (uuid, "andrewbrown", "Andrew Brown")


@pytest.mark.parametrize(
    "term, fits",
    [
        ("cats", {"Cats like boxes", "dogs like CATS"}),
        ("cat", {"Cats like boxes", "dogs like CATS", "concatenate two catalogues"}),  # starts of words
        ("c", {"Cats like boxes", "dogs like CATS", "concatenate two catalogues", "C for beginners", "it's 100% o'clock"}),
        ("Cats dogs", {"dogs like CATS"}),
        ("dogs ca", {"dogs like CATS"}),
        ("ca dogs", set()),  # only the last word may be a start
        ("boxes OR beginners", {"Cats like boxes", "C for beginners"}),
        ("box or begin", set()),  # but not behind "or"
        ("like -dogs", {"Cats like boxes"}),
        ("-like", {"concatenate two catalogues", "C for beginners", "¡Ñandú! naïve 東京タワー Zürich", "it's 100% o'clock"}),
        ('"like boxes"', {"Cats like boxes"}),
        ('"boxes like"', set()),
        ('"like box', set()),
        ('like "box', set()),
        ("ñandú", {"¡Ñandú! naïve 東京タワー Zürich"}),
        ("ZÜR", {"¡Ñandú! naïve 東京タワー Zürich"}),
        ("東京", {"¡Ñandú! naïve 東京タワー Zürich"}),
        ("o'clock", {"it's 100% o'clock"}),
        ("100", {"it's 100% o'clock"}),
        ("cats\u3000\u00a0dogs  ", {"dogs like CATS"}),
        ("unheard", set()),
    ],
)
def test_words(service, post, term, fits):
    for message in ("Cats like boxes", "dogs like CATS", "concatenate two catalogues", "C for beginners",
                    "¡Ñandú! naïve 東京タワー Zürich", "it's 100% o'clock"):  # fmt: skip
        post(message)
    assert set(found(service, term)) == fits


@pytest.mark.parametrize(
    "term, fits",
    [
        ("#rust", {"I like #Rust.", "#rust #go"}),
        ("#RUST", {"I like #Rust.", "#rust #go"}),
        ("#go #rust", {"#rust #go"}),
        ("like #rust", {"I like #Rust."}),
        ("#rus", set()),
        ("rus", {"I like #Rust.", "#rust #go", "rust and #rusty", "a#rust"}),
        ("#rusty", {"rust and #rusty"}),
        ("#日本", {"in #日本"}),
        ("#1", {"we are #1"}),  # no tag: the text itself is looked for
        ("#", {"I like #Rust.", "#rust #go", "rust and #rusty", "a#rust", "in #日本", "we are #1"}),
        ("@lon #rust", {"I like #Rust."}),
    ],
)
def test_tags(service, post, term, fits):
    for message in ("#rust #go", "rust and #rusty", "a#rust", "in #日本", "we are #1"):
        post(message, handle="bayko")
    post("I like #Rust.")
    assert set(found(service, term)) == fits


@pytest.mark.parametrize(
    "term, fits",
    [
        ("@bayko", {"by bayko 1", "by bayko 2"}),
        ("@BAY", {"by bayko 1", "by bayko 2"}),
        ("@a", {"by altbrown", "by andrewbrown"}),
        ("@andrewbrown", {"by andrewbrown"}),
        ("@ndrew", set()),
        ("@bayko 1", {"by bayko 1"}),
        ("2 @bay by", {"by bayko 2"}),
        ("@nobody", set()),
        ("@%", set()),
        ("@_ndrewbrown", set()),
        ("@\U0010ffff", set()),
        ("@bayko @londo", {"by bayko 2"}),  # the second one is a word
        ("@", {"by bayko 2"}),  # the text itself is looked for
        ("@bayko @", {"by bayko 2"}),
    ],
)
def test_authors(service, post, term, fits):
    post("by bayko 1", handle="bayko")
    service.database.sql("update activities set message = 'by bayko 1'")
    post("by bayko 2 @londo", handle="bayko")
    post("by altbrown", handle="altbrown")
    post("by andrewbrown", handle="andrewbrown")
    assert {message.removesuffix(" @londo") for message in found(service, term)} == fits


@pytest.mark.parametrize("term", ["😀", "😀😀", "?!", "✨ ✨", "--", "...", "%", "\\", "'"])
def test_what_is_no_word_is_looked_for_as_it_is(service, post, term):
    post(f"before {term} after")
    post("before and after")
    assert found(service, term) == [f"before {term} after"]


@pytest.mark.parametrize(
    "term",
    [
        "a & b | !c", "((", "a:*", "a <-> b", "'", "''", '"', '""', '" "', "a' b", "\\", "a\\'b", "-", "--a", "or", "or or or",
        "- -", '-"a b"', "a -", ":* & !", "<3", "*", "!", "$1", "%(words)s", "%s", "';drop table users;--", "http://a.b/c?d=e#f",
        "a@b.c", "foo-bar-baz", "1.5e10", "/etc/passwd", "@a @b @c", "#a #b @c \"d", "\u202eabc", "e\u0301", "x" * 300,
        "é" * 300, "😀" * 300, "a " * 150, "-a " * 100, "a or " * 60, '"' * 300, "#a" * 150, "# " * 150, "@" * 300, "(" * 300,
    ],
)  # fmt: skip
def test_no_term_is_too_much(service, post, term):
    post("a b c foo-bar-baz http://a.b/c?d=e#f a@b.c")
    reply = search(service, term)
    assert reply.status == 200, reply
    assert isinstance(reply.json, list)


@pytest.mark.parametrize("blank", ["%09", "%0A", "%0d%0a", "%0B", "%0c", "%20%0a%09"])
def test_pasted_blanks(service, blank):
    """Tabs and line ends are blanks, wherever they stand."""
    uuid = service.create("pastedword and anotherword").json["uuid"]
    for term in (f"pastedword{blank}anotherword", f"{blank}pastedword", f"anotherword{blank}", f'"pastedword{blank}and"'):
        reply = service.get(f"/api/activities/search?term={term}")
        assert (reply.status, uuid in [row["uuid"] for row in reply.json]) == (200, True), term
    assert service.get(f"/api/activities/search?term={blank}").json == ["search_term_blank"]


@pytest.mark.parametrize("query", ["", "?term=", "?term=%20%20", "?term=+", "?term=%e3%80%80", "?other=x"])
def test_nothing_is_refused(service, query):
    reply = service.get("/api/activities/search" + query)
    assert (reply.status, reply.codes) == (422, ["search_term_blank"])


def test_what_else_is_refused(service):
    reply = search(service, "x" * 301)
    assert (reply.status, reply.codes) == (422, ["search_term_exceed_max_chars"])
    assert search(service, "a", "&term=b").status == 400
    assert service.get("/api/activities/search?term=%00").status == 400
    assert service.get("/api/activities/search?term=a%1bb").status == 400
    assert service.get("/api/activities/search?term=%ff").status == 400
    reply = search(service, "a", "&limit=0")
    assert (reply.status, reply.codes) == (422, ["limit_invalid"])
    cursor = "MTYwMDAwMDAwMDAwMDAwMC9iNGExYzlkMi02ZjBlLTRhNTctOWMzYi0xZDVlOGY3YTJiNjA"
    reply = search(service, "a", f"&cursor={cursor}")
    assert (reply.status, reply.codes) == (422, ["cursor_invalid"])
    assert service.get("/api/activities/home?cursor=" + cursor).status == 200  # the cursor is valid there


def test_expired_ones_are_not_found(service, post):
    past = {"age": "2 hours", "expires_at": "now() - interval '1 second'"}
    for message in ("gone cats #cats 😀",) * 3:
        post(message, **past)
    for term in ("cats", "ca", "#cats", "😀", "@londo", "-dogs", "@londo cats"):
        assert found(service, term) == [], term
    post("cats are back #cats 😀", expires_at="now() + interval '1 hour'")
    for term in ("cats", "ca", "#cats", "😀", "@londo", "-dogs", "@londo cats"):
        assert found(service, term) == ["cats are back #cats 😀"], term


def test_replies_are_found(service, post):
    parent = post("a question")
    service.post(f"/api/activities/{parent}/reply", {"message": "an answer", "user_handle": "bayko"})
    (row,) = search(service, "answer").json
    assert row["reply_to_activity_uuid"] == parent


def test_the_better_one_comes_first(service, post):
    post("catalogue", age="1 minute")
    post("cat", age="2 minutes")
    post("a cat and a cat and a cat", age="3 minutes")
    assert found(service, "cat") == ["a cat and a cat and a cat", "cat", "catalogue"]


def test_the_newer_one_comes_first_among_equals(service, post):
    for age in range(1, 6):
        post(f"cat {age}", age=f"{age} hours")
    assert found(service, "cat") == [f"cat {age}" for age in range(1, 6)]


def test_how_new_it_is_counts_for_no_more_than_half(service, post):
    """A year lies between the two posts, but the old one has both words side by side, three times, and the new one has only a start
    of one."""
    post("red cat, red cat, red cat", age="360 days")
    post("red catalogue", age="1 second")
    assert found(service, "red cat")[0] == "red cat, red cat, red cat"


def test_limit(service):
    service.database.add_activities(300, created_at="now() - n * interval '1 minute'", message="'cat ' || n")
    for limit in (1, 50, 200):
        assert found(service, "cat", f"&limit={limit}") == [f"cat {n}" for n in range(1, limit + 1)]
    assert len(found(service, "cat")) == 50


@pytest.mark.parametrize("share", [2, 40, 500, 3000])
def test_one_in_so_many_is_found_wherever_it_is(service, share):
    """The posts are found in the newest thousand, a bit below them, by the index for a time, or by the index for all."""
    service.database.add_activities(
        8000,
        created_at="now() - n * interval '3 minutes'",
        message=f"case when n % {share} = {share} - 1 then 'needle ' || n else 'straw ' || n end",
    )
    wanted = [f"needle {n}" for n in range(8001) if n % share == share - 1][:50]
    assert found(service, "needle") == wanted
    assert found(service, "need") == wanted
    assert found(service, "needle -nail") == wanted


@pytest.mark.parametrize("term", ["cat", "ca", "-dog", "😀", "cat -dog"])
def test_what_is_found_behind_many_that_have_expired(service, post, term):
    """No expired post was purged, and no post is newer than an hour."""
    for n in range(70):
        post(f"cat 😀 {n}", age=f"{n + 1} days", expires_at="now() + interval '1 day'")
    service.database.add_activities(
        5000, created_at="now() - interval '2 hours' + n * interval '1 ms'", expires_at="now() - n * interval '1 s'", message="'cat 😀'"
    )
    assert sorted(found(service, term, "&limit=100")) == sorted(f"cat 😀 {n}" for n in range(70))


def test_what_has_not_been_there_lately_is_found_by_the_index_for_all(service):
    """By the newest thousand posts the word seems frequent, but the index for a time then finds nothing more."""
    service.database.add_activities(
        6000,
        created_at="now() - n * interval '10 seconds' - case when n > 1000 then interval '40 days' else interval '0' end",
        message="case when n = 7 or n > 5900 then 'needle ' else 'straw ' end || n",
    )
    assert len(found(service, "needle", "&limit=200")) == 101


def test_no_table_is_read_to_its_end(service):
    """No term causes a sequential scan of activities, when the table has grown to 30,000 rows."""
    service.database.add_activities(
        30000, created_at="now() - n * interval '1 minute'", message="'straw ' || n || case when n % 700 = 0 then ' needle' else '' end"
    )
    service.database.sql("analyze activities")
    before = scans(service)
    for term in ("straw", "needle", "need", "s", "#tag", "😀", "@londo", "-straw", "nowhere"):
        found(service, term)
    assert scans(service) == before


def scans(service):
    """The number of sequential scans of the table. The workers' sessions are ended because an open session reports it once a second
    at most."""
    service.database.sql("select pg_stat_force_next_flush()")
    service.database.terminate_sessions()
    ((count,),) = service.database.sql("select seq_scan from pg_stat_user_tables where relname = 'activities'")
    return count
