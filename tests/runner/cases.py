"""Reads the results of test cases from a job's output: one reader for each kind of test program.

A reader gets the lines that its job prints. It keeps the cases that are under way, the cases that have ended, and the monotonic time
of the last progress, in seconds.
"""

import collections
import json
import re
import time

Case = collections.namedtuple("Case", "name outcome seconds")
OUTCOMES = ("passed", "failed", "skipped")


class Reader:
    """The base class of all readers. It reads no results itself."""

    def __init__(self):
        self.planned = None  # cases in all, as soon as they are known
        self.running = {}  # name → (monotonic time of its start, process id or None)
        self.ended = []  # Case
        self.figures = []  # lines of text: measurements of tests, without a verdict
        self.skips = []  # lines of text: the skipped cases, with the reason if it is known
        self.last_progress = time.monotonic()

    def start(self):
        """Called when the job has been started."""
        self.last_progress = time.monotonic()

    def begin(self, name, pid=None):
        self.running[name] = (time.monotonic(), pid)
        self.last_progress = time.monotonic()

    def end(self, name, outcome, seconds=None, reason=""):
        began, _ = self.running.pop(name, (time.monotonic(), None))
        self.last_progress = time.monotonic()
        self.ended.append(Case(name, outcome, time.monotonic() - began if seconds is None else seconds))
        if outcome == "skipped":
            self.skips.append(f"{name}: {reason}" if reason else name)

    def count(self, outcome):
        return sum(case.outcome == outcome for case in self.ended)

    def not_run(self):
        """The number of cases that were planned and have no outcome."""
        return max(0, (self.planned or 0) - len(self.ended))

    def read(self, line):
        """Called with each line of the job's output."""

    def finish(self, status):
        """Called with the exit status when the job has ended. A job that failed without a failed case gets one, its end."""
        if status != 0 and not self.count("failed"):
            self.end("its end", "failed")


class Whole(Reader):
    """One command that is one case. Each line that it prints is progress."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.planned = 1

    def start(self):
        self.begin(self.name)

    def read(self, line):
        self.last_progress = time.monotonic()

    def finish(self, status):
        self.end(self.name, "passed" if status == 0 else "failed")


class Bats(Reader):
    """The stream that bats sends to a formatter: TAP, and a line where a case begins."""

    RESULT = re.compile(r"(not )?ok \d+ (.*?)(?: in (\d+)ms)?( # skip ?(.*))?$")

    def read(self, line):
        if match := re.match(r"1\.\.(\d+)$", line):
            self.planned = int(match[1])
        elif match := re.match(r"begin \d+ (.*)$", line):
            self.begin(match[1])
        elif match := self.RESULT.match(line):
            failed, name, milliseconds, skipped, reason = match.groups()
            outcome = "failed" if failed else "skipped" if skipped else "passed"
            self.end(name, outcome, milliseconds and int(milliseconds) / 1000, reason)


class Cmocka(Reader):
    """cmocka's standard output."""

    LINE = re.compile(r"\[ +(RUN|OK|FAILED|SKIPPED|ERROR) +\] (?:(?:\w+: )?(\d+) test\(s\)|(\w+))")
    OUTCOME = {"OK": "passed", "FAILED": "failed", "ERROR": "failed", "SKIPPED": "skipped"}

    def read(self, line):
        match = self.LINE.search(line)
        if re.match(r"\[=+\].*: Running (\d+) test", line):
            self.planned = int(re.search(r"Running (\d+) test", line)[1])
        elif match is None or match[3] is None:
            return
        elif match[1] == "RUN":
            self.begin(match[3])
        elif match[3] in self.running:
            self.end(match[3], self.OUTCOME[match[1]])


class Pytest(Reader):
    """The events that pytest_events.py writes, a line of JSON each."""

    def read_event(self, line):
        event = json.loads(line)
        if event["kind"] == "plan":
            self.planned = event["count"]
        elif event["kind"] == "begin":
            self.begin(event["name"], event["pid"])
        elif event["kind"] == "figure":
            self.figures.append(event["text"])
        else:
            self.end(event["name"], event["outcome"], event["seconds"], event["reason"])
