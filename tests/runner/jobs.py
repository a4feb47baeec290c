"""A job: one command that runs tests, its process, and the results that its output has.

States: waiting → running → ended; a job that needs another one, of which no case passed, ends without a run. The scheduler starts jobs and reads
their output; a job owns its log file, its process and, for pytest, the pipe of events.
"""

import contextlib
import ctypes
import dataclasses
import importlib.util
import os
import pathlib
import shutil
import signal
import subprocess

from cases import Pytest, Reader

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
BATCH_NICE = 5  # nice(2): a third of the share of another job, so that the batch jobs progress even on a busy machine


@dataclasses.dataclass(eq=False)
class Job:
    stage: str
    name: str  # unique among all jobs
    command: list
    reader: Reader
    folder: pathlib.Path
    seconds: float = 1  # on a quiet machine with two cores; for the estimate of the time left
    priority: int = 0  # higher ones start first, then those that take longer
    slots: int = 1  # the number of processes that it keeps busy
    pool: str = "ordinary"  # the pool of its slots, see stages.SLOTS
    needs: tuple = ()  # names of the jobs whose results this one uses
    environment: dict = dataclasses.field(default_factory=dict)
    tools: tuple = ()  # programs; without one of these, of the modules or of the files the job is skipped
    modules: tuple = ()
    files: tuple = ()
    finish: object = None  # called with the job when its process has ended, before the reader's verdict

    process = None
    log = None
    events = None  # descriptor of pytest's pipe
    stacks = None  # the file that pytest's processes write their stacks and logs to
    began = ended = None  # monotonic
    state = "waiting"

    def missing_tools(self):
        return [
            *(tool for tool in self.tools if shutil.which(tool) is None),
            *(module for module in self.modules if importlib.util.find_spec(module) is None),
            *(file for file in self.files if not pathlib.Path(file).exists()),
        ]

    def start(self, logs):
        """Starts the command. Its output goes to logs/NAME.log, through the pipe process.stdout."""
        base = str(logs / self.name.replace("/", "-"))
        self.log = open(base + ".log", "ab")
        environment = os.environ | self.environment
        if isinstance(self.reader, Pytest):
            pipe, self.stacks = base + ".events", pathlib.Path(base + ".stacks")
            os.mkfifo(pipe)
            self.events = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # also opened for writing, so that the pipe never reports its end
            environment |= {"CHECK_EVENTS": pipe, "CHECK_STACKS": str(self.stacks)}
        self.process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=step_back if self.pool == "batch" else None,
        )
        self.state = "running"

    def close(self):
        self.process.stdout.close()
        if self.events is not None:
            os.close(self.events)
        self.log.close()
        self.state = "ended"

    def signal(self, number):
        """Sends the signal to the command's whole process group."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def work(self):
        """The job's usual time, in seconds of one process."""
        return self.seconds * self.slots

    def share_done(self):
        """The share of the job's cases that have ended, from 0 to 1."""
        if self.state == "ended":
            return 1
        return len(self.reader.ended) / self.reader.planned if self.reader.planned else 0


def step_back():
    """Lowers the priority of this process. If Linux shares the processors among sessions, the session's value counts (sched(7))."""
    os.nice(BATCH_NICE)
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/autogroup").write_text(str(BATCH_NICE))


def adopt_orphans():
    """Makes the processes that a job leaves behind children of this process, so that they can be found and ended."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans(kept):
    """Collects the exit statuses of ended children, until it meets one of those in kept, whose own code collects it."""
    while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and found.si_pid not in kept:
        os.waitpid(found.si_pid, 0)


def children_of(parents):
    """The process ids of all descendants of these, in the order of /proc."""
    parent_of = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parent_of[int(entry.name)] = int(fields[1])
    found = []
    wanted = set(parents)
    while more := [pid for pid, parent in parent_of.items() if parent in wanted and pid not in wanted]:
        found += more
        wanted |= set(more)
    return found


def end_orphans():
    """Kills the processes that the jobs left behind, and returns their command lines."""
    left = []
    for pid in children_of([os.getpid()]):
        try:
            left.append(pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip())
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
    return left
