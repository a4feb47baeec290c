"""The ledger's writers as clients of several hosts. Acknowledged writes are meanwhile read again, also from the other host."""

import http.client
import queue
import threading
import time

from ledger import RETRIED, Writer
from site_of_hosts import is_stale

READ_PATIENCE = 60  # s in which a read must be answered
HOME_PATIENCE = 3  # s in which the other host's home must have a post; --feed-watch's bound is 0.1 s
REPLICA_LAG = 1  # s, as --replica-lag: a read may miss a write that another host acknowledged for so long
HOME_EVERY = 5  # one of so many posts is looked for in both homes
PAGE = 200  # posts of an author
HOME_ROWS = 50  # posts of home's first page, as PAGE_LIMIT_DEFAULT
WAITING_MAX = 16  # reads in the queue, which would grow without limit while a host does not answer


def is_reached(page, created_at):
    """Whether home's first page reaches down to a post of this time. Posts that wait for a standby's confirmation are acknowledged together,
    so there may be a whole page of newer ones at once."""
    return len(page) < HOME_ROWS or created_at >= min(page.values())


class Reader(threading.Thread):
    """Makes and checks reads in the order in which they are queued. It is a thread of its own, so that no write waits for a read."""

    def __init__(self, writer):
        super().__init__()
        self.writer = writer
        self.service = writer.service
        self.handle = writer.handle
        self.questions = queue.Queue(WAITING_MAX)
        self.deleting = set()  # posts whose deletion has begun
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
        """Queues a read. question: a function and its arguments. It is dropped if too many wait."""
        if not self.questions.full():
            self.questions.put(question)

    def end(self):
        self.questions.put(None)
        self.join()

    def read(self, target, host=None):
        """The answer, with any status but those of an unavailable service; None without one."""
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
        """The host that acknowledged the post has it in the author's list at once, even in an answer marked as stale. number: the post's."""
        reply = self.read(f"/api/activities/@{self.handle}?limit={PAGE}", host)
        is_on_page = self.writer.created - number < PAGE / 2  # reposts are there, too
        if reply is not None and reply.status == 200 and uuid not in self.deleting and is_on_page:
            self.note(f"listed {uuid}", host, True, uuid in {activity["uuid"] for activity in reply.json["activities"]})

    def expect_gone(self, uuid, host):
        """The host that acknowledged the deletion must not have the post."""
        reply = self.read(f"/api/activities/{uuid}", host)
        if reply is not None:
            self.note(f"gone {uuid}", host, 404, reply.status)

    def expect_none(self, uuid, host, deleted):
        """The other host must not have the post as soon as it may no longer miss writes of other hosts."""
        while (reply := self.read(f"/api/activities/{uuid}", host)) is not None:
            if reply.status != 200 or not (is_stale(reply) or self.asked < deleted + REPLICA_LAG):
                self.note(uuid, host, 404, reply.status)
                return
            time.sleep(0.05)

    def expect_at_home(self, uuid, created_at, host, other, written):
        """The post is in the very next home of the host that acknowledged it, and soon in the other one's."""
        if time.monotonic() > written + HOME_PATIENCE:
            return  # it has waited in the queue: the time until the other home had the post would not be known
        page = self.home(host)
        if page is not None and uuid not in self.deleting and is_reached(page, created_at):
            self.note(f"home {uuid}", host, True, uuid in page)
        begun = time.monotonic()
        while uuid not in self.deleting and (page := self.home(other)) is not None and is_reached(page, created_at):
            if uuid in page:
                self.home_waits.append(time.monotonic() - written)
                return
            if time.monotonic() > begun + HOME_PATIENCE:
                self.note(f"home {uuid}", other, True, False)
                return

    def home(self, host):
        """The posts of the host's home, each with its created_at; None if there is no answer, or one that is marked as stale."""
        reply = self.read("/api/activities/home", host)
        if reply is None or is_stale(reply):
            return None
        return {activity["uuid"]: activity["created_at"] for activity in reply.json}


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
        made = super().create()
        text, uuid = self.posts[-1]
        host = self.service.host_of()
        other = self.service.other_than(host)
        self.created += 1
        self.reader.ask(self.reader.expect_listed, uuid, host, self.created)
        self.reader.ask(self.reader.expect_post, uuid, text, other)
        if self.created % HOME_EVERY == 0:
            self.reader.ask(self.reader.expect_at_home, uuid, made["created_at"], host, other, time.monotonic())

    def delete(self):
        before = list(self.posts)
        state = self.random.getstate()
        if before:  # the post that the ledger is going to delete
            self.reader.deleting.add(before[self.random.randrange(len(before))][1])
            self.random.setstate(state)
        super().delete()
        for uuid in {uuid for _, uuid in before} - {uuid for _, uuid in self.posts}:
            host = self.service.host_of()
            self.reader.ask(self.reader.expect_gone, uuid, host)
            self.reader.ask(self.reader.expect_none, uuid, self.service.other_than(host), time.monotonic())

    def check_order(self):
        """Call it at least REPLICA_LAG after the last write. The writer reads its messages in the order of the acknowledgements, each once."""
        target, found = "/api/messages/@andrewbrown?limit=200", []
        while target:
            reply = self.reader.read(target)
            found = [row["message"] for row in reply.json] + found  # a page is in order, the next one is older
            target = reply.next_page
        mine = set(self.sent)
        found = [text for text in found if text in mine]
        return [] if found == self.sent else [(f"messages of {self.handle}", len(self.sent), len(found))]
