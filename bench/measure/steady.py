"""Latency at fixed rates, the constant reply beside reads and creates; a wait begins at the time at which a request was due."""

import re

import generators
import settings
from bench import fetch


def page_path(subject):
    _, headers, _ = fetch(f"http://127.0.0.1:{subject.port}{settings.HOME_PATH}")
    return re.search(r"<([^>]*)>", headers["Link"])[1]


def streams_of(bench, subject, load):
    pages = bench.request_file(f"page-{subject.name}")
    pages.write_text(page_path(subject) + "\n")
    files = {"page": pages}
    return [
        (name, rate, connections, "post" if name == "create" else "get", files.get(name, bench.request_file(name)))
        for name, rate, connections in settings.STEADY[load]
    ]


def record(bench, name, load, runs):
    for stream, *_ in settings.STEADY[load]:
        of_stream = [one[stream] for one in runs]
        invalid = generators.invalid_of(of_stream)
        for figure in ("p50", "p99", "worst"):
            values = [one[f"{figure}_us"] for one in of_stream]
            key = f"{figure}/{name}/{stream} at {load}"
            bench.record(key, generators.median_of(of_stream, f"{figure}_us"), values, invalid)


def run(bench):
    seconds = bench.seconds if bench.quick else min(settings.STEADY_SECONDS, 2 * bench.seconds)
    subjects = [subject for subject in bench.subjects() if subject.name in ("cruddurd", "blocking")]
    runs = {(subject.name, load): [] for load in settings.STEADY for subject in subjects}
    for _ in range(bench.rounds):
        for load in settings.STEADY:
            for subject in subjects:
                streams = streams_of(bench, subject, load)
                found = generators.pace(bench, subject.port, seconds, settings.HOME_PATH, streams)
                runs[subject.name, load].append(found)
    for (name, load), found in runs.items():
        record(bench, name, load, found)
    for load, streams in settings.STEADY.items():
        rates = ", ".join(f"{rate} {name}" for name, rate, _ in streams)
        bench.notes.append(f"Fixed rates per second, about {load} of the load: {rates}; {seconds} s a run, gaps exponential.")
