"""Random requests over all routes, with values of every type and text in every script: no answer is a 5xx, each is one that
doc/openapi.yaml has for its operation, and a post is shown as it was written for as long as it is there.

TESTS_REQUESTS says how many; a hundred thousand for a thorough run.
"""

import collections
import json
import os
import re
import urllib.parse

import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import strategies  # noqa: E402 (only with it)

from client import LastingConnection  # noqa: E402
from issuer import bearer  # noqa: E402
from openapi import Document  # noqa: E402
from test_hook import signed  # noqa: E402
from test_openapi import WalkedService, add_rows  # noqa: E402

REQUESTS = int(os.environ.get("TESTS_REQUESTS", "500"))
HANDLES = ["andrewbrown", "bayko", "altbrown", "londo"]
IDENTITIES = [*HANDLES, "a stranger", "a bad token", "no token"]
POSTS_MAX = 40  # how many of the newest posts are asked for
NO_POST = "00000000-0000-4000-8000-000000000000"

DOCUMENT = Document.shared()
OPERATIONS = [operation for operation in DOCUMENT.operations if operation.method != "OPTIONS"]


class Walker(WalkedService):
    """Asks over one connection, and remembers what was posted."""

    def open(self):
        super().open()
        add_rows(self.database)
        self.kept = LastingConnection(self.port)
        self.identities = {handle: bearer(self.token(handle)) for handle in HANDLES}
        self.identities |= {"a stranger": bearer(self.key.token("mock-stranger")), "a bad token": bearer("x.y.z"), "no token": {}}
        self.messages = {}  # by uuid, of the posts that exist
        self.ended = []  # uuids of those that were deleted

    def remove(self):
        if hasattr(self, "kept"):
            self.kept.close()
        super().remove()

    def post(self, number):
        """The uuid of one of the newest posts; for every fourth number that of a deleted post."""
        posts = self.ended if number % 4 == 0 else list(self.messages)
        return posts[-1 - number % min(len(posts), POSTS_MAX)] if posts else NO_POST

    def remember(self, request, operation, uuid, reply, document):
        """Checks the answer against the known posts, and remembers what the request changed."""
        if operation.id in ("createActivity", "createReply") and reply.status == 200:
            assert reply.json["message"] == document["message"]
            self.messages[reply.json["uuid"]] = reply.json["message"]
        elif operation.id == "showActivity" and uuid in self.messages:
            assert reply.status != 404 or self.is_blocked(request.identity, uuid)
            assert reply.status != 200 or reply.json["activity"]["message"] == self.messages[uuid]
        elif operation.id == "showActivity" and uuid in self.ended:
            assert reply.status != 200
        elif operation.id == "deleteActivity" and reply.status == 200:
            self.end(uuid)
        elif operation.id == "deleteProfile" and reply.status == 200:
            self.welcome(reply.json["uuid"])

    def is_blocked(self, reader, uuid):
        """Whether one of the two, the reader and the author of that post, has blocked the other."""
        return self.database.run(
            "select is_blocked(u.uuid, a.user_uuid) from users u, activities a where u.handle = %s and a.uuid = %s", reader, uuid
        ) == [(True,)]

    def welcome(self, left):
        """Forgets the posts of a user that left, which end now or with the purge, and adds another user of the same name."""
        for (post,) in self.database.run("select uuid::text from activities where user_uuid = %s", left):
            for one in self.thread(post):
                self.messages.pop(one, None)
        for handle in HANDLES:
            self.database.run(
                """insert into users (display_name, handle, email, cognito_user_id)
                   select %s, %s, %s || '@example.com', 'mock-' || %s
                   where not exists (select from users where folded_handle = fold_text(%s))""",
                *[handle] * 5,
            )

    def end(self, uuid):
        for one in self.thread(uuid):
            self.messages.pop(one, None)
            self.ended.append(one)

    def thread(self, uuid):
        """The post and what is below it."""
        rows = self.database.run(
            """with recursive below as (
                   select %s::uuid as uuid
                   union all
                   select a.uuid from activities a join below on a.reply_to_activity_uuid = below.uuid
               )
               select uuid::text from below""",
            uuid,
        )
        return [one for (one,) in rows]


def pattern_of(path):
    return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"({\w+})", path)))


# If several paths fit, the one with the most literal characters counts.
PATTERNS = [(pattern_of(path), path) for path in sorted(DOCUMENT.paths, key=lambda path: -len(re.sub(r"{\w+}", "", path)))]


def operation_at(method, path):
    """The operation that answers there; None if that path has no such method. It may be another one than intended, as with @self or
    home."""
    found = next(template for pattern, template in PATTERNS if pattern.fullmatch(path))
    return next((one for one in DOCUMENT.operations if (one.method, one.path) == (method, found)), None)


@pytest.fixture(scope="module")
def service(cluster):
    with Walker(cluster, log_level="info") as service:
        yield service


# --- what is asked ---

# Any code point but surrogates, which UTF-8 does not have, and texts that are special somewhere.
SPECIAL = ["", " ", "\u3000", "\u200b", "\u202e", "#tag", "#東京", "@bayko", "＠londo", "-", "-" * 33, '"', "a or b", "%", "\\", "'", "null", "0", "é" * 1025]
TEXT = strategies.one_of(strategies.text(max_size=40), strategies.sampled_from(SPECIAL))
JSON_VALUE = strategies.one_of(
    TEXT, strategies.none(), strategies.booleans(), strategies.integers(-(2**70), 2**70), strategies.floats(allow_nan=False),
    strategies.lists(TEXT, max_size=2), strategies.dictionaries(TEXT, TEXT, max_size=2),
)  # fmt: skip
IN_PATH = TEXT.filter(lambda text: text not in ("", ".", "..") and not set(text) & {"/", "\0"})
# Most values are good; otherwise no request would pass the first check.
OFTEN_GOOD = strategies.integers(0, 9).map(lambda number: number < 8)


@strategies.composite
def value_in_path(draw, parameter):
    """A number stands for one of the newest posts, so that the drawn values do not depend on which posts exist."""
    if not draw(OFTEN_GOOD):
        return draw(IN_PATH)
    if parameter["name"] == "handle":
        return draw(strategies.sampled_from([*HANDLES, "nobody", "ANDREWBROWN", parameter["example"]]))
    numbers = strategies.integers(0, POSTS_MAX)
    return draw(strategies.one_of(numbers, numbers, numbers, strategies.sampled_from([parameter["example"], NO_POST, "self"])))


@strategies.composite
def query(draw, operation):
    pairs = []
    for parameter in operation.parameters:
        if parameter["in"] == "query" and draw(strategies.booleans()):
            value = parameter["example"] if draw(OFTEN_GOOD) else draw(strategies.one_of(TEXT, strategies.integers(-1, 300)))
            pairs += [(parameter["name"], value)] * draw(strategies.sampled_from([1, 1, 1, 1, 2]))
    if draw(strategies.integers(0, 19)) == 0:
        pairs.append((draw(TEXT), draw(TEXT)))
    return "?" + urllib.parse.urlencode(pairs) if pairs else ""


@strategies.composite
def body(draw, operation):
    """The first example with other members; seldom something else altogether."""
    example = operation.body_example()
    if example is None:
        return None
    kind = draw(strategies.integers(0, 19))
    if kind == 0:
        return draw(strategies.binary(max_size=60))
    if kind == 1:
        return json.dumps(draw(JSON_VALUE)).encode()
    document = dict(example)
    for name in [*document, "ttl", "message", "handle", "user_handle", "display_name", "bio"]:
        if draw(strategies.integers(0, 3)) == 0:
            document[name] = draw(JSON_VALUE if not draw(OFTEN_GOOD) else TEXT)
    if "message" in document and draw(OFTEN_GOOD):
        document["message"] = draw(TEXT)
    return json.dumps(document).encode()


@strategies.composite
def headers(draw, operation):
    """The headers, and whether the request is signed."""
    found = {}
    if draw(strategies.integers(0, 4)) == 0:
        found["Idempotency-Key"] = draw(strategies.sampled_from(["a-key", "another-key", "a key with blanks", "k" * 300]))
    if draw(strategies.integers(0, 9)) == 0:
        found["If-None-Match"] = draw(strategies.sampled_from(["*", '"x"', 'W/"x", "y"', "x"]))
    return found, operation.is_signed and draw(OFTEN_GOOD)


@strategies.composite
def requests(draw):
    operation = draw(strategies.sampled_from(OPERATIONS))
    values = {each["name"]: draw(value_in_path(each)) for each in operation.parameters if each["in"] == "path"}
    identity = draw(strategies.sampled_from(IDENTITIES))
    return Request(operation, values, draw(query(operation)), draw(body(operation)), identity, *draw(headers(operation)))


class Request(collections.namedtuple("Request", "operation values query body identity headers is_signed")):
    def __repr__(self):
        return f"<{self.operation.id} {self[1:]}>"

    def ask(self, service):
        """The operation that answers, the uuid in its path or None, and the answer."""
        values = {name: service.post(value) if isinstance(value, int) else value for name, value in self.values.items()}
        path = self.operation.path.format(**{name: urllib.parse.quote(value, safe="") for name, value in values.items()})
        headers = self.headers | service.identities[self.identity]
        if self.is_signed:
            headers["X-Cruddur-Signature"] = signed(self.body)
        reply = service.kept.ask(self.operation.method, path + self.query, self.body, headers)
        return operation_at(self.operation.method, urllib.parse.unquote(path)), values.get("uuid"), reply


@hypothesis.settings(
    max_examples=REQUESTS, deadline=None, database=None, print_blob=True, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(request=requests())
def test_each_answer_is_a_documented_one(service, request):
    operation, uuid, reply = request.ask(service)
    assert reply.status < 500, reply
    if operation is None:
        assert reply.status == 405, reply
        return
    status = str(reply.status) if str(reply.status) in operation.responses else "default"
    operation.check(reply, status)
    if reply.status >= 400:
        assert set(reply.codes) <= set(operation.codes(status)), reply
    service.remember(request, operation, uuid, reply, request.body and decoded(request.body))


def decoded(data):
    try:
        return json.loads(data)
    except ValueError:
        return None
