"""A cruddurd under test, and the check that it ended as it should."""

import collections
import contextlib
import os
import pathlib
import signal
import subprocess

from log import Log
from places import CRUDDURD, clean_environment
from waiting import PATIENCE, eventually


def options_of(settings):
    """{"log_level": "debug"} as --log-level debug; a setting that is None is left out."""
    return [
        word
        for name, value in settings.items()
        if value is not None
        for word in ("--" + name.replace("_", "-"), str(value))
    ]


def run_once(*arguments, stdin="", environment=None, **more):
    """Runs cruddurd to its end."""
    return subprocess.run(
        [CRUDDURD, *map(str, arguments)],
        env=clean_environment() | (environment or {}),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        **more,
    )


Process = collections.namedtuple("Process", "pid name")


def process_of(pid):
    """A process's id and name from the kernel; None if it is gone or a zombie (proc(5), /proc/pid/stat)."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            name, _, rest = file.read().decode().partition("(")[2].rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Process(pid, name) if not rest.startswith(" Z") else None


def is_alive(pid):
    return process_of(pid) is not None


def members_of(session):
    """The ids of a session's living processes. getsid(2) costs a tenth of reading /proc, and there are hundreds of processes."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(ValueError, ProcessLookupError):
            if os.getsid(int(name)) == session:
                found.append(int(name))
    return [pid for pid in found if is_alive(pid)]


def children_of(pid):
    """The living children of a process with one thread, from the kernel's list (proc(5), /proc/pid/task/tid/children)."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb", buffering=0) as file:
            children = [process_of(int(child)) for child in file.readall().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [child for child in children if child is not None]


def sockets_of(pid):
    """The kernel's names of the sockets that the process has open."""
    names = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.add(os.readlink(entry))
    return {name for name in names if name.startswith("socket:")}


class Daemon:
    def __init__(self, folder, command, environment=None, pass_fds=()):
        """Starts the daemon in a session of its own, so that processes that it leaves behind can be found."""
        self.log = Log(folder / "cruddurd.log")
        with self.log.path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=clean_environment() | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=pass_fds,
            )

    @property
    def pid(self):
        return self.process.pid

    def workers(self):
        """The process ids of the workers that have begun."""
        return sorted(process.pid for process in self.children() if process.name == "cruddur-worker")

    def watchers(self):
        """The process ids of the watchers, which poll for writes from elsewhere: one or none."""
        return [process.pid for process in self.children() if process.name == "cruddur-watch"]

    def children(self):
        return children_of(self.pid)

    def signal(self, number):
        self.process.send_signal(number)

    def wait_for_message(self, text, count=1, seconds=PATIENCE):
        """Waits until the log has the text so many times."""
        eventually(lambda: self.log.text.count(text) >= count, seconds, f"{count} × {text!r} in the log")

    def reload(self):
        """Sends HUP and waits until all workers are replaced."""
        before = self.log.text.count("HUP: all workers replaced")
        self.signal(signal.SIGHUP)
        self.wait_for_message("HUP: all workers replaced", before + 1)

    def wait(self, seconds=PATIENCE):
        return self.process.wait(seconds)

    def left_behind(self):
        """The living processes of its session, except itself."""
        return [pid for pid in members_of(self.pid) if pid != self.pid]

    def stop(self):
        """Sends TERM if it still runs. Then no process may be left, and no sanitizer may have reported anything."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            status = self.wait()
            assert status == 0, f"cruddurd ended with status {status}"
        self.check_clean()

    def check_clean(self):
        eventually(lambda: not self.left_behind(), what="no process left behind")
        report = self.log.sanitizer_report()
        assert report is None, report

    def kill(self):
        """Kills the daemon and every process that it left behind."""
        if self.process.poll() is None:
            self.process.kill()
        for pid in self.left_behind():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
