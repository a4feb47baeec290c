"""Runs phases of the bench one after the other; bin/bench calls it."""

import functools
import signal
import sys

import agreement
import cold_start
import fairness
import faults
import freshness
import memory
import pages
import prepare
import report
import settings
import steady
import throughput
import tuning
from bench import Bench, parse

PHASES = {
    "requests": prepare.write_requests,
    "prepare": prepare.run,
    "agreement": agreement.run,
    "fairness": fairness.run,
    "reads": throughput.reads,
    "pages": pages.run,
    "creates": throughput.creates,
    "freshness": freshness.run,
    "steady": steady.run,
    "footprint": memory.footprint,
    "cold_start": cold_start.run,
    "growth": memory.growth,
    "faults": faults.run,
    "faults_report": report.run_faults,
    "report": report.run,
    **{f"tune_{group}": functools.partial(tuning.run, group=group) for group in settings.TUNING},
    "tuned": tuning.report,
}

signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that everything that was started is ended
arguments = parse()
for phase in arguments.phases:
    bench = Bench(arguments)
    PHASES[phase](bench)
    bench.save(phase)
