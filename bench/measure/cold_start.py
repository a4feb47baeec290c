"""The time from the start of cruddurd to its first answers, through nginx: to one that needs no database, and to home."""

import statistics

import settings
from pool import Pool, command_of


def start_once(bench, command):
    with Pool(bench, command) as pool:
        return pool.until_answer("/livez"), pool.until_answer(settings.HOME_PATH)


def run(bench):
    command = command_of(bench.dir)
    times = [start_once(bench, command) for _ in range(settings.COLD_STARTS)]
    for name, values in zip(("first answer without the database", "first answer"), zip(*times)):
        bench.record(f"start/{name}", statistics.median(values), list(values))
