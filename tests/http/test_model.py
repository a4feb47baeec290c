"""Random sequences of users' actions, compared with a simple model: after each step every list, count and notification agrees.

TESTS_SEQUENCES is the number of sequences; thousands for a thorough run.
"""

import itertools
import json
import os

import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import strategies  # noqa: E402 (only with it)

from issuer import TokenService, bearer  # noqa: E402
from model import Model  # noqa: E402

SEQUENCES = int(os.environ.get("TESTS_SEQUENCES", "12"))
STEPS = 24
LIMITS = (200, 3, 200, 7, 200, 1)  # of pages; 200 mostly, which holds everything
HANDLES = ["andrewbrown", "bayko", "altbrown", "londo"]
# Word → the user that it mentions.
WORDS = {"hello": None, "@londo": "londo", "@BAYKO,": "bayko", "(@altbrown)": "altbrown", "x@andrewbrown.example": None, "@andrewbrown's": "andrewbrown"}
EXPIRE = "update activities set expires_at = created_at + interval '1 microsecond' where uuid::text = any(%s)"
LEFT = "update departures set due_at = now() where due_at < now() + interval '1 minute'"
ENROL = "insert into users (handle, display_name, email, cognito_user_id) values (%s, 'Back', %s, %s)"
PURGE = "select purge_expired(3)"  # a batch of bin/db-purge: the next one goes on where it ended


class Player:
    """Applies each step to the service and to the model, and compares them."""

    def __init__(self, service):
        self.service = service
        self.model = Model(HANDLES)
        self.steps = itertools.count()
        service.database.sql("truncate activities, follows, notification_reads, message_groups cascade")

    def ask(self, handle, method, target, document=None):
        reply = self.service.ask_kept(handle, method, target, document)
        return reply.status, reply.json

    def get(self, handle, target):
        status, body = self.ask(handle, "GET", target)
        assert status == 200, (target, body)
        return body

    def expect(self, handle, method, target, document=None, status=200, codes=None):
        answer = self.ask(handle, method, target, document)
        assert answer[0] == status and (codes is None or answer[1] == codes), (method, target, answer)
        return answer[1]

    def chosen(self, number):
        """One of all posts, also of those that are gone; None if there is none."""
        return self.model.posts[number % len(self.model.posts)] if self.model.posts else None

    # --- steps ---

    def post(self, handle, words, _):
        self.add(handle, words, "/api/activities", {"ttl": "1-day"}, None)

    def reply(self, handle, words, number):
        parent = self.chosen(number)
        if parent is None:
            return
        target = f"/api/activities/{parent.uuid}/reply"
        if not parent.is_there:
            self.expect(handle, "POST", target, {"message": "too late"}, 404, ["not_found"])
        else:
            self.add(handle, words, target, {}, parent)

    def add(self, handle, words, target, document, parent):
        message = " ".join(words)
        row = self.expect(handle, "POST", target, document | {"message": message})
        self.model.post(row["uuid"], handle, message, {WORDS[word] for word in words} - {None, handle}, parent)

    def mark(self, handle, number, method, what, change, field):
        post = self.chosen(number)
        if post is None:
            return
        target = f"/api/activities/{post.uuid}/{what}"
        if not post.is_there:
            self.expect(handle, method, target, None, 404, ["not_found"])
            return
        row = self.expect(handle, method, target)
        change(field, handle, post)
        self.check_activity(handle, row, post)

    def like(self, handle, _, number):
        self.mark(handle, number, "PUT", "like", self.model.mark, "likes")

    def unlike(self, handle, _, number):
        self.mark(handle, number, "DELETE", "like", self.model.unmark, "likes")

    def repost(self, handle, _, number):
        self.mark(handle, number, "PUT", "repost", self.model.mark, "reposts")

    def unrepost(self, handle, _, number):
        self.mark(handle, number, "DELETE", "repost", self.model.unmark, "reposts")

    def turn_to(self, handle, number, method, change):
        other = HANDLES[number % len(HANDLES)]
        target = f"/api/users/@{other}/follow"
        if other == handle:
            self.expect(handle, method, target, None, 422, ["followed_is_follower"])
        else:
            assert self.expect(handle, method, target)["followed"] is (method == "PUT")
            change(handle, other)

    def follow(self, handle, _, number):
        self.turn_to(handle, number, "PUT", self.model.follow)

    def unfollow(self, handle, _, number):
        self.turn_to(handle, number, "DELETE", self.model.unfollow)

    def delete(self, handle, _, number):
        post = self.chosen(number)
        if post is None:
            return
        target = f"/api/activities/{post.uuid}"
        if post.is_deleted and self.model.is_below_expired(post):
            return  # whether it is still known depends on the purge
        if not (post.is_there or post.is_deleted):
            self.expect(handle, "DELETE", target, None, 404, ["not_found"])
        elif post.author != handle:
            self.expect(handle, "DELETE", target, None, 403, ["not_yours"])
        else:
            self.expect(handle, "DELETE", target)
            self.model.end(post, is_deleted=True)

    def keep(self, handle, _, number):
        post = self.chosen(number)
        if post is None:
            return
        if not post.is_there:
            status, codes = 404, ["not_found"]
        elif post.author != handle:
            status, codes = 403, ["not_yours"]
        elif not post.is_top:
            status, codes = 422, ["reply_expires_with_parent"]
        else:
            status, codes = 200, None
        self.expect(handle, "PUT", f"/api/activities/{post.uuid}/keep", {"ttl": "7-days"}, status, codes)

    def know(self, handle, *_):
        self.expect(handle, "PUT", "/api/activities/notifications/read", {})
        self.model.know(handle)

    def say(self, handle, words, number):
        other = HANDLES[number % len(HANDLES)]
        if other != handle:
            self.model.say(self.expect(handle, "POST", "/api/messages", {"message": " ".join(words), "handle": other})["uuid"], handle, other)

    def unsay(self, handle, _, number):
        if not self.model.messages:
            return
        message = self.model.messages[number % len(self.model.messages)]
        found = self.service.database.sql("select message_group_uuid::text from messages where uuid = %s", message.uuid)
        if not found:
            return  # both users have left
        ((group,),) = found
        target = f"/api/messages/{group}/{message.uuid}"
        if message.sender == handle:
            self.expect(handle, "DELETE", target)
            message.is_there = False
        elif message.is_there and message.receiver == handle:
            self.expect(handle, "DELETE", target, None, 403, ["not_yours"])
        else:
            self.expect(handle, "DELETE", target, None, 404, ["not_found"])

    def read_up(self, handle, _, number):
        groups = self.get(handle, "/api/message_groups")
        if groups:
            group = groups[number % len(groups)]
            self.expect(handle, "PUT", f"/api/message_groups/{group['uuid']}/read", {})
            self.model.read_up(handle, group["handle"])

    def expire(self, _, __, number):
        """Expires a post and all replies below it, as replies expire with their post."""
        posts = [post for post in self.model.there() if post.is_top]
        if not posts:
            return
        before = set(self.model.there())
        self.model.end(posts[number % len(posts)])
        self.service.database.sql(EXPIRE, [post.uuid for post in before - set(self.model.there())])

    def leave(self, handle, _, number):
        """A user leaves, and a new user takes the handle: before the purge if number is odd, after it if number is even."""
        sql = self.service.database.sql
        self.expect(handle, "DELETE", "/api/profile", {"handle": HANDLES[HANDLES.index(handle) - 1]}, 422, ["user_handle_mismatch"])
        self.expect(handle, "DELETE", "/api/profile", {"handle": handle})
        self.expect(handle, "GET", "/api/message_groups", None, 403, ["user_not_registered"])
        if number % 2:
            sql(ENROL, handle, f"{handle}@example.com", f"mock-{handle}")
        while sql(LEFT) or sql("select purge_step(2)") != [(0,)]:
            pass
        if not number % 2:
            sql(ENROL, handle, f"{handle}@example.com", f"mock-{handle}")
        self.model.leave(handle, f"left {next(self.model.clock)}")

    def purge(self, *_):
        self.service.database.sql(PURGE)

    # --- what the service shows ---

    def check(self):
        step = next(self.steps)
        self.check_home()
        for handle in HANDLES:
            self.check_following(handle, LIMITS[step % len(LIMITS)])
            self.check_notifications(handle, LIMITS[(step + 1) % len(LIMITS)])
            self.check_conversations(handle, LIMITS[(step + 2) % len(LIMITS)])
        self.check_posts(HANDLES[step % len(HANDLES)])
        viewer, author = HANDLES[step % 4], HANDLES[step // 4 % 4]
        self.check_page(viewer, author)

    def check_counts(self, row, post):
        assert (row["uuid"], row["handle"], row["message"]) == (post.uuid, post.author, post.message)
        counts = (len(post.likes), len(post.reposts), len(self.model.replies(post)))
        assert (row["likes_count"], row["reposts_count"], row["replies_count"]) == counts, post.message

    def check_activity(self, handle, row, post):
        self.check_counts(row, post)
        assert (row["liked"], row["reposted"]) == (handle in post.likes, handle in post.reposts)

    def listed(self, handle, target, limit):
        """All rows, read in pages of limit rows."""
        rows, target = [], f"{target}?limit={limit}"
        while target:
            reply = self.service.ask_kept(handle, "GET", target)
            assert reply.status == 200 and len(reply.json) <= limit
            rows += reply.json
            target = reply.next_page
        return rows

    def check_home(self):
        rows, posts = self.get(None, "/api/activities/home?limit=200"), self.model.home()
        assert [row["uuid"] for row in rows] == [post.uuid for post in posts]
        for row, post in zip(rows, posts):
            self.check_counts(row, post)

    def check_following(self, handle, limit):
        rows, events = self.listed(handle, "/api/activities/following", limit), self.model.following(handle)
        shown = [(row["uuid"], row["reposted_by"] and row["reposted_by"]["handle"]) for row in rows]
        assert shown == [(post.uuid, reposter) for post, reposter in events]
        for row, (post, _) in zip(rows, events):
            self.check_activity(handle, row, post)

    def check_notifications(self, handle, limit):
        rows, expected = self.listed(handle, "/api/activities/notifications", limit), self.model.notifications(handle)
        assert [(row["kind"], row["handle"], row["activity_uuid"], row["read"]) for row in rows] == expected
        unread = self.get(handle, "/api/activities/notifications/unread")["unread"]
        assert unread == sum(not is_known for *_, is_known in expected)

    def check_conversations(self, handle, limit):
        rows = self.listed(handle, "/api/message_groups", limit)
        expected = self.model.conversations(handle)
        assert [(row["handle"], row["unread"]) for row in rows] == [(other if other in HANDLES else None, unread) for other, _, unread in expected]
        for row, (other, newest, _) in zip(rows, expected):
            messages = self.listed(handle, f"/api/messages/{row['uuid']}", limit)
            left = [message.uuid for message in self.model.conversation(handle, other)]
            assert sorted(message["uuid"] for message in messages) == sorted(left)
            ((message,),) = self.service.database.sql("select message from messages where uuid = %s", newest)
            assert row["message"] == message

    def check_posts(self, handle):
        for post in self.model.posts[-8:]:
            target = f"/api/activities/{post.uuid}"
            if not post.is_there:
                self.expect(handle, "GET", target, None, 404, ["not_found"])
                continue
            thread = self.get(handle, target)
            for row, expected in zip([thread["activity"], *thread["replies"]], [post, *self.model.replies(post)], strict=True):
                self.check_activity(handle, row, expected)

    def check_page(self, handle, author):
        page, posts = self.get(handle, f"/api/activities/@{author}?limit=200"), self.model.page(author)
        profile = page["profile"]
        assert (profile["cruds_count"], profile["followed"]) == (len(posts), (handle, author) in self.model.follows)
        for row, post in zip(page["activities"], posts, strict=True):
            self.check_activity(handle, row, post)


class KeptService(TokenService):
    """A service with one HTTP connection for all users."""

    def open(self):
        super().open()
        self.kept = self.connect()
        self.identities = {handle: bearer(self.token(handle)) for handle in HANDLES} | {None: {}}

    def ask_kept(self, handle, method, target, document=None):
        body = None if document is None else json.dumps(document).encode()
        reply = self.kept.ask(method, target, body, self.identities[handle])
        if reply.headers["Connection"] == "close":  # nginx's keepalive_requests
            self.kept.close()
            self.kept = self.connect()
        return reply

    def remove(self):
        if hasattr(self, "kept"):
            self.kept.close()
        super().remove()


@pytest.fixture(scope="module")
def service(cluster):
    with KeptService(cluster, log_level="info") as service:
        yield service


# Steps that create something come more often than steps that end it.
KINDS = ["post"] * 4 + ["reply"] * 5 + ["like"] * 4 + ["repost"] * 4 + ["follow"] * 4 + ["say"] * 4
KINDS += ["unlike", "unrepost", "unfollow", "delete", "delete", "keep", "know", "expire", "purge", "unsay", "unsay", "read_up", "leave"]
STEP = strategies.tuples(
    strategies.sampled_from(KINDS),
    strategies.sampled_from(HANDLES),
    strategies.lists(strategies.sampled_from(list(WORDS)), min_size=1, max_size=3),
    strategies.integers(0, 11),
)


@hypothesis.settings(
    max_examples=SEQUENCES, deadline=None, database=None, print_blob=True, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(steps=strategies.lists(STEP, min_size=STEPS // 2, max_size=STEPS))
def test_the_model_and_the_service_agree(service, steps):
    player = Player(service)
    for kind, handle, words, number in steps:
        getattr(player, kind)(handle, words, number)
        player.check()
