"""Sixteen clients like, unlike, repost, answer, keep and delete a few posts, and follow each other, all at once.

TESTS_CROWD_REQUESTS is the number of requests that they send in all; 50000 for a thorough run.
"""

import collections
import os
import random
import threading
import time

import pytest

from client import Asking
from issuer import TokenService
from social import check_counts, check_told, mark, parametrize_marks
from waiting import PATIENCE

REQUESTS = int(os.environ.get("TESTS_CROWD_REQUESTS", "2500"))
CLIENTS = 16
POSTS = 4
HANDLES = ["andrewbrown", "bayko", "altbrown", "londo"]
# How often each is done. The answer to a client that comes too late, or does not own the activity, is no failure.
ACTIONS = {"like": 6, "unlike": 6, "repost": 4, "unrepost": 4, "reply": 6, "delete reply": 5, "delete post": 1, "keep": 1, "follow": 2, "unfollow": 2, "read": 3}
EXPECTED = {200, 403, 404}


class Crowd:
    def __init__(self, service):
        self.service = service
        self.posts = [self.new_post() for _ in range(POSTS)]
        self.replies = collections.deque(maxlen=24)  # (author, uuid)
        self.statuses = collections.Counter()
        self.unexpected = []
        self.end = time.monotonic() + REQUESTS / 2500 * PATIENCE

    def new_post(self):
        author = random.choice(HANDLES)
        return author, self.service.create_as(author)["uuid"]

    def run(self):
        threads = [threading.Thread(target=self.client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def is_over(self):
        """Whether enough requests were sent and each action succeeded once, or the time is up."""
        done = dict(self.statuses)
        is_done = sum(done.values()) >= REQUESTS and all((action, 200) in done for action in ACTIONS)
        return is_done or time.monotonic() > self.end

    def client(self, number):
        chance = random.Random(number)
        handle = HANDLES[number % len(HANDLES)]
        while not self.is_over():
            (action,) = chance.choices(list(ACTIONS), ACTIONS.values())
            reply = self.do(chance, handle, action)
            self.statuses[action, reply.status] += 1
            if reply.status not in EXPECTED:
                self.unexpected.append((action, reply))

    def do(self, chance, handle, action):
        place = chance.randrange(POSTS)
        author, post = self.posts[place]
        on_reply = list(self.replies)
        target = chance.choice(on_reply)[1] if on_reply and chance.random() < 0.3 else post
        ask = self.service.ask_as
        if action in ("like", "repost"):
            return ask(handle, "PUT", f"/api/activities/{target}/{action}")
        if action in ("unlike", "unrepost"):
            return ask(handle, "DELETE", f"/api/activities/{target}/{action[2:]}")
        if action == "reply":
            reply = ask(handle, "POST", f"/api/activities/{target}/reply", {"message": f"hello @{chance.choice(HANDLES)}"})
            if reply.status == 200:
                self.replies.append((handle, reply.json["uuid"]))
            return reply
        if action in ("follow", "unfollow"):
            return ask(handle, "PUT" if action == "follow" else "DELETE", f"/api/users/@{HANDLES[HANDLES.index(handle) - 1]}/follow")
        if action == "delete reply" and on_reply:
            replier, uuid = chance.choice(on_reply)
            return ask(replier, "DELETE", f"/api/activities/{uuid}")
        if action == "delete post":
            self.posts[place] = self.new_post()
            return ask(author, "DELETE", f"/api/activities/{post}")
        if action == "keep":
            return ask(author, "PUT", f"/api/activities/{post}/keep", {"ttl": chance.choice(["3-days", "7-days", "30-days"])})
        return ask(handle, "GET", chance.choice([f"/api/activities/{post}", "/api/activities/notifications", "/api/activities/following"]))


def test_all_at_once(cluster):
    with TokenService(cluster, workers=4, log_level="info") as service:
        crowd = Crowd(service)
        crowd.run()
        assert crowd.unexpected == []
        assert sum(crowd.statuses.values()) >= REQUESTS and all(crowd.statuses[action, 200] > 0 for action in ACTIONS), crowd.statuses
        check_counts(service.database)
        late = """select 1 from activities a join activities r on r.reply_to_activity_uuid = a.uuid
                  where r.expires_at is distinct from a.expires_at and r.deleted_at is null"""
        assert service.database.sql(late) == []
        # No transactions wait for each other in a circle, so none is repeated because of a deadlock.
        assert service.cluster.sql("select deadlocks from pg_stat_database where datname = %s", service.database.name) == [(0,)]
        check_told(service.database)


# --- locks are taken from the top of a thread downwards ---


@pytest.fixture(scope="module")
def service(cluster):
    with TokenService(cluster, workers=1) as service:
        yield service


def first_waits_at(service, start, waits, method, path, body=None):
    """Checks that the request locks the activity waits first: while another session holds that lock, the request has not locked start."""
    with service.database.held(f"select from activities where uuid = '{waits}' for no key update") as cursor:
        asking = Asking(service.ask_as, "londo", method, path, body)
        service.database.wait_for_waiting()
        cursor.execute(f"select 1 from activities where uuid = '{start}' for update nowait")
        assert cursor.fetchall() == [(1,)]
    assert asking.reply().status == 200


def test_the_top_is_locked_first(service):
    post = service.create_as("londo")["uuid"]
    reply = service.reply_as("londo", post).json["uuid"]
    below = service.reply_as("bayko", reply).json["uuid"]
    first_waits_at(service, below, reply, "POST", f"/api/activities/{reply}/reply", {"message": "indeed"})
    first_waits_at(service, reply, post, "PUT", f"/api/activities/{post}/keep", {"ttl": "30-days"})
    first_waits_at(service, reply, post, "DELETE", f"/api/activities/{reply}")
    check_counts(service.database)


@parametrize_marks
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_marks_wait_for_the_activity(service, what, method):
    """If the activity is deleted meanwhile, the request gets 404 and has written nothing."""
    post = service.create_as("bayko")["uuid"]
    mark(service, "londo", what, post)
    with service.database.held(f"select from activities where uuid = '{post}' for no key update") as cursor:
        asking = Asking(mark, service, "londo", what, post, method)
        service.database.wait_for_waiting()
        cursor.execute(f"delete from activities where uuid = '{post}'")
        cursor.connection.commit()
    assert (asking.reply().status, asking.reply().json) == (404, ["not_found"])
