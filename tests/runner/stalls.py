"""Reports on a test that does not end: its name, the processes under it, their stacks, its services' logs."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

from cases import Pytest
from jobs import children_of

PAUSE = 2  # s without a change of the file, after which a Python process has written its stacks and logs
PATIENCE = 60  # s in which it must have done so
STACK_LIMIT = 12  # processes whose native stacks are shown
LINES = 150  # of stacks, and of the log


def report(job):
    """The report, as lines for people."""
    lines = [f"{case} has run for {time.monotonic() - began:.0f} s" for case, (began, _) in job.reader.running.items()]
    lines = lines or [f"{job.name} has had no result for {time.monotonic() - job.reader.last_progress:.0f} s"]
    family = [job.process.pid, *children_of([job.process.pid])]
    lines += ["processes (id, state, kernel function, command):", *map(describe, family)]
    if isinstance(job.reader, Pytest):
        lines += python_stacks(job)
    lines += native_stacks(family)
    return lines + [f"end of {job.log.name}:", *tail(pathlib.Path(job.log.name))]


def describe(pid):
    try:
        folder = pathlib.Path(f"/proc/{pid}")
        command = (folder / "cmdline").read_text().replace("\0", " ")[:200]
        state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        return f"  {pid} {state} {(folder / 'wchan').read_text() or '-'} {command}"
    except OSError:
        return f"  {pid} has ended"


def python_stacks(job):
    for pid in {pid for _, pid in job.reader.running.values()}:
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
    wait_for(job.stacks)
    return ["stacks of the test's threads and logs of its services:", *tail(job.stacks)]


def wait_for(path):
    """Waits until the file has some text and stops growing, at most PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    size = -1
    while time.monotonic() < end and (size <= 0 or size != path.stat().st_size):
        size = path.stat().st_size if path.exists() else 0
        time.sleep(PAUSE)


def native_stacks(family):
    """The stacks of processes that are neither Python nor a shell, by elfutils."""
    if shutil.which("eu-stack") is None:
        return ["no native stacks: elfutils is missing"]
    lines = []
    for pid in [pid for pid in family if is_native(pid)][:STACK_LIMIT]:
        found = subprocess.run(["timeout", "20", "eu-stack", "-p", str(pid)], capture_output=True, text=True, errors="replace")
        lines += [f"stack of {describe(pid).strip()}:", *found.stdout.splitlines()[:LINES]]
    return lines


def is_native(pid):
    try:
        program = pathlib.Path(os.readlink(f"/proc/{pid}/exe")).name
    except OSError:
        return False
    return not program.startswith(("python", "bash", "dash"))


def tail(path):
    text = path.read_text(errors="replace") if path.exists() else ""
    return [f"  {line}" for line in text.splitlines()[-LINES:]]
