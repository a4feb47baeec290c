"""Requests at fixed rates while something happens to the service, and the outcome of each."""

import signal
import time
from dataclasses import dataclass

import generators
import settings

LONGEST_SECONDS = 3600
MILLISECOND = 1000


@dataclass
class Answer:
    due: float  # seconds of the monotonic clock
    arrived: float
    status: int  # 0: the connection broke

    @property
    def wait(self):
        """Milliseconds from the time at which the request was due to its answer."""
        return (self.arrived - self.due) * MILLISECOND


def read(path):
    found = []
    for line in path.read_text().splitlines():
        due, wait, status = map(int, line.split())
        found.append(Answer(due / 1e6, (due + wait) / 1e6, status))
    return found


class Traffic:
    """with Traffic(bench, port, show=(rate, connections), …) as traffic: … It sends requests until the block ends.

    With the rate 0 a connection sends its next request when it has an answer. A stream's action is its name, or the third value if there is one.
    """

    def __init__(self, bench, port, **streams):
        folder = bench.dir / "traces"
        folder.mkdir(exist_ok=True)
        self.bench, self.port = bench, port
        self.traces = {name: folder / f"{port}-{name}" for name in streams}
        self.streams = []
        for name, (rate, connections, *action) in streams.items():
            action = action[0] if action else name
            kind = "post" if action == "create" else "get"
            self.streams.append((name, rate, connections, kind, bench.request_file(action), self.traces[name]))
        self.answers = {}  # by stream, once the block has ended
        self.figures = {}

    def __enter__(self):
        self.process = generators.start_pace(self.bench, self.port, LONGEST_SECONDS, settings.HOME_PATH, self.streams)
        return self

    def __exit__(self, failure, *_):
        if failure is not None:
            self.process.kill()
            self.process.communicate()
            return
        self.process.send_signal(signal.SIGINT)
        self.figures = generators.finish_pace(self.process)
        self.answers = {name: read(path) for name, path in self.traces.items()}

    def so_far(self, name):
        return read(self.traces[name])

    def all_of(self, *names):
        return [answer for name in names for answer in self.answers[name]]

    def until_normal(self, names, since, seconds):
        """Waits until these streams have been normal for NORMAL_SECONDS, or the time is over. Returns that moment."""
        while True:
            now = time.monotonic()
            last = max(last_odd(self.so_far(name), since) for name in names)
            if now - since > seconds or now - last > settings.NORMAL_SECONDS:
                return now
            time.sleep(0.1)

    def wrong(self, **allowed):
        """The errors that no fault excuses: answers that are neither 200 nor allowed for their stream, and requests without an answer."""
        found = []
        for name, answers in self.answers.items():
            strange = {answer.status for answer in answers} - {200, *allowed.get(name, ())}
            if strange:
                found.append(f"{name} answered with {', '.join(map(str, sorted(strange)))}")
            if self.figures[name]["unanswered"]:
                found.append(f"{name}: {self.figures[name]['unanswered']} requests without an answer")
        return ", ".join(found)


def worst(answers):
    return max(answer.wait for answer in answers)


def percentile(answers, share):
    waits = sorted(answer.wait for answer in answers)
    return waits[int((len(waits) - 1) * share)]


def first(answers, since):
    """The first answer that arrived after that moment; None: there is none."""
    return min((answer for answer in answers if answer.arrived >= since), key=lambda answer: answer.arrived, default=None)


def milliseconds_to_good(answers, since, until):
    """Milliseconds from that moment to the first good answer or, if none arrived, to the end of the traffic."""
    good = first([answer for answer in answers if answer.status == 200], since)
    return ((good.arrived if good else until) - since) * MILLISECOND


def last_odd(answers, since):
    """The arrival of the last refused or late answer after that moment, or that moment if there is none."""
    return max([since, *(answer.arrived for answer in answers if answer.status != 200 or answer.wait > settings.LATE_MS)])


def milliseconds_to_normal(answers, since, until):
    """Milliseconds from that moment to the first good answer after which none is refused or late."""
    last = last_odd(answers, since)
    return milliseconds_to_good(answers, last, until) + (last - since) * MILLISECOND
