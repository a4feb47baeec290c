"""The same question again and again: what came, when, and how long it took."""

import threading
import time

from waiting import Stopwatch


class Probe(threading.Thread):
    """with Probe(service, "/livez") as probe: … It asks until the block ends."""

    PAUSE = 0.01

    def __init__(self, service, target):
        super().__init__()
        self.service, self.target = service, target
        self.is_over = threading.Event()
        self.answers = []  # (when it came, seconds, reply)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()

    def run(self):
        while not self.is_over.wait(self.PAUSE):
            with Stopwatch() as watch:
                reply = self.service.get(self.target)
            self.answers.append((time.monotonic(), watch.seconds, reply))

    def slowest(self, share=1):
        """Seconds: no more than that for this share of the answers."""
        seconds = sorted(seconds for _, seconds, _ in self.answers)
        return seconds[min(len(seconds) - 1, int(len(seconds) * share))]

    def statuses(self):
        return {reply.status for _, _, reply in self.answers}
