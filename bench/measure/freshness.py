"""A cached home under load beside writes: its speed, and that no answer lacks a create that was acknowledged before."""

import generators
import settings


def beside(bench, writes):
    """wrk on home, and four writers at a time, each of which reads home after each of its creates."""
    ours = bench.subject("cruddurd")
    seconds = 2 * bench.seconds
    reading = generators.start_wrk(ours.url("kept"), bench.request_file("kept"), 32, seconds)
    stream = ("writes", writes, settings.FRESHNESS_WRITERS, "fresh", bench.request_file("create"))
    writing = generators.pace(bench, ours.port_of("kept"), seconds, settings.HOME_PATH, [stream])["writes"]
    figures = generators.finish_wrk(reading)
    figures["errors"] = ", ".join(part for part in (figures["errors"], writing["errors"]) if part)
    figures["rate"] += writing["looks"] / seconds  # the writers' reads are answered with the cached page, too
    figures["stale"] = writing["stale"]
    figures["writes"] = writing["answers"]
    return figures


def run(bench):
    runs = {writes: [] for writes in settings.WRITES_PER_SECOND}
    for _ in range(bench.rounds):
        for writes in runs:
            runs[writes].append(beside(bench, writes))
    stale, wrong, looked = 0, [], 0
    for writes, found in runs.items():
        invalid = generators.invalid_of(found)
        key = f"cruddurd/kept at {writes} writes/c32"
        bench.record(f"rate/{key}", generators.median_of(found, "rate"), [one["rate"] for one in found], invalid)
        bench.record(f"p99/{key}", generators.median_of(found, "p99_us"), [one["p99_us"] for one in found], invalid)
        stale += sum(one["stale"] for one in found)
        looked += sum(one["writes"] for one in found)
        wrong += [invalid] if invalid else []
    bench.record("stale/cruddurd", stale, invalid="; ".join(wrong) or None)
    bench.notes.append(f"Freshness: after each of {looked} creates four readers asked for home at once.")
