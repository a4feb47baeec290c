"""The ledger's writers as clients of several hosts. What was acknowledged is read again meanwhile, from the other host too."""

import http.client
import queue
import threading
import time

from ledger import RETRIED, Writer
from site_of_hosts import is_stale

READ_PATIENCE = 60  # s, for a read to be answered at all
HOME_PATIENCE = 3  # s, for the other host's home, whose bound is --feed-watch's 0.1 s
REPLICA_LAG = 1  # s, as --replica-lag: what another host has acknowledged may be missing for as long
HOME_EVERY = 5  # of so many creates one is looked for in both homes
PAGE = 200  # posts of an author
WAITING_MAX = 16  # reads that wait; a host that does not answer would have more and more


class Reader(threading.Thread):
    """Checks reads in the order in which they are asked for. It has a thread of its own, so that no write waits for a read."""

    def __init__(self, writer):
        super().__init__()
        self.writer = writer
        self.service = writer.service
        self.handle = writer.handle
        self.questions = queue.Queue(WAITING_MAX)
        self.deleting = set()  # of these a deletion has begun
        self.asked = None  # when the last request was sent; monotonic
        self.count = 0
        self.stale = []  # (what, host, expected, found)
        self.home_waits = []  # s, until the other host's home had a post
        self.errors = []

    def run(self):
        try:
            while (question := self.questions.get()) is not None:
                question[0](*question[1:])
        except Exception as error:
            self.errors.append(error)

    def ask(self, *question):
        """question: a function and its arguments. Not asked if too many wait."""
        if not self.questions.full():
            self.questions.put(question)

    def end(self):
        self.questions.put(None)
        self.join()

    def read(self, target, host=None):
        """The answer, of whatever status but an unavailable service's; None without one."""
        end = time.monotonic() + READ_PATIENCE
        while time.monotonic() < end:
            try:
                self.asked = time.monotonic()
                reply = self.service.ask_as(self.handle, "GET", target, host=host)
                if reply.status not in RETRIED:
                    return reply
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        return None

    def note(self, what, host, expected, found):
        self.count += 1
        if found != expected:
            self.stale.append((what, host, expected, found))

    def expect_post(self, uuid, text, host):
        reply = self.read(f"/api/activities/{uuid}", host)
        if reply is not None and uuid not in self.deleting:
            self.note(uuid, host, (200, text), (reply.status, reply.json["activity"]["message"] if reply.status == 200 else None))

    def expect_listed(self, uuid, host, number):
        """Among its author's, at the host that acknowledged it: that has it at once, also where it says that it is stale. number: of the post."""
        reply = self.read(f"/api/activities/@{self.handle}?limit={PAGE}", host)
        is_on_page = self.writer.created - number < PAGE / 2  # reposts are there, too
        if reply is not None and reply.status == 200 and uuid not in self.deleting and is_on_page:
            self.note(f"listed {uuid}", host, True, uuid in {activity["uuid"] for activity in reply.json["activities"]})

    def expect_gone(self, uuid, host):
        """At the host that acknowledged the deletion."""
        reply = self.read(f"/api/activities/{uuid}", host)
        if reply is not None:
            self.note(f"gone {uuid}", host, 404, reply.status)

    def expect_none(self, uuid, host, deleted):
        """Once what others have done may no longer be missing there."""
        while (reply := self.read(f"/api/activities/{uuid}", host)) is not None:
            if reply.status != 200 or not (is_stale(reply) or self.asked < deleted + REPLICA_LAG):
                self.note(uuid, host, 404, reply.status)
                return
            time.sleep(0.05)

    def expect_at_home(self, uuid, host, other, written):
        """In the very next home of the host that acknowledged it, and soon in the other one's."""
        if time.monotonic() > written + HOME_PATIENCE:
            return  # others may have driven it from the first page
        page = self.home(host)
        if page is not None and uuid not in self.deleting:
            self.note(f"home {uuid}", host, True, uuid in page)
        begun = time.monotonic()
        while uuid not in self.deleting and (page := self.home(other)) is not None:
            if uuid in page:
                self.home_waits.append(time.monotonic() - written)
                return
            if time.monotonic() > begun + HOME_PATIENCE:
                self.note(f"home {uuid}", other, True, False)
                return

    def home(self, host):
        """The posts in it; None if there is no answer, or one that says itself that it is stale."""
        reply = self.read("/api/activities/home", host)
        if reply is None or is_stale(reply):
            return None
        return {activity["uuid"] for activity in reply.json}


class ClusterWriter(Writer):
    def __init__(self, service, handle, targets, seed):
        super().__init__(service, handle, targets, seed)
        self.reader = Reader(self)
        self.created = 0

    def __enter__(self):
        self.reader.start()
        return super().__enter__()

    def __exit__(self, *problem):
        super().__exit__(*problem)
        self.reader.end()

    def create(self):
        super().create()
        text, uuid = self.posts[-1]
        host = self.service.host_of()
        other = self.service.other_than(host)
        self.created += 1
        self.reader.ask(self.reader.expect_listed, uuid, host, self.created)
        self.reader.ask(self.reader.expect_post, uuid, text, other)
        if self.created % HOME_EVERY == 0:
            self.reader.ask(self.reader.expect_at_home, uuid, host, other, time.monotonic())

    def delete(self):
        before = list(self.posts)
        state = self.random.getstate()
        if before:  # the one that the ledger is going to take
            self.reader.deleting.add(before[self.random.randrange(len(before))][1])
            self.random.setstate(state)
        super().delete()
        for uuid in {uuid for _, uuid in before} - {uuid for _, uuid in self.posts}:
            host = self.service.host_of()
            self.reader.ask(self.reader.expect_gone, uuid, host)
            self.reader.ask(self.reader.expect_none, uuid, self.service.other_than(host), time.monotonic())

    def check_order(self):
        """REPLICA_LAG after the last write at the earliest. Its messages as it reads them itself: in the order of the acknowledgements, each once."""
        target, found = "/api/messages/@andrewbrown?limit=200", []
        while target:
            reply = self.reader.read(target)
            found = [row["message"] for row in reply.json] + found  # a page is in order, the next one is older
            target = reply.next_page
        mine = set(self.sent)
        found = [text for text in found if text in mine]
        return [] if found == self.sent else [(f"messages of {self.handle}", len(self.sent), len(found))]
