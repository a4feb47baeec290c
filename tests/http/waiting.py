"""Waiting for something, with a deadline.

No verdict depends on how fast the machine is. PATIENCE bounds how long a test waits for an event that must occur. It is so long that
only an event that never occurs exceeds it, and shorter than the ten minutes after which bin/check reports a test that hangs.
"""

import time

PATIENCE = 300  # s
PAUSE = 0.02
LIVES = (1, 4, 16, 64)  # s, lifetimes of things that must be seen before they end; the next one is tried if the machine was too slow


def eventually(condition, seconds=PATIENCE, what="it"):
    """Calls condition until its result is true, and returns the result."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {seconds} s (last: {found!r})")
        time.sleep(PAUSE)


def never(condition, seconds, what="it"):
    """Checks that condition stays false for so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        assert not found, f"{what} came true: {found!r}"
        time.sleep(PAUSE)


class Stopwatch:
    """with Stopwatch() as watch: …; watch.seconds"""

    def __enter__(self):
        self.start = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = self.elapsed()

    def elapsed(self):
        return time.monotonic() - self.start
