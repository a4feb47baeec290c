"""Requests per second, the subjects in turn (A B C A B C …), the median of all rounds."""

import time

import generators
import settings


def connections_of(bench, subject, action):
    if subject.name != "cruddurd":
        return settings.CONNECTIONS[action]
    more = settings.CONNECTIONS_OF_CRUDDURD_QUICK if bench.quick else settings.CONNECTIONS_OF_CRUDDURD
    return tuple(sorted({*settings.CONNECTIONS[action], *more}))


def measure_once(bench, subject, action, connections):
    if subject.name == "pgbench":
        script = bench.dir / f"statements/{action}.pgbench"
        return generators.pgbench(bench, script, connections, bench.seconds)
    return generators.wrk(subject.url(action), bench.request_file(action), connections, bench.seconds)


def cells_of(bench, action):
    """(subject, connections), ordered so that those that are compared with each other run close together."""
    backends = settings.CREATE_BACKENDS if action == "create" else int((bench.dir / "backends").read_text())
    cells = []
    for subject in bench.subjects():
        if action in subject.actions:
            counts = (backends,) if subject.name == "pgbench" else connections_of(bench, subject, action)
            cells += [(subject, count) for count in counts]
    return sorted(cells, key=lambda cell: cell[1])


def clear_logs(bench):
    """Empties the logs, which would become large: they get a line for each request over many minutes."""
    for log in bench.dir.glob("**/log/cruddurd.log"):
        with open(log, "r+") as file:
            file.truncate(0)


def key_of(subject, action, connections):
    count = "" if subject.name == "pgbench" else f"/c{connections}"
    return f"{subject.name}/{action}{count}"


def record(bench, key, runs):
    invalid = generators.invalid_of(runs)
    bench.record(f"rate/{key}", generators.median_of(runs, "rate"), [run["rate"] for run in runs], invalid)
    if "p50_us" in runs[0]:
        for name in ("p50", "p99", "worst"):
            values = [run[f"{name}_us"] for run in runs]
            bench.record(f"{name}/{key}", generators.median_of(runs, f"{name}_us"), values, invalid)


def measure(bench, action, cells):
    runs = {cell: [] for cell in range(len(cells))}
    for turn in range(bench.rounds):
        for at in range(len(cells)):
            # Each round begins with another subject, so that no subject always follows the same one.
            cell = (at + turn) % len(cells)
            subject, connections = cells[cell]
            runs[cell].append(measure_once(bench, subject, action, connections))
            time.sleep(settings.PAUSE_SECONDS)
        clear_logs(bench)
    for cell, (subject, connections) in enumerate(cells):
        record(bench, key_of(subject, action, connections), runs[cell])


def reads(bench):
    for action in ("constant", "kept", "home", "show"):
        measure(bench, action, cells_of(bench, action))


def creates(bench):
    bench.sql("checkpoint")
    measure(bench, "create", cells_of(bench, "create"))
    bench.sql("vacuum (analyze) activities")
