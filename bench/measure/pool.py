"""A pool of cruddurd that the bench itself starts, signals and ends, in the folder of one that bin/bench has made."""

import contextlib
import os
import signal
import subprocess
import time

import processes
from bench import fetch

DEADLINE_SECONDS = 20


def as_user(name, words):
    """The command line that runs words as that user, which only root can."""
    if os.geteuid() != 0:
        return words
    group = subprocess.run(["id", "--group", name], check=True, capture_output=True, text=True).stdout.strip()
    return ["setpriv", "--reuid", name, "--regid", group, "--init-groups", "--", *words]


def command_of(room):
    """The command line of the pool that bin/bench has started in that folder."""
    return processes.command_line(processes.server_pid(room, "cruddurd"))


def with_options(words, options):
    """{"log_level": "debug"} as --log-level debug, instead of a value that the words already have for the option."""
    words = list(words)
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if option in words:
            words[words.index(option) + 1] = str(value)
        else:
            words += [option, str(value)]
    return words


class Pool:
    """with Pool(bench, command, workers=1) as pool: …; launcher comes before the command line."""

    def __init__(self, bench, command, name="eight", launcher=(), **options):
        self.room = bench.dir / "pools" / name
        self.port = {"eight": bench.eight_port, "small": bench.small_port}[name]
        self.socket = bench.sockets / name / "web/cruddurd.sock"
        words = with_options(command, {"listen": f"unix:{self.socket}"} | options)
        self.command = [*launcher, *as_user(bench.web_user, words)]

    def __enter__(self):
        with open(self.room / "log/cruddurd.log", "a") as log:
            self.started_at = time.monotonic()
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        # bin/bench ends the process in this file, if this process cannot.
        (self.room / "pids/cruddurd").write_text(f"{self.process.pid}\n")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.end(signal.SIGTERM)

    def until_answer(self, path):
        """Milliseconds from the start of the pool to its first good answer."""
        eventually(lambda: fetch(f"http://127.0.0.1:{self.port}{path}")[0] == 200, f"an answer to {path}")
        return (time.monotonic() - self.started_at) * 1000

    def children(self):
        """The workers and helpers."""
        return processes.children(self.process.pid)

    def workers(self):
        return [pid for pid in self.children() if processes.name_of(pid) == "cruddur-worker"]

    def end(self, number):
        """Milliseconds from the signal to the end of all processes of the pool."""
        children = self.children()
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(DEADLINE_SECONDS)
        eventually(lambda: all(map(processes.has_ended, children)), "the end of the pool")
        return (time.monotonic() - start) * 1000


def eventually(condition, what):
    """Waits until the condition holds, and returns its value. Polls each millisecond."""
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not come within {DEADLINE_SECONDS} s")
        time.sleep(0.001)


@contextlib.contextmanager
def frozen(pids):
    """Within the block the processes are stopped."""
    try:
        signal_all(pids, signal.SIGSTOP)
        yield
    finally:
        signal_all(pids, signal.SIGCONT)


def signal_all(pids, number):
    """Sends a signal to each process. Some may have ended already."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@contextlib.contextmanager
def secret_file(bench, name, text):
    """Within the block there is a file that only the pools' user may read."""
    owner = (bench.dir / "secrets/app-url").stat()
    path = bench.dir / "secrets" / name
    path.unlink(missing_ok=True)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(text)
        yield path
    finally:
        path.unlink(missing_ok=True)
