"""Requests from many connections at once while something happens to the service, and their outcomes."""

import collections
import http.client
import itertools
import json
import threading
import time

from waiting import PATIENCE, eventually

READS = ("/api/activities/home?limit=5", "/livez")
PAUSE = 0.02  # s between two requests of a connection, so that the events beside them get processor time, too


class Load:
    """with Load(service) as load: … It reads and creates in turn, over kept connections, until the block ends. pause is in seconds."""

    marks = itertools.count(1)

    def __init__(self, service, connections=8, reads=READS, creates=True, pause=PAUSE):
        self.service = service
        self.mark = f"load {next(self.marks)}"
        self.reads = reads
        self.creates = creates
        self.pause = pause
        self.statuses = collections.Counter()
        self.failures = []
        self.acknowledged = {}  # message → uuid
        self.served = [0] * connections
        self.is_over = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(connections)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for_more(len(self.threads))
        return self

    def __exit__(self, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join()

    @property
    def requests(self):
        return sum(self.statuses.values())

    def wait_for_more(self, count, seconds=PATIENCE):
        """Waits for so many more answers with status 200."""
        goal = self.statuses[200] + count
        end = time.monotonic() + seconds
        while self.statuses[200] < goal:
            assert time.monotonic() < end, f"no {count} answers in {seconds} s: {self.statuses} {self.failures[:3]}"
            time.sleep(0.005)

    def wait_for_each(self, count=1):
        """Waits until each connection has got so many more good answers. Then all requests that were under way have been answered."""
        goals = [served + count for served in self.served]
        eventually(
            lambda: all(served >= goal for served, goal in zip(self.served, goals)),
            what=f"{count} more answers on each connection",
        )

    def run(self, number):
        connection = None
        for turn in itertools.count():
            if self.is_over:
                break
            try:
                connection = connection or self.service.connect()
                if self.ask(connection, number, turn).headers["Connection"] == "close":  # nginx's keepalive_requests
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.note_failure("connection", repr(error))
                connection.close()
                connection = None
            time.sleep(self.pause)
        if connection is not None:
            connection.close()

    def ask(self, connection, number, turn):
        if self.creates and turn % 2 == 0:
            message = f"{self.mark}/{number}/{turn}"
            body = json.dumps({"message": message, "ttl": "1-day", "user_handle": "londo"}).encode()
            reply = connection.ask("POST", "/api/activities", body)
            if reply.status == 200:
                self.acknowledged[message] = reply.json["uuid"]
        else:
            reply = connection.ask("GET", self.reads[turn // 2 % len(self.reads)])
        with self.lock:
            self.statuses[reply.status] += 1
            self.served[number] += reply.status == 200
        if reply.status != 200:
            self.failures.append((reply.status, reply.json, reply.headers["X-Request-Id"]))
        return reply

    def note_failure(self, kind, text):
        with self.lock:
            self.statuses[kind] += 1
        self.failures.append((kind, text, None))

    def kinds_of_failure(self):
        """{(status, code, …), …} of the failures."""
        return {(status, *codes) for status, codes, _ in self.failures}

    def audit(self, database):
        """Compares the creates with the table; an Audit. Call it after the block."""
        rows = collections.defaultdict(list)
        statement = "select message, uuid::text from activities where message like %s"
        for message, uuid in database.sql(statement, self.mark + "/%"):
            rows[message].append(uuid)
        return Audit(
            acknowledged=len(self.acknowledged),
            in_table=sum(uuid in rows[message] for message, uuid in self.acknowledged.items()),
            doubled=sum(len(uuids) > 1 for uuids in rows.values()),
        )


class Audit(collections.namedtuple("Audit", "acknowledged in_table doubled")):
    @property
    def lost(self):
        return self.acknowledged - self.in_table

    def check(self):
        assert self.acknowledged > 0
        assert (self.lost, self.doubled) == (0, 0)
