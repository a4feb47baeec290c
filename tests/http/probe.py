"""Sends the same request again and again, and keeps the answers."""

import collections
import threading
import time

from waiting import eventually

Answer = collections.namedtuple("Answer", "asked came reply")  # when, monotonic


class Background(threading.Thread):
    """A thread that runs until its block ends: with …: run() ends once is_over is set."""

    def __init__(self):
        super().__init__()
        self.is_over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()


class Probe(Background):
    """with Probe(service, "/livez") as probe: … It asks until the block ends."""

    PAUSE = 0.01

    def __init__(self, service, target):
        super().__init__()
        self.service, self.target = service, target
        self.answers = []

    def run(self):
        while not self.is_over.wait(self.PAUSE):
            asked = time.monotonic()
            reply = self.service.get(self.target)
            self.answers.append(Answer(asked, time.monotonic(), reply))

    def asked_after(self, when):
        """The answers to requests that were sent after that time."""
        return [answer for answer in list(self.answers) if answer.asked > when]

    def wait_for(self, condition, what):
        """Waits for an answer for which the condition is true. Only requests that are sent from now on count."""
        now = time.monotonic()
        eventually(lambda: any(condition(answer.reply) for answer in self.asked_after(now)), what=f"{what} ({self.target})")

    def wait_for_more(self, count):
        """Waits until so many more answers have come."""
        goal = len(self.answers) + count
        eventually(lambda: len(self.answers) >= goal, what=f"{count} answers of {self.target}")

    def statuses(self):
        return {answer.reply.status for answer in list(self.answers)}
