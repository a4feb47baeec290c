"""The load generators: wrk, pace, pgbench. Each returns a dictionary whose "errors" describes what was wrong; "" if nothing was."""

import json
import math
import pathlib
import re
import signal
import statistics
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ENOUGH_SECONDS = 5  # for an answer, on the slowest machine

WRONG = (
    ("bad_status", "answers without 2xx"),
    ("connect", "failed connects"),
    ("read", "failed reads"),
    ("write", "failed writes"),
    ("timeout", "time-outs"),
    ("broken", "broken connections"),
    ("unanswered", "requests without an answer"),
)


def errors_of(figures):
    return ", ".join(f"{figures[key]} {words}" for key, words in WRONG if figures.get(key))


def catches_interrupts(process):
    """Whether a process catches SIGINT; true also for a process that is gone."""
    try:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return True
    return bool(int(re.search(r"^SigCgt:\s*([0-9a-f]+)", status, re.MULTILINE)[1], 16) >> signal.SIGINT - 1 & 1)


def interrupt_after(process, seconds):
    """Interrupts wrk, which itself takes only whole seconds. It prints its figures at an interrupt, if it already catches that."""
    while not catches_interrupts(process):
        time.sleep(0.005)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)


def start_wrk(url, requests, connections, seconds):
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{math.ceil(seconds)}s"]
    command += ["--script", str(HERE.parent / "wrk.lua"), url, "--", str(requests)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if seconds != int(seconds):
        threading.Thread(target=interrupt_after, args=(process, seconds)).start()
    return process


def finish_wrk(process):
    output, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit("wrk failed")
    figures = json.loads(output.strip().splitlines()[-1])
    figures["rate"] = figures["requests"] / figures["duration_us"] * 1e6
    figures["errors"] = errors_of(figures) if figures["requests"] else "no answer at all"
    return figures


def wrk(url, requests, connections, seconds):
    """A run of wrk. If it had no answer, it may have been too short for a busy machine; longer ones follow, up to ENOUGH_SECONDS."""
    figures = finish_wrk(start_wrk(url, requests, connections, seconds))
    while not figures["requests"] and seconds < ENOUGH_SECONDS:
        seconds = min(max(1, seconds * 4), ENOUGH_SECONDS)
        figures = finish_wrk(start_wrk(url, requests, connections, seconds))
    return figures


def start_pace(bench, port, seconds, home, streams):
    """streams: (name, rate or 0, connections, kind, file of requests)"""
    command = [str(bench.dir / "build/bench/pace/pace"), str(port), str(seconds), home]
    command += [",".join(str(part) for part in stream) for stream in streams]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish_pace(process):
    output, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit("pace failed")
    found = {}
    for figures in json.loads(output):
        figures["errors"] = errors_of(figures) if figures["answers"] else "no answer at all"
        found[figures["name"]] = figures
    return found


def pace(bench, port, seconds, home, streams):
    return finish_pace(start_pace(bench, port, seconds, home, streams))


def pgbench(bench, script, backends, seconds):
    settings = {"none": "none", "limit": "20", "rows": bench.rows, "ttl": "1 day", "message": "finally the release works " * 2}
    command = [str(bench.pgbench), "--no-vacuum", "--protocol", "prepared", "--client", str(backends), "--jobs", "1"]
    command += ["--time", str(math.ceil(seconds)), "--file", str(script)]
    for name, value in settings.items():
        command += ["--define", f"{name}={value}"]
    url = (bench.dir / "secrets/app-url").read_text().strip()
    done = subprocess.run([*command, url], capture_output=True, text=True)
    rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    if done.returncode != 0 or rate is None:
        return {"rate": 0.0, "errors": f"pgbench failed: {done.stderr.strip().splitlines()[-1]}"}
    failed = int(re.search(r"failed transactions: (\d+)", done.stdout)[1])
    return {"rate": float(rate[1]), "errors": f"{failed} failed transactions" if failed else ""}


def median_of(runs, key):
    return statistics.median(run[key] for run in runs)


def invalid_of(runs):
    """The reason why the runs of a measure cannot count; None: they count."""
    wrong = [f"run {number}: {run['errors']}" for number, run in enumerate(runs, 1) if run["errors"]]
    return "; ".join(wrong) or None
