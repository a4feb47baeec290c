"""From the start of cruddurd to its first answers, through nginx: one that needs no database, and home."""

import os
import pathlib
import signal
import statistics
import subprocess
import time

import processes
import settings
from bench import fetch

DEADLINE_SECONDS = 10


def command_of(bench):
    """The command line of the running pool, for the socket of the pool `eight`; as its user."""
    pid = processes.server_pid(bench.dir, "cruddurd")
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    ours, other = f"{bench.sockets}/web/", f"{bench.sockets}/eight/web/"
    words = [word.replace(ours, other) for word in words]
    if os.geteuid() != 0:
        return words
    group = subprocess.run(["id", "--group", bench.web_user], check=True, capture_output=True, text=True).stdout.strip()
    return ["setpriv", "--reuid", bench.web_user, "--regid", group, "--init-groups", "--", *words]


def until_answer(url, start):
    while fetch(url)[0] != 200:
        if time.monotonic() - start > DEADLINE_SECONDS:
            raise SystemExit("cruddurd does not answer after its start")
        time.sleep(0.001)
    return (time.monotonic() - start) * 1000


def start_once(bench, command):
    url = f"http://127.0.0.1:{bench.eight_port}"
    with open(bench.dir / "log/cold-start.log", "a") as log:
        start = time.monotonic()
        pool = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        return until_answer(f"{url}/livez", start), until_answer(url + settings.HOME_PATH, start)
    finally:
        pool.send_signal(signal.SIGTERM)
        pool.wait(DEADLINE_SECONDS)


def run(bench):
    command = command_of(bench)
    times = [start_once(bench, command) for _ in range(settings.COLD_STARTS)]
    for name, values in zip(("first answer without the database", "first answer"), zip(*times)):
        bench.record(f"start/{name}", statistics.median(values), list(values))
