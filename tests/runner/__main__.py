"""bin/check runs this when the packages are installed and the sources are ready: all tests, a line of totals, an exit status.

    python3 tests/runner --work DIR [--quick] [--slowest N] [NAME…]

DIR has src, the sources with a configure script, and log; it is removed at the end.

Exit status: 0 all passed; 1 a test failed, or was not run, or was skipped with CI=true in the environment; 2 a wrong NAME;
128 + N ended by signal N.
"""

import argparse
import os
import pathlib
import shutil
import sys

import scheduler
from jobs import end_orphans
from names import resolve
from progress import Progress
from stages import ALL, SLOTS, Stages

QUICK = ("lint", "unit", "http", "scripts")


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--slowest", type=int, default=0)
    parser.add_argument("--resolve", action="store_true", help="only see whether the names are good")
    parser.add_argument("names", nargs="*")
    return parser.parse_args()


def jobs_for(arguments):
    stages = Stages(arguments.work)
    wanted = resolve(arguments.names) or dict.fromkeys(QUICK if arguments.quick else ALL)
    jobs = {}
    for stage, tests in wanted.items():
        for job in stages.jobs_of(stage, tests, arguments.quick):
            jobs.setdefault(job.name, job)
    return list(jobs.values())


def verdict(progress, jobs, interrupted):
    """Prints what was not run, and the processes that were left behind, which it kills. Returns the exit status."""
    missing = progress.not_run()
    for line in missing:
        progress.say(line)
    left = end_orphans()
    for command in left:
        progress.say(f"still running at the end, now killed: {command}")
    skips = sum(job.reader.count("skipped") for job in jobs)
    is_ci = os.environ.get("CI") == "true"
    if is_ci and skips:
        progress.say("in CI a skip is a failure")
    if interrupted:
        return 128 + interrupted
    failed = any(job.reader.count("failed") for job in jobs) or bool(missing) or (is_ci and skips > 0)
    return 1 if failed else 0


def main():
    arguments = parse()
    try:
        resolve(arguments.names)
    except ValueError as error:
        print(f"check: {error}", file=sys.stderr)
        return 2
    if arguments.resolve:
        return 0
    logs = arguments.work / "log"
    (arguments.work / "shared").mkdir(exist_ok=True)
    jobs = jobs_for(arguments)
    progress = Progress(jobs)
    interrupted = scheduler.run(jobs, SLOTS, logs, progress)
    for line in progress.slowest(arguments.slowest):
        progress.say(line)
    status = verdict(progress, jobs, interrupted)
    if status == 1:
        kept = arguments.work.with_name(arguments.work.name + ".log")
        logs.rename(kept)
        progress.say(f"the logs are in {kept}")
    shutil.rmtree(arguments.work, ignore_errors=True)
    progress.say(progress.totals(jobs))
    return status


sys.exit(main())
