"""Tags, mentions, words, blanks and handles in texts of every script: texts.json, and all code points against Unicode's data."""

import json
import pathlib
import random
import re
import sys
import types
import unicodedata
import urllib.parse

import pytest

from cluster import OWNER_PASSWORD, Database
from places import SQL, TOP
from service import Service
from test_locales import LOCALES, confirm

# Each text has script, text and source (where the fact is from). It may have tags, mentions (handles), found_by and not_found_by (terms of
# a search), and blank.
TEXTS = json.loads((pathlib.Path(__file__).parent / "texts.json").read_text())
PEOPLE = ["user_name", "12345", "ivan", "ivan.i", "東京", "андрей", "민수"]


# Lists of a million: made when they are needed, since each of pytest's workers imports all files of tests.
def code_points():
    return [code_point for code_point in range(1, sys.maxunicode + 1) if not 0xD800 <= code_point <= 0xDFFF]


def assigned():
    return [code_point for code_point in code_points() if unicodedata.category(chr(code_point)) != "Cn"]


@pytest.fixture(scope="module", params=["turkish", "c", "unicode"])
def database(request, cluster):
    template = f"texts_{request.param}"
    cluster.sql(f"create database {template} owner cruddur_owner encoding 'UTF8' template template0 {LOCALES[request.param]}")
    for file in ("schema.sql", "seed.sql"):
        cluster.psql(SQL / file, "cruddur_owner", template, OWNER_PASSWORD)
    database = Database(cluster, template)
    for handle in PEOPLE:
        add_user(database, handle)
    yield database
    database.remove()
    cluster.sql(f"drop database {template}")


@pytest.fixture(scope="module")
def service(cluster):
    with Service(cluster, workers=1) as service:
        service.database.feed_bound = 0  # these tests do not read the cached home page
        yield service


UNICODE_14 = (153, 112)  # as ICU's root collation has it for its versions 70 and 71


@pytest.fixture(scope="module")
def recent_unicode(cluster):
    """The texts' sources and Python follow Unicode 14. A server with an older version does not know later letters, so the test is
    skipped."""
    ((version,),) = cluster.sql("select collversion from pg_collation where collname = 'und-x-icu'")
    if tuple(map(int, version.split(".")[:2])) < UNICODE_14:
        pytest.skip(f"the server's ICU ({version}) is older than Unicode 14")


def add_user(database, handle):
    database.run(
        """insert into users (display_name, handle, email, cognito_user_id)
           values ('N', %s, md5(%s) || '@example.com', 'sub-of-' || %s)""",
        handle, handle, handle,
    )  # fmt: skip


def test_the_corpus():
    assert len({text["text"] for text in TEXTS}) == len(TEXTS) >= 400
    assert len({text["script"] for text in TEXTS} - {"Common"}) >= 30
    assert all(text["source"] for text in TEXTS)


def test_texts(recent_unicode, database):
    """The functions that the triggers and the search use return what texts.json says."""
    corpus = json.dumps([{"terms": text.get("found_by", []) + text.get("not_found_by", [])} | text for text in TEXTS])
    rows = database.sql(
        """select
               to_json(coalesce(activity_tags(message), '{}')),
               array(
                   select handle
                   from mentioned_users(message) with ordinality mentioned (mentioned, number)
                   join users on uuid = mentioned
                   order by number
               ),
               is_blank(message)
           from json_array_elements(%s) with ordinality texts (text, number)
           cross join lateral (select text ->> 'text' as message) given
           order by number""",
        corpus,
    )  # fmt: skip
    wrong = []
    for text, (tags, mentions, is_blank) in zip(TEXTS, rows, strict=True):
        found = {"tags": tags, "mentions": mentions, "blank": is_blank}
        expected = {"tags": text.get("tags", []), "mentions": text.get("mentions", []), "blank": text.get("blank", False)}
        if found != expected:
            wrong.append((text, found))
    rows = database.sql(
        """select texts.number, term, coalesce(search @@ fit, false), coalesce(search @@ loose, true)
           from json_array_elements(%s) with ordinality texts (text, number)
           cross join lateral (select text ->> 'text' as message) given
           cross join activity_search(message, activity_tags(message), now()) search
           cross join json_array_elements_text(text -> 'terms') term
           cross join search_query(term)""",
        corpus,
    )  # fmt: skip
    assert len(rows) > len(TEXTS)
    for number, term, is_found, is_candidate in rows:
        text = TEXTS[number - 1]
        if is_found != (term in text.get("found_by", [])) or (is_found and not is_candidate):
            wrong.append((text, term, is_found, is_candidate))
    assert not wrong, "\n".join(map(str, wrong))


def test_texts_over_http(service):
    """One text of each script is stored and returned byte for byte, and is found by a word and by a tag."""
    by_script = {text["script"]: text for text in TEXTS if text.get("found_by") and len(text["text"]) <= 280}
    assert len(by_script) >= 30
    for text in by_script.values():
        reply = service.create(text["text"])
        assert reply.status == 200 and reply.json["message"] == text["text"], text
    for text in by_script.values():
        for term in text["found_by"][:1] + text.get("tags", [])[:1]:
            reply = service.get(f"/api/activities/search?term={urllib.parse.quote(term)}")
            assert text["text"] in [row["message"] for row in reply.json], (text, term)


# All code points.


def folded(text):
    """Unicode's toNFKC_Casefold."""
    while True:
        once = unicodedata.normalize("NFKC", "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if not is_invisible(c)))
        if once == text:
            return text
        text = once


# DerivedCoreProperties, Default_Ignorable_Code_Point (the same from Unicode 6.3 to 16); python has no such property.
INVISIBLE = {
    *(0xAD, 0x34F, 0x61C, 0x3164, 0xFEFF, 0xFFA0),
    *(code_point for first, last in (
        (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0xFE00, 0xFE0F),
        (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
    ) for code_point in range(first, last + 1)),
}  # fmt: skip
WHITE_SPACE = {*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}


def is_invisible(character):
    return ord(character) in INVISIBLE


def test_invisible_code_points():
    """INVISIBLE agrees with the data of Debian's perl."""
    (file,) = pathlib.Path("/usr/share/perl").glob("5.*.*/unicore/lib/DI/Y.pl") or pytest.skip("there is no perl with Unicode's data")
    ends = [int(number) for number in re.search(r"<<'END';\nV\d+\n(.*?)\nEND", file.read_text(), re.S)[1].split()]
    assert INVISIBLE == {code_point for first, end in zip(ends[::2], ends[1::2]) for code_point in range(first, end)}


def test_fold_text(recent_unicode, service):
    """Folds a text with each code point on a line. Cherokee is folded to lower case, where Unicode folds to upper case; the same letters
    stay equal."""
    characters = [chr(code_point) for code_point in assigned() if code_point != ord("\n")]
    ((found, again),) = service.database.sql("select fold_text(%s), fold_text(fold_text(%s))", *["\n".join(characters)] * 2)
    assert again == found
    wrong = {}
    for character, once in zip(characters, found.split("\n"), strict=True):
        expected = folded(character)
        if "CHEROKEE" in unicodedata.name(character, ""):
            expected = expected.lower()
        if once != expected:
            wrong[ascii(character)] = (once, expected)
    assert not wrong


def composing():
    """The code points that may be composed with a character before them."""
    decompositions = (unicodedata.decomposition(chr(code_point)).split() for code_point in code_points())
    return {int(parts[1], 16) for parts in decompositions if len(parts) == 2 and parts[0][0] != "<"} | {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}


def test_plain_characters(service):
    """The characters that fold_text handles in its short way: each alone, at a word's end with a variation selector behind it, and many
    in any order."""
    rows = service.database.sql(
        """select n, fold_text(chr(n)), fold_text('É' || chr(n) || U&'\\FE0F.')
           from generate_series(1, %s) n
           where n not between x'd800'::integer and x'dfff'::integer
               and chr(n) collate "C" ~ ('[' || plain_characters() || ']')""",
        sys.maxunicode,
    )  # fmt: skip
    assert len(rows) > 30_000
    may_compose = composing()
    for code_point, alone, at_end in rows:
        character = chr(code_point)
        assert (alone, at_end) == (folded(character), f"é{folded(character)}."), ascii(character)
        assert unicodedata.normalize("NFKC", character) == character, ascii(character)
        assert not unicodedata.combining(character) and code_point not in may_compose and not is_invisible(character), ascii(character)
    choose = random.Random(29)
    texts = ["".join(chr(choose.choice(rows)[0]) for _ in range(30)) for _ in range(2000)]
    found = service.database.sql("select fold_text(text) from json_array_elements_text(%s) text", json.dumps(texts))
    assert [text for text, in found] == [folded(text) for text in texts]


# Letters of scripts without blanks between words, by their names.
UNSPACED = re.compile(
    r"CJK (UNIFIED|COMPATIBILITY) IDEOGRAPH|IDEOGRAPHIC (ITERATION|CLOSING|NUMBER|[A-Z]+ TONE)|VERTICAL (KANA|IDEOGRAPHIC) |MASU|"
    r"(HALFWIDTH |COMBINING )?(KATAKANA|HIRAGANA)|BOPOMOFO|THAI|LAO|KHMER|MYANMAR|TIBETAN|YI SYLLABLE|TAI (LE|THAM|VIET)|NEW TAI LUE|"
    r"JAVANESE|BALINESE|AHOM|TANGUT|NUSHU|KHITAN|HANGZHOU|OLD CHINESE|VIETNAMESE ALTERNATE|HENTAIGANA"
)


def words_of(character):
    """The words of the character between two letters: letters, marks, letter numbers and digits are in words, as in XID_Continue of UAX
    #31."""
    category = unicodedata.category(character)
    if category[0] == "L" or category in ("Mn", "Mc", "Nl"):
        # Python has no names of Tangut's ideographs.
        is_unspaced = UNSPACED.match(unicodedata.name(character, "TANGUT"))
        return ["a", character, "a"] if is_unspaced else [f"a{character}a"]
    is_digit = category == "Nd" or ord(character) in (*range(0x1369, 0x1372), 0x19DA)
    return [f"a{character}a"] if is_digit else ["a", "a"]


def test_words_of_all_code_points(recent_unicode, service):
    characters = [chr(code_point) for code_point in assigned() if chr(code_point) not in "\u00b7\u0387"]
    ((found,),) = service.database.sql("select text_words(%s)", "\n".join(f"a{character}a" for character in characters))
    place = 0
    for character in characters:
        words = words_of(character)
        assert found[place : place + len(words)] == words, (ascii(character), unicodedata.name(character, ""))
        place += len(words)
    assert place == len(found)


def test_blanks(service):
    """SQL and C agree with Unicode's data."""
    expected = {
        code_point for code_point in code_points()
        if code_point in WHITE_SPACE or code_point in INVISIBLE or code_point == 0x2800 or unicodedata.category(chr(code_point)) == "Cc"
    }  # fmt: skip
    rows = service.database.sql(
        """select n
           from generate_series(1, %s) n
           where n not between x'd800'::integer and x'dfff'::integer
               and is_blank(chr(n))""",
        sys.maxunicode,
    )  # fmt: skip
    assert {code_point for code_point, in rows} == expected
    source = (TOP / "src/base/utf8.c").read_text()
    ranges = re.findall(r"\{0x([0-9a-f]+), 0x([0-9a-f]+)\}", re.search(r"BLANKS\[\] = \{(.*?)\};", source, re.S)[1])
    assert {code_point for first, last in ranges for code_point in range(int(first, 16), int(last, 16) + 1)} == expected


# Handles.

PROFILE = {
    "londo2": "ok", "Ärger": "ok", "ivan.i": "handle_taken", "a-b_c.d": "ok", "_x_": "ok", "हिन्दी": "ok", "東京都": "ok", "x" * 64: "ok",
    "x" * 65: "user_handle_invalid", "c++.": "user_handle_invalid", ".x": "user_handle_invalid", "x.": "user_handle_invalid",
    "-x": "user_handle_invalid", "_": "user_handle_invalid", "a b": "user_handle_invalid", "a\u00a0b": "user_handle_invalid",
    "a/b": "user_handle_invalid", "a@b": "user_handle_invalid", "#a": "user_handle_invalid", "😀": "user_handle_invalid",
    "\u0301a": "user_handle_invalid", "ﷺ": "user_handle_invalid", "ﬁnn": "ok", "finn": "handle_taken",
}  # fmt: skip


def test_handles(database):
    service = types.SimpleNamespace(database=database)
    for handle, outcome in PROFILE.items():
        assert confirm(service, handle, f"profile-{abs(hash(handle))}") == outcome, handle
        assert confirm(service, handle, f"profile-{abs(hash(handle))}") == outcome, handle
        if outcome == "ok":  # a mention can name it
            named = database.sql("select handle from mentioned_users('@' || %s || '!') m join users on uuid = m", handle)
            assert named == [(handle,)]
    for character in sorted({0x200B, 0x200D, 0xAD, 0xFE0F, 0x3164, 0x2060, 0x202E, 0xE0041}):
        for handle in (f"londo{chr(character)}", f"lon{chr(character)}do", f"{chr(character)}new"):
            assert confirm(service, handle, f"invisible-{len(handle)}") == "user_handle_invalid", ascii(handle)
    for one, others in {
        "café": ["cafe\u0301", "CAFÉ", "ＣＡＦÉ"],
        "straße": ["STRASSE", "strasse", "STRAẞE"],
        "ΣΑΣ": ["σας", "σασ"],
        "ｗｉｄｅ": ["wide", "WIDE"],
    }.items():
        assert confirm(service, one, f"one-{one}") == "ok"
        for other in others:
            assert confirm(service, other, f"other-{other}") == "handle_taken", other


def test_handles_over_http(service):
    """Every spelling of a handle finds the same user, whose handle is returned as it was given."""
    add_user(service.database, "Straße.Café")
    for handle in ("Straße.Café", "STRASSE.CAFE\u0301", "ｓｔｒａｓｓｅ.café", "stra\u00adsse.café"):
        reply = service.get(f"/api/users/@{urllib.parse.quote(handle)}/short")
        assert (reply.status, reply.json["handle"]) == (200, "Straße.Café"), ascii(handle)


@pytest.mark.parametrize("name", ["\u200b", "\u3000\u2800", "\u3164", "\n\u00ad", "\u202e"])
def test_names_that_show_nothing(service, name):
    reply = service.post("/api/profile/update", {"user_handle": "londo", "display_name": name, "bio": ""})
    assert (reply.status, reply.json) == (422, ["display_name_blank"])
    with pytest.raises(Exception, match="users_display_name_check"):
        service.database.run("update users set display_name = %s where handle = 'londo'", name)


@pytest.mark.parametrize("name", ["two\nlines", "a\tb", "a\u202eb", "a\u2066b", "a\u2028b", "a\u0085b", "a\u007fb"])
def test_names_are_one_line(service, name):
    reply = service.post("/api/profile/update", {"user_handle": "londo", "display_name": name, "bio": ""})
    assert (reply.status, reply.json) == (422, ["display_name_invalid"])
    with pytest.raises(Exception, match="users_display_name_check"):
        service.database.run("update users set display_name = %s where handle = 'londo'", name)


def test_blank_messages(service):
    """Blank posts, replies and messages are refused, and blank rows that psql writes, too."""
    parent = service.create("a parent").json["uuid"]
    for blank in ("\u3000", "\u200b\u200d", "\u2800", "\u3164", "\n\n"):
        for path, body in {
            "/api/activities": {"message": blank, "ttl": "1-day", "user_handle": "londo"},
            f"/api/activities/{parent}/reply": {"message": blank, "user_handle": "londo"},
            "/api/messages": {"message": blank, "handle": "bayko", "user_handle": "londo"},
        }.items():
            reply = service.post(path, body)
            assert (reply.status, reply.json) == (422, ["message_blank"]), (path, ascii(blank))
        for table, columns in {
            "activities": "user_uuid, message) select uuid",
            "messages": "user_uuid, message_group_uuid, message) select uuid, uuid",
        }.items():
            with pytest.raises(Exception, match=f"{table}_message_check"):
                service.database.run(f"insert into {table} ({columns}, %s from users where handle = 'londo'", blank)


# Terms with pending negations, operators and quotes in any number and order, in every script.

TERMS = [
    *("-" * n for n in (1, 31, 32, 33, 34, 64, 300)), "- " * 150, "-a " * 100, "-" * 299 + "a", "#a" + "-" * 290, "a " + "-" * 290,
    "-- " * 100, '-"' * 150, '"-' * 150, "or " * 100, "-or " * 75, "a or " * 60, "or -" * 75, '"a b" or ' * 33, "東" * 300, "-東 " * 100,
    '"東京" ' * 60, "ก" * 300, "はor" * 100, "@" * 300, "#" * 300, "@a " * 100, "#a " * 100, "\\" * 300, "'" * 300, ":* & | ! <-> " * 20,
    "()" * 150, "\ufdfa" * 300, "ß" * 300, "\u0301" * 300, "a\u0301" * 150, "\U0010ffff" * 300, "\u200b-" * 150, "a.b/" * 75,
    "https://" * 37, "<b>" * 100, "&#39;" * 60, "a\u3000" * 150, "İ" * 300, "\u1100" * 300, "😀" * 300, "❤\ufe0f" * 150,
]  # fmt: skip


def test_no_term_is_too_much(service):
    for term in TERMS:
        reply = service.get(f"/api/activities/search?term={urllib.parse.quote(term)}")
        assert reply.status == 200 and isinstance(reply.json, list), (term, reply)


def test_the_first_32_words_count(service):
    """The last word that counts is a prefix only if it is the last word of the term."""
    for count, sign in ((31, ":*"), (32, ":*"), (33, "")):
        words = [f"w{number:02}" for number in range(1, count + 1)]
        expected = " & ".join(f"'{word}'" for word in words[:32]) + sign
        assert service.database.sql("select fit::text from search_query(%s)", " ".join(words)) == [(expected,)]
        assert service.database.sql("select numnode(fit) from search_query(%s)", f'"{" ".join(words)}"') == [(2 * min(count, 32) - 1,)]


def test_pasted_blanks(service):
    """Blanks outside ASCII; test_search.py has the others."""
    service.create("pasted on two lines")
    for term in ("pasted%e3%80%80on", "%c2%85pasted%c2%a0on", "pasted%e2%80%a8on"):
        reply = service.get(f"/api/activities/search?term={term}")
        assert (reply.status, [row["message"] for row in reply.json]) == (200, ["pasted on two lines"]), term
