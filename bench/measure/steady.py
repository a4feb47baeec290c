"""Latency at fixed rates, the constant reply beside reads and creates; waits count from when a request was due."""

import re

import generators
import settings
from bench import fetch


def page_path(subject):
    _, headers, _ = fetch(f"http://127.0.0.1:{subject.port}{settings.HOME_PATH}")
    return re.search(r"<([^>]*)>", headers["Link"])[1]


def streams_of(bench, subject):
    pages = bench.request_file(f"page-{subject.name}")
    pages.write_text(page_path(subject) + "\n")
    files = {"page": pages}
    return [
        (name, rate, connections, "post" if name == "create" else "get", files.get(name, bench.request_file(name)))
        for name, rate, connections in settings.STEADY
    ]


def run(bench):
    seconds = min(settings.STEADY_SECONDS, 3 * bench.seconds)
    subjects = [subject for subject in bench.subjects() if subject.name in ("cruddurd", "blocking")]
    runs = {subject.name: [] for subject in subjects}
    for _ in range(bench.rounds):
        for subject in subjects:
            streams = streams_of(bench, subject)
            runs[subject.name].append(generators.pace(bench, subject.port, seconds, settings.HOME_PATH, streams))
    for name, found in runs.items():
        for stream, *_ in settings.STEADY:
            of_stream = [one[stream] for one in found]
            invalid = generators.invalid_of(of_stream)
            for figure in ("p50", "p99", "worst"):
                values = [one[f"{figure}_us"] for one in of_stream]
                bench.record(f"{figure}/{name}/{stream}", generators.median_of(of_stream, f"{figure}_us"), values, invalid)
    rates = ", ".join(f"{rate} {name}" for name, rate, _ in settings.STEADY)
    bench.notes.append(f"Fixed rates per second: {rates}; {seconds} s a run, gaps exponential.")
