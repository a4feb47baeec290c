"""Writers that make every kind of write, each with a ledger of the acknowledged writes.

A write that fails is sent again until it is acknowledged, as a client would do. So whenever a writer pauses, its ledger is exactly
what the database must hold: nothing is lost, nothing is doubled, and nothing that was taken back is there again.
"""

import http.client
import itertools
import random
import threading
import time

from waiting import PATIENCE, eventually

RETRIED = (502, 503, 504)
PAUSE = 0.02  # s, before a write is sent again
TTLS = ("1-day", "3-days", "7-days", "30-days")


class Writer(threading.Thread):
    """Writes as one user. No other writer writes the things in this ledger. with Writer(…): it writes until the block ends."""

    def __init__(self, service, handle, targets, seed):
        """targets: activities of other users, which are liked, reposted and replied to and never deleted."""
        super().__init__()
        self.service = service
        self.handle = handle
        self.targets = targets
        self.random = random.Random(f"{handle} {seed}")
        self.texts = (f"ledger {handle} {seed} {number}" for number in itertools.count(1))
        self.facts = {}  # subject → (query, values, row)
        self.posts = []  # not deleted
        self.sent = []  # messages, in the order in which they were acknowledged
        self.acknowledged = 0
        self.repeated = 0  # answers that made the writer send its request again
        self.errors = []
        self.is_over = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.join()

    def run(self):
        steps = (
            self.create, self.create, self.reply, self.delete, self.keep, self.like, self.repost, self.follow, self.name,
            self.send_message, self.mark_read,
        )  # fmt: skip
        try:
            while not self.is_over:
                self.random.choice(steps)()
                self.acknowledged += 1
        except Exception as error:  # check() fails the test, in the test's thread
            self.errors.append(error)

    def wait_for_more(self, count):
        goal = self.acknowledged + count
        eventually(lambda: self.acknowledged >= goal or self.errors, what=f"{count} more writes of {self.handle}")

    def settle(self, method, target, document=None, **headers):
        """Sends the write until it is acknowledged, and returns the answer's JSON."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                reply = self.service.ask_as(self.handle, method, target, document, headers)
                if reply.status == 200:
                    return reply.json
                if reply.status not in RETRIED:
                    raise AssertionError(f"{method} {target} {document}: {reply}")
            except (OSError, http.client.HTTPException):
                pass
            self.repeated += 1
            time.sleep(PAUSE)
        raise AssertionError(f"{method} {target} was not acknowledged")

    def note(self, subject, query, values, row):
        self.facts[subject] = (query, values, row)

    def check(self, sql):
        """Compares the ledger with the database. sql(query, *values) runs a query there."""
        assert self.errors == [], self.errors
        assert self.wrong(sql) == []

    def wrong(self, sql):
        """The differences: (subject, the ledger's row, the database's rows)."""
        return [
            (subject, row, found)
            for subject, (query, values, row) in self.facts.items()
            if (found := sql(query, *values)) != [row]
        ]  # fmt: skip

    # --- one write of each kind ---

    def key(self, text):
        return {"Idempotency-Key": text.replace(" ", "-")}

    def note_made(self, text, made):
        self.note(text, "select array_agg(uuid::text), bool_and(deleted_at is null) from activities where message = %s", [text], ([made["uuid"]], True))

    def create(self):
        text = next(self.texts)
        made = self.settle("POST", "/api/activities", {"message": text, "ttl": "1-day"}, **self.key(text))
        self.note_made(text, made)
        self.posts.append((text, made["uuid"]))
        return made

    def reply(self):
        text = next(self.texts)
        target = self.random.choice(self.targets)
        self.note_made(text, self.settle("POST", f"/api/activities/{target}/reply", {"message": text}, **self.key(text)))

    def delete(self):
        if self.posts:
            text, uuid = self.posts.pop(self.random.randrange(len(self.posts)))
            self.settle("DELETE", f"/api/activities/{uuid}")
            self.facts.pop(f"end of {uuid}", None)
            self.note(text, "select count(*) from activities where message = %s and deleted_at is null", [text], (0,))

    def keep(self):
        if self.posts:
            _, uuid = self.random.choice(self.posts)
            kept = self.settle("PUT", f"/api/activities/{uuid}/keep", {"ttl": self.random.choice(TTLS)})
            self.note(f"end of {uuid}", "select expires_at >= %s::timestamptz from activities where uuid = %s", [kept["expires_at"], uuid], (True,))

    def mark(self, what):
        target = self.random.choice(self.targets)
        method = self.random.choice(("PUT", "DELETE"))
        self.settle(method, f"/api/activities/{target}/{what}")
        query = f"select count(*) from {what}s where activity_uuid = %s and user_uuid = (select uuid from users where handle = %s)"
        self.note((what, target), query, [target, self.handle], (int(method == "PUT"),))

    def like(self):
        self.mark("like")

    def repost(self):
        self.mark("repost")

    def follow(self):
        method = self.random.choice(("PUT", "DELETE"))
        self.settle(method, "/api/users/@andrewbrown/follow")
        query = """select count(*) from follows
                   where (select handle from users where uuid = follower_uuid) = %s and (select handle from users where uuid = followed_uuid) = 'andrewbrown'"""
        self.note("follow", query, [self.handle], (int(method == "PUT"),))

    def name(self):
        name = next(self.texts)
        self.settle("PUT", "/api/profile/update", {"display_name": name, "bio": f"bio of {name}"})
        self.note("name", "select display_name, bio from users where handle = %s", [self.handle], (name, f"bio of {name}"))

    def send_message(self):
        text = next(self.texts)
        self.settle("POST", "/api/messages", {"message": text, "handle": "andrewbrown"}, **self.key(text))
        self.sent.append(text)
        self.note(text, "select count(*) from messages where message = %s", [text], (1,))

    def mark_read(self):
        read = self.settle("PUT", "/api/activities/notifications/read", {})
        query = "select read_at >= %s::timestamptz from notification_reads join users on users.uuid = user_uuid where handle = %s"
        self.note("read", query, [read["read_at"], self.handle], (True,))
