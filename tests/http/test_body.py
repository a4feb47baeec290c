"""The checks of a body: size, content type, UTF-8, strict JSON. Each has its own status and code."""

import gzip
import json

import pytest

from client import JSON, request_bytes

BODY_MAX = 16384
DEPTH_MAX = 16
GOOD = {"message": "good", "ttl": "1-day", "user_handle": "londo"}


def refusal(service, body, **headers):
    """Returns the status and the only code of the answer. Checks that nothing was stored."""
    before = service.database.messages()
    reply = service.post("/api/activities", body, headers or None)
    assert service.database.messages() == before
    (code,) = reply.json
    return reply.status, code


def good_body(**more):
    return json.dumps(GOOD | more).encode()


def nested(depth):
    """A good body with this depth of nesting; the depth of the object itself is 1."""
    inner = "[" * (depth - 1) + "]" * (depth - 1)
    return good_body()[:-1] + b', "extra": ' + inner.encode() + b"}"


def test_the_largest_body(service):
    body = good_body()
    assert service.post("/api/activities", body + b" " * (BODY_MAX - len(body))).status == 200
    assert refusal(service, body + b" " * (BODY_MAX + 1 - len(body))) == (413, "body_too_large")


def test_a_body_in_chunks(service):
    body = good_body()
    head = request_bytes("POST", "/api/activities", headers={"Content-Type": JSON, "Transfer-Encoding": "chunked"})
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:]))
    assert service.send_raw(head + chunks + b"0\r\n\r\n").status == 200
    too_many = b"4000\r\n" + b" " * 0x4000 + b"\r\n1\r\n \r\n0\r\n\r\n"
    assert service.send_raw(head + too_many).json == ["body_too_large"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"',
     "application/json ; charset=UTF-8", "application/json; profile=x", "application/json; charset=utf8",
     "application/json; charset=latin1", 'application/json; profile="a;charset=latin1"', 'application/json; a="b, \\" c"; charset=utf-8'],
)  # fmt: skip
def test_content_types_that_are_taken(service, content_type):
    assert service.post("/api/activities", good_body(), {"Content-Type": content_type}).status == 200


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*"]
    + ["application/jsonp", "application/problem+json", "application/json, text/plain"]
    + ['application/json; charset="utf-8', "application/json; charset", "application/json; a=b c"],
)
def test_content_types_that_are_not(service, content_type):
    assert refusal(service, good_body(), **{"Content-Type": content_type}) == (415, "content_type_unsupported")


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "gzip, identity", "unknown"])
def test_content_codings_that_are_not_taken(service, coding):
    """The body does not matter: one that is really compressed, which is not UTF-8, gets the same answer."""
    for body in (gzip.compress(good_body()), good_body()):
        reply = service.post("/api/activities", body, {"Content-Encoding": coding})
        assert (reply.status, reply.json) == (415, ["content_encoding_unsupported"])
        assert reply.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_no_coding(service, coding):
    reply = service.post("/api/activities", good_body(), {"Content-Encoding": coding})
    assert (reply.status, "Accept-Encoding" in reply.headers) == (200, False)


def test_another_type_is_no_matter_of_the_coding(service):
    reply = service.post("/api/activities", good_body(), {"Content-Type": "text/plain"})
    assert (reply.json, "Accept-Encoding" in reply.headers) == (["content_type_unsupported"], False)


@pytest.mark.parametrize("charset", ["utf8", "latin1", "utf-16"])
def test_a_charset_changes_nothing(service, charset):
    """The body is UTF-8 whatever the charset (RFC 8259)."""
    reply = service.post("/api/activities", good_body(), {"Content-Type": f"application/json; charset={charset}"})
    assert reply.status == 200
    assert refusal(service, b'{"message":"\xe9"}', **{"Content-Type": f"application/json; charset={charset}"}) == (400, "body_not_utf8")


ILL_FORMED = """
    80 bf c3 fe ff c0af c1bf e080af e09fbf eda080 edbfbf e228a1 f09f98
    f08080af f08fbfbf f4908080 f5808080 f888808080
"""


@pytest.mark.parametrize("sequence", ILL_FORMED.split())
def test_ill_formed_utf8(service, sequence):
    assert refusal(service, good_body().replace(b"good", bytes.fromhex(sequence))) == (400, "body_not_utf8")


WELL_FORMED = good_body().decode()


def with_message(text):
    """The good body with this between the quotes of its message; escapes stay as they are."""
    return WELL_FORMED.replace('"good"', f'"{text}"')


def with_value(text):
    """The good body with this as the value of its message."""
    return WELL_FORMED.replace('"good"', text)


def with_more(text):
    """The good body with this as its last member."""
    return WELL_FORMED[:-1] + text + "}"


NO_JSON = [
    *("", " ", "null", "true", "1", '"text"', "[]", f"[{WELL_FORMED}]", "{", "}"),
    *('{"message"}', '{"message":}', "{'message': 'x'}", WELL_FORMED[:-1]),
    *(WELL_FORMED + rest for rest in ("x", WELL_FORMED, ",", "\0", "// comment")),
    *(start + WELL_FORMED for start in ("\ufeff", "/* comment */", "\0")),
    *map(with_value, ("NaN", "-Infinity", "undefined", "True", "01", ".5", "1.", "+1", "0x10", "1e", "-", "'good'")),
    *map(with_message, ("a\tb", "a\nb", "a\0b", "\\x41", "\\u12", "\\", "\\u0000", "a\\u0000b")),
    *map(with_message, ("\\ud83d", "\\ude00", "\\ude00\\ud83d", "\\ud83dx", "\\ud83d\\u0041")),
    *(WELL_FORMED.replace("message", name) for name in ("mess\\u0000age", "\\ud800")),
    *map(with_more, (",", ', "extra": [1,]', ', "message": "again"', ', "mess\\u0061ge": "again"')),
    *map(with_more, (', "extra": {"a": 1, "a": 1}', ', "extra": [{"\\u0061": 1, "a": 2}]')),
]
STRICT_JSON = [
    f"\r\n\t {WELL_FORMED} \n",
    *map(with_message, ("\\ud83d\\ude00", "\\u0041\\/\\b\\f")),
    *map(with_more, (', "extra": {"message": 1}', ', "": "", "A": 1, "a": 2')),
    with_more(', "extra": [-0, 1e400, 123456789012345678901234567890, 0.1E-2]'),
]


@pytest.mark.parametrize("text", NO_JSON)
def test_what_is_no_strict_json(service, text):
    assert refusal(service, text.encode()) == (400, "body_not_json")


@pytest.mark.parametrize("text", STRICT_JSON)
def test_what_is_strict_json(service, text):
    assert service.post("/api/activities", text.encode()).status == 200


def test_the_deepest_body(service):
    assert service.post("/api/activities", nested(DEPTH_MAX)).status == 200
    assert refusal(service, nested(DEPTH_MAX + 1)) == (400, "body_not_json")
    assert refusal(service, b"[" * 16000) == (400, "body_not_json")


def test_a_body_of_a_read_is_passed_over(service):
    with service.connect() as connection:
        for _ in range(3):
            reply = connection.ask("GET", "/api/activities/home", b"\xff not even JSON", {"Content-Type": "text/plain"})
            assert reply.status == 200


def test_the_connection_goes_on_after_a_refusal(service):
    with service.connect() as connection:
        for body in (b"{", b"\xff", good_body()):
            reply = connection.ask("POST", "/api/activities", body)
        assert reply.status == 200


@pytest.fixture
def peer(service):
    with service.peer() as peer:
        yield peer


def test_a_body_shorter_than_announced(service, peer):
    reply = peer.ask("POST", "/api/activities", good_body(), CONTENT_LENGTH=str(len(good_body()) + 1))
    assert (reply.status, reply.json) == (400, ["body_truncated"])


def test_a_body_longer_than_announced(service, peer):
    reply = peer.ask("POST", "/api/activities", good_body(), CONTENT_LENGTH=str(len(good_body()) - 1))
    assert (reply.status, reply.json) == (400, ["body_truncated"])


@pytest.mark.parametrize("length", ["x", "-1", "1 2", "0x10", "9" * 30, "1.0", " 5"])
def test_lengths_that_are_none(service, peer, length):
    reply = peer.ask("POST", "/api/activities", good_body(), CONTENT_LENGTH=length)
    assert reply.status in (400, 413)
    assert reply.json in (["malformed_request"], ["body_too_large"])


@pytest.mark.parametrize("length", [None, ""])
def test_no_length_and_no_body(service, peer, length):
    reply = peer.ask("POST", "/api/activities", CONTENT_LENGTH=length, CONTENT_TYPE="application/json")
    assert (reply.status, reply.json) == (400, ["body_not_json"])


def test_the_limit_without_nginx(service):
    body = good_body()
    for size, status in ((BODY_MAX, 200), (BODY_MAX + 1, 413), (3 * BODY_MAX, 413)):
        with service.peer() as peer:
            assert peer.ask("POST", "/api/activities", body + b" " * (size - len(body))).status == status
