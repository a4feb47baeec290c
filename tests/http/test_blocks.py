"""Blocks and mutes: what is hidden from which user, which writes are refused, and that all other users still see everything."""

import pytest

from client import Asking
from issuer import TokenService
from social import check_counts, check_strangers, follow, followed, listed, mark, marked
from waiting import eventually

BLOCKER, BLOCKED, OTHER = "londo", "bayko", "altbrown"
HIDE = """insert into users (handle, folded_handle, display_name, email, cognito_user_id)
          select 'full' || n, 'full' || n, n, n || '@full.example', 'full-' || n from generate_series(1, 5000) n"""


@pytest.fixture
def service(tokens):
    tokens.database.sql("truncate activities, follows, message_groups, blocks, mutes cascade")
    return tokens


@pytest.fixture(scope="module")
def tokens(cluster):
    with TokenService(cluster) as service:
        yield service


def hide(service, who, whom, what="block", method="PUT"):
    return service.ask_as(who, method, f"/api/users/@{whom}/{what}")


def hidden(service, who, whom, what="block", method="PUT"):
    reply = hide(service, who, whom, what, method)
    assert reply.status == 200, reply
    return reply.json


def messages_of(service, handle, target):
    body = service.ask_as(handle, "GET", target)
    assert body.status == 200, (target, body)
    return [row["message"] for row in (body.json if isinstance(body.json, list) else body.json["activities"])]


def status(service, handle, method, target, document=None):
    reply = service.ask_as(handle, method, target, document)
    return reply.status, reply.json


NOT_FOUND = (404, ["not_found"])
parametrize_kinds = pytest.mark.parametrize("what, table", [("block", "blocks"), ("mute", "mutes")])


@parametrize_kinds
def test_on_and_off(service, what, table):
    for _ in range(2):
        assert hidden(service, BLOCKER, BLOCKED, what) == service.get(f"/api/users/@{BLOCKED}/short").json | {f"{what.removesuffix('e')}ed": True}
    assert service.database.sql(f"select count(*) from {table}") == [(1,)]
    for _ in range(2):
        assert hidden(service, BLOCKER, BLOCKED.upper(), what, "DELETE")[f"{what.removesuffix('e')}ed"] is False
    assert service.database.sql(f"select count(*) from {table}") == [(0,)]


@parametrize_kinds
def test_who_is_none(service, what, table):
    assert status(service, BLOCKER, "PUT", f"/api/users/@nobody/{what}") == NOT_FOUND
    code = {"block": "blocked_is_blocker", "mute": "muted_is_muter"}[what]
    for method in ("PUT", "DELETE"):
        assert status(service, BLOCKER, method, f"/api/users/@{BLOCKER}/{what}") == (422, [code])
        check_strangers(service, method, f"/api/users/@{BLOCKED}/{what}")


@parametrize_kinds
def test_so_many_and_no_more(service, what, table):
    service.database.load(HIDE)
    try:
        column = {"block": "blocked_uuid", "mute": "muted_uuid"}[what]
        service.database.load(
            f"""insert into {table} (user_uuid, {column})
                select (select uuid from users where handle = %s), uuid from users where handle ~ '^full' and handle <> 'full1'""", BLOCKER
        )  # fmt: skip
        hidden(service, BLOCKER, "full1", what)
        assert status(service, BLOCKER, "PUT", f"/api/users/@{BLOCKED}/{what}") == (409, [f"{table}_exceed_max"])
        hidden(service, BLOCKER, "full1", what)  # exists already, so it is not a new one
        hidden(service, BLOCKER, "full1", what, "DELETE")
        hidden(service, BLOCKER, BLOCKED, what)
    finally:
        service.database.load(f"truncate {table}; delete from users where handle ~ '^full'")


# --- lists ---


def scene(service):
    """BLOCKER and BLOCKED each write a post, answer, like and repost OTHER's post, and like, follow, mention and message each other."""
    posts = {}
    for handle in (BLOCKER, BLOCKED, OTHER):
        posts[handle] = service.create_as(handle, f"post of {handle}")["uuid"]
    for handle, victim in ((BLOCKER, BLOCKED), (BLOCKED, BLOCKER)):
        service.reply_as(handle, posts[OTHER], f"reply of {handle}")
        marked(service, handle, "like", posts[OTHER])
        marked(service, handle, "repost", posts[OTHER])
        marked(service, OTHER, "repost", posts[handle])
        marked(service, handle, "like", posts[victim])
        followed(service, handle, OTHER)
        followed(service, handle, victim)
        service.create_as(handle, f"@{victim} mentioned by {handle}")
        service.message_as(handle, handle=victim, message=f"message of {handle}")
    return posts


def assert_invisible(service, posts, viewer, hidden_one, is_mute=False):
    home = [row["handle"] for row in listed(service, viewer, "/api/activities/home?limit=3")[0]]
    assert hidden_one not in home and OTHER in home
    following = listed(service, viewer, "/api/activities/following?limit=2")[0]
    assert not any(hidden_one in (row["handle"], (row["reposted_by"] or row)["handle"]) for row in following)
    assert not any(hidden_one in [each["handle"] for each in row["reposters"]] for row in following)
    notifications = listed(service, viewer, "/api/activities/notifications?limit=2")[0]
    assert hidden_one not in [row["handle"] for row in notifications]
    assert service.ask_as(viewer, "GET", "/api/activities/notifications/unread").json == {"unread": len(notifications)}
    thread = service.ask_as(viewer, "GET", f"/api/activities/{posts[OTHER]}").json
    assert hidden_one not in [row["handle"] for row in thread["replies"]]
    for term in ("post", "reply", "mentioned", f"@{hidden_one}"):
        found = service.ask_as(viewer, "GET", f"/api/activities/search?term={term}").json
        assert hidden_one not in [row["handle"] for row in found]
    assert hidden_one not in [row["handle"] for row in service.ask_as(viewer, "GET", "/api/users/suggested").json]
    for table in ("likes", "reposts"):
        assert hidden_one not in [row["handle"] for row in listed(service, viewer, f"/api/activities/{posts[OTHER]}/{table}?limit=1")[0]]
    assert hidden_one not in [row["handle"] for row in service.ask_as(viewer, "GET", f"/api/users/@{OTHER}/followers").json]
    reposts = service.ask_as(viewer, "GET", f"/api/activities/@{OTHER}?with=replies,reposts").json["activities"]
    assert hidden_one not in [row["handle"] for row in reposts]
    if not is_mute:
        assert [row["handle"] for row in service.ask_as(viewer, "GET", "/api/message_groups").json] == []
        assert status(service, viewer, "GET", f"/api/activities/{posts[hidden_one]}") == NOT_FOUND
        assert status(service, viewer, "GET", f"/api/messages/@{hidden_one}") == NOT_FOUND


def test_neither_sees_the_other(service):
    posts = scene(service)
    group = service.ask_as(BLOCKER, "GET", "/api/message_groups").json[0]["uuid"]
    anonymous = service.home().json
    hidden(service, BLOCKER, BLOCKED)
    assert_invisible(service, posts, BLOCKER, BLOCKED)
    assert_invisible(service, posts, BLOCKED, BLOCKER)
    for handle in (BLOCKER, BLOCKED):
        assert status(service, handle, "GET", f"/api/messages/{group}") == NOT_FOUND
    assert status(service, BLOCKED, "GET", f"/api/activities/@{BLOCKER}") == NOT_FOUND
    assert status(service, BLOCKED, "GET", f"/api/activities/@{BLOCKER}?with=replies") == NOT_FOUND
    assert status(service, BLOCKED, "GET", f"/api/users/@{BLOCKER}/short") == NOT_FOUND
    assert status(service, BLOCKED, "GET", f"/api/users/@{BLOCKER}/followers") == NOT_FOUND
    for query in ("", "?with=replies,reposts"):
        page = service.ask_as(BLOCKER, "GET", f"/api/activities/@{BLOCKED}{query}").json
        assert (page["activities"], page["profile"]["blocked"], page["profile"]["cruds_count"]) == ([], True, 0)
    # For all others everything is as before.
    assert service.home().json == anonymous
    assert service.ask_as(OTHER, "GET", "/api/activities/home").json == anonymous
    assert len(service.ask_as(OTHER, "GET", f"/api/activities/{posts[OTHER]}").json["replies"]) == 2
    assert len(service.get(f"/api/activities/@{BLOCKER}").json["activities"]) == 2
    hidden(service, BLOCKER, BLOCKED, "block", "DELETE")
    assert service.ask_as(BLOCKED, "GET", "/api/activities/home").json == anonymous
    assert service.ask_as(BLOCKED, "GET", f"/api/activities/@{BLOCKER}").status == 200
    check_counts(service.database)


def test_a_muted_user_is_left_out_of_lists_and_notices_nothing(service):
    posts = scene(service)
    before = service.ask_as(BLOCKED, "GET", "/api/activities/home").json
    hidden(service, BLOCKER, BLOCKED, "mute")
    assert_invisible(service, posts, BLOCKER, BLOCKED, is_mute=True)
    page = service.ask_as(BLOCKER, "GET", f"/api/activities/@{BLOCKED}").json
    assert len(page["activities"]) == 2
    assert (page["profile"]["blocked"], page["profile"]["muted"], page["profile"]["followed"]) == (False, True, True)
    assert service.ask_as(BLOCKER, "GET", f"/api/activities/{posts[BLOCKED]}").status == 200
    assert [row["handle"] for row in service.ask_as(BLOCKER, "GET", "/api/message_groups").json] == [BLOCKED]
    assert service.ask_as(BLOCKED, "GET", "/api/activities/home").json == before
    assert service.ask_as(BLOCKED, "GET", f"/api/activities/@{BLOCKER}").json["profile"]["muted"] is False
    assert service.reply_as(BLOCKED, posts[BLOCKER]).status == mark(service, BLOCKED, "like", posts[BLOCKER]).status == 200
    assert service.message_as(BLOCKED, handle=BLOCKER).status == 200
    hidden(service, BLOCKER, BLOCKED, "mute", "DELETE")
    assert [row["uuid"] for row in service.ask_as(BLOCKER, "GET", "/api/activities/home").json] == [row["uuid"] for row in before]


def test_polls_leave_hidden_users_out(service):
    hidden(service, BLOCKER, BLOCKED)
    followed(service, BLOCKER, OTHER)
    since = {
        target: service.ask_as(BLOCKER, "GET", target).headers["Cruddur-Since"]
        for target in ("/api/activities/home", "/api/activities/following", "/api/activities/notifications")
    }
    theirs = service.create_as(BLOCKED, f"@{BLOCKER} hello")["uuid"]
    service.create_as(OTHER, f"@{BLOCKER} hello")
    marked(service, OTHER, "repost", theirs)
    for target, seen in since.items():
        rows = service.ask_as(BLOCKER, "GET", f"{target}?since={seen}").json
        assert [row["handle"] for row in rows] == [OTHER], target


def test_the_conversation_is_away_while_the_block_lasts(service):
    """Neither user sees it or its unread messages, in the list or in polls. No message is lost. Each user can delete their own messages."""
    theirs = service.message_as(BLOCKED, handle=BLOCKER, message="to the blocker").json
    own = service.message_as(BLOCKER, handle=BLOCKED, message="to the blocked").json
    service.message_as(BLOCKER, handle=OTHER, message="another")
    group = own["message_group_uuid"]
    both = ((BLOCKER, BLOCKED), (BLOCKED, BLOCKER))
    before = {handle: service.ask_as(handle, "GET", "/api/message_groups").json for handle, _ in both}
    assert [(row["handle"], row["unread"]) for row in before[BLOCKER]] == [(OTHER, 0), (BLOCKED, 1)]
    seen = {handle: service.ask_as(handle, "GET", "/api/message_groups").headers["Cruddur-Since"] for handle, _ in both}
    hidden(service, BLOCKER, BLOCKED)
    for handle, other in both:
        assert [row["handle"] for row in service.ask_as(handle, "GET", "/api/message_groups").json] == [row["handle"] for row in before[handle] if row["handle"] != other]
        assert [row["handle"] for row in listed(service, handle, "/api/message_groups?limit=1")[0]] == [row["handle"] for row in before[handle] if row["handle"] != other]
        assert service.ask_as(handle, "GET", f"/api/message_groups?since={seen[handle]}").json == []
        assert status(service, handle, "GET", f"/api/messages/{group}") == status(service, handle, "GET", f"/api/messages/@{other}") == NOT_FOUND
    assert status(service, BLOCKED, "DELETE", f"/api/messages/{group}/{own['uuid']}") == NOT_FOUND
    assert service.ask_as(BLOCKED, "DELETE", f"/api/messages/{group}/{theirs['uuid']}").status == 200
    hidden(service, BLOCKER, BLOCKED, "block", "DELETE")
    assert status(service, BLOCKED, "DELETE", f"/api/messages/{group}/{own['uuid']}") == (403, ["not_yours"])
    for handle, other in both:
        assert messages_of(service, handle, f"/api/messages/@{other}") == ["to the blocked"]
        assert [row["unread"] for row in service.ask_as(handle, "GET", "/api/message_groups").json if row["handle"] == other] == [int(handle == BLOCKED)]


def test_counts_are_those_of_all_users(service):
    """Every viewer sees the same counts, those of the cached home. A list of the users who are counted leaves hidden users out."""
    posts = scene(service)
    members = ("replies_count", "reposts_count", "likes_count")
    hidden(service, BLOCKER, BLOCKED)
    for viewer in (BLOCKER, BLOCKED, OTHER, "stranger"):
        (row,) = [row for row in service.ask_as(viewer, "GET", "/api/activities/home").json if row["uuid"] == posts[OTHER]]
        assert [row[member] for member in members] == [2, 2, 2]
        thread = service.ask_as(viewer, "GET", f"/api/activities/{posts[OTHER]}").json
        assert [thread["activity"][member] for member in members] == [2, 2, 2]
        shown = {"likes": 2, "reposts": 2} if viewer in (OTHER, "stranger") else {"likes": 1, "reposts": 1}
        assert {kind: len(listed(service, viewer, f"/api/activities/{posts[OTHER]}/{kind}")[0]) for kind in shown} == shown
        assert len(thread["replies"]) == shown["likes"]


# --- writes ---


def test_writes_towards_each_other_are_refused(service):
    posts = {handle: service.create_as(handle)["uuid"] for handle in (BLOCKER, BLOCKED)}
    group = service.message_as(BLOCKER, handle=BLOCKED).json["message_group_uuid"]
    hidden(service, BLOCKER, BLOCKED)
    for one, other in ((BLOCKED, BLOCKER), (BLOCKER, BLOCKED)):
        assert status(service, one, "POST", f"/api/activities/{posts[other]}/reply", {"message": "x"}) == NOT_FOUND
        for what in ("like", "repost"):
            assert status(service, one, "PUT", f"/api/activities/{posts[other]}/{what}") == NOT_FOUND
        assert status(service, one, "PUT", f"/api/users/@{other}/follow") == NOT_FOUND
        assert status(service, one, "POST", "/api/messages", {"message": "x", "handle": other}) == (404, ["receiver_not_found"])
        assert status(service, one, "POST", "/api/messages", {"message": "x", "message_group_uuid": group}) == NOT_FOUND
        assert status(service, one, "PUT", f"/api/message_groups/{group}/read", {}) == NOT_FOUND
    assert service.database.sql("select (select count(*) from activities), (select count(*) from likes), (select count(*) from messages)") == [(2, 0, 1)]
    assert hide(service, BLOCKED, BLOCKER).status == 200  # a block in the other direction is allowed


def test_a_mention_tells_nothing(service):
    hidden(service, BLOCKER, BLOCKED)
    service.create_as(BLOCKED, f"@{BLOCKER} @{OTHER}")
    service.create_as(BLOCKER, f"@{BLOCKED}")
    rows = service.database.sql("select u.handle, n.kind from notifications n join users u on u.uuid = n.user_uuid")
    assert rows == [(OTHER, "mention")]


def test_a_block_ends_follows_in_both_directions(service):
    followed(service, BLOCKER, BLOCKED)
    followed(service, BLOCKED, BLOCKER)
    followed(service, BLOCKED, OTHER)
    hidden(service, BLOCKER, BLOCKED)
    assert service.database.sql("select u.handle from follows join users u on u.uuid = followed_uuid") == [(OTHER,)]
    hidden(service, BLOCKER, BLOCKED, "block", "DELETE")
    assert service.get(f"/api/users/@{BLOCKER}/followers").json == service.get(f"/api/users/@{BLOCKED}/followers").json == []
    followed(service, BLOCKED, BLOCKER)


def test_follows_and_blocks_at_once(service):
    for _ in range(10):
        askings = [Asking(follow, service, BLOCKED, BLOCKER), Asking(hide, service, BLOCKER, BLOCKED), Asking(follow, service, BLOCKER, BLOCKED)]
        assert {asking.reply().status for asking in askings} <= {200, 404}
        assert service.database.sql("select count(*) from follows") == [(0,)]
        hidden(service, BLOCKER, BLOCKED, "block", "DELETE")


# --- home, which is cached for everyone else ---


def test_own_pages_of_home(service):
    posts = {handle: service.create_as(handle, f"post of {handle}")["uuid"] for handle in (BLOCKER, BLOCKED, OTHER)}
    shared = eventually(lambda: (reply := service.home()).headers["ETag"] and reply, what="the cached page")
    for handle in (BLOCKER, BLOCKED, OTHER):
        reply = service.ask_as(handle, "GET", "/api/activities/home")
        assert (reply.json, reply.headers["ETag"]) == (shared.json, shared.headers["ETag"])
    hidden(service, BLOCKER, BLOCKED)
    for handle, others in ((BLOCKER, BLOCKED), (BLOCKED, BLOCKER)):
        own = service.ask_as(handle, "GET", "/api/activities/home")
        assert own.json == [row for row in shared.json if row["uuid"] != posts[others]]
        assert own.headers["ETag"] not in (None, shared.headers["ETag"])
        again = service.ask_as(handle, "GET", "/api/activities/home", headers={"If-None-Match": own.headers["ETag"]})
        assert again.status == 304
        assert service.ask_as(handle, "GET", "/api/activities/home", headers={"If-None-Match": shared.headers["ETag"]}).status == 200
    for handle in (None, OTHER, "stranger"):
        assert service.ask_as(handle, "GET", "/api/activities/home").json == shared.json
    hidden(service, BLOCKER, BLOCKED, "block", "DELETE")
    for handle in (BLOCKER, BLOCKED):
        assert service.ask_as(handle, "GET", "/api/activities/home").json == shared.json


def test_a_block_is_seen_by_the_next_request_of_every_worker(start, cluster):
    with TokenService(cluster, workers=4) as service:
        posts = {handle: service.create_as(handle)["uuid"] for handle in (BLOCKER, BLOCKED)}
        for round_number in range(6):
            method = "PUT" if round_number % 2 == 0 else "DELETE"
            hidden(service, BLOCKER, BLOCKED, "block", method)
            askings = [Asking(service.ask_as, BLOCKED, "GET", "/api/activities/home") for _ in range(16)]
            for asking in askings:
                shown = [row["uuid"] for row in asking.reply().json]
                assert (posts[BLOCKER] in shown) == (method == "DELETE")


def test_a_block_after_a_failover_that_has_lost_one(service):
    """The new primary's number of the change is not that of the lost one, for which a worker may know that the user hides nobody."""
    service.create_as(BLOCKED)
    posts = [row["uuid"] for row in service.home().json]
    hidden(service, OTHER, BLOCKED)
    for _ in range(8):
        assert [row["uuid"] for row in service.ask_as(BLOCKER, "GET", "/api/activities/home").json] == posts
    service.database.run(
        """set session_replication_role = replica; delete from blocks;
           update visibility set version = version - 1;
           reset session_replication_role"""
    )
    hidden(service, BLOCKER, BLOCKED)
    for _ in range(8):
        assert service.ask_as(BLOCKER, "GET", "/api/activities/home").json == []


def test_no_statement_for_those_who_hid_nobody(service):
    service.create_as(OTHER)

    def statements(reply):
        return service.line_of(reply)["db_ms"]

    def is_without():
        return statements(service.ask_as(OTHER, "GET", "/api/activities/home")) == 0

    eventually(is_without, what="an answer without a statement")


@pytest.mark.parametrize("term, one, other", [("@hid", "hidone", "hidtwo"), ("zebra", "onezebra", "twozebra")])
def test_those_who_are_hidden_take_no_place_in_a_search(service, term, one, other):
    """Hidden user one has 300 newer posts that match, more than a search returns. The post of other is found nevertheless, also below
    a thousand still newer posts that do not match."""
    service.database.sql(
        """insert into users (handle, display_name, email, cognito_user_id)
           select name, name, name || '@example.com', 'mock-' || name from unnest(%s::text[]) name""", [one, other]
    )  # fmt: skip
    service.database.sql(
        """insert into activities (user_uuid, message, created_at)
           select uuid, 'zebra ' || number, now() - number * interval '1 second' - interval '1 hour' * (1 + (handle = %s)::integer)
           from users, generate_series(1, case when handle = %s then 300 else 1 end) number where handle in (%s, %s)
           union all
           select uuid, 'horse ' || number, now() - number * interval '1 millisecond' from users, generate_series(1, 1100) number where handle = %s""",
        other, one, one, other, BLOCKED,
    )  # fmt: skip
    found = lambda: {row["handle"] for row in service.ask_as(OTHER, "GET", f"/api/activities/search?term={term}&limit=200").json}  # noqa: E731
    assert one in found()
    hidden(service, OTHER, one)
    assert found() == {other}
