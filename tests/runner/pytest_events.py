"""A pytest plugin that reports to bin/check how many tests there are, which one begins, how each ended, and what figures it recorded
(pytest's record_property).

CHECK_EVENTS names a pipe that takes a line of JSON for each event. Under pytest-xdist each worker reports its own tests. SIGUSR1
writes the stacks of all threads to CHECK_STACKS, SIGUSR2 the logs of the services that run.
"""

import faulthandler
import json
import os
import signal
import sys

NAME_LIMIT = 500  # a line must fit into PIPE_BUF (4096 bytes) to be written atomically


class Events:
    def __init__(self, path):
        self.pipe = os.open(path, os.O_WRONLY)
        self.outcomes = {}  # node id → outcome so far, seconds so far
        self.reasons = {}  # node id → why it is skipped

    def write(self, **event):
        os.write(self.pipe, json.dumps(event).encode() + b"\n")

    def pytest_collection_finish(self, session):
        self.write(kind="plan", count=len(session.items))

    def pytest_runtest_logstart(self, nodeid):
        self.outcomes[nodeid] = ("passed", 0)
        self.write(kind="begin", name=nodeid[:NAME_LIMIT], pid=os.getpid())

    def pytest_runtest_logreport(self, report):
        outcome, seconds = self.outcomes[report.nodeid]
        if report.failed or (report.skipped and outcome == "passed"):
            outcome = report.outcome
        self.outcomes[report.nodeid] = (outcome, seconds + report.duration)
        if report.skipped and isinstance(report.longrepr, tuple):
            self.reasons[report.nodeid] = report.longrepr[2].removeprefix("Skipped: ")
        if report.when == "call":
            for name, value in report.user_properties:
                self.write(kind="figure", text=f"{name}: {value}"[:NAME_LIMIT])

    def pytest_runtest_logfinish(self, nodeid):
        outcome, seconds = self.outcomes.pop(nodeid)
        reason = self.reasons.pop(nodeid, "")[:NAME_LIMIT]
        self.write(kind="end", name=nodeid[:NAME_LIMIT], outcome=outcome, seconds=round(seconds, 3), reason=reason)


def write_logs(*_):
    """Writes the logs of the services that run. A signal handler, so the main thread may be waiting for an answer."""
    services = sys.modules.get("service")
    with open(os.environ["CHECK_STACKS"], "a") as file:
        for live in services.LIVE if services else ():
            file.write(f"--- logs in {live.path}\n{live.logs()}")


def is_controller(config):
    """Whether pytest-xdist's workers run the tests, and this process only collects their reports."""
    return not hasattr(config, "workerinput") and bool(config.getoption("numprocesses", None))


def pytest_configure(config):
    faulthandler.register(signal.SIGUSR1, open(os.environ["CHECK_STACKS"], "a"), all_threads=True)
    signal.signal(signal.SIGUSR2, write_logs)
    if not is_controller(config):
        config.pluginmanager.register(Events(os.environ["CHECK_EVENTS"]))
