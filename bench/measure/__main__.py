"""Runs phases of the bench one after the other; bin/bench calls it."""

import agreement
import cold_start
import fairness
import freshness
import memory
import pages
import prepare
import report
import steady
import throughput
from bench import Bench, parse

PHASES = {
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
    "report": report.run,
}

arguments = parse()
for phase in arguments.phases:
    bench = Bench(arguments)
    PHASES[phase](bench)
    bench.save(phase)
