"""The results: a JSON file with every run, a Markdown file with the tables, two SVG files with plots."""

import dataclasses
import datetime
import json
import os
import platform
import re
import subprocess

import plot
import settings
import targets

NAMES = {
    "cruddurd": "cruddurd",
    "blocking": "our own blocking worker",
    "nginx": "nginx",
    "pgbench": "pgbench, no HTTP",
    "flask": "Flask, gunicorn, psycopg",
    "node": "Node ×2, fastify, pg",
    "php": "PHP-FPM ×4",
    "go": "Go, net/http, pgx",
    "kore": "kore",
}
WHAT = {
    "constant": "the constant reply",
    "kept": "home, kept (nginx: a file)",
    "home": "home from the database",
    "show": "one activity",
    "create": "create",
}


def collect(bench):
    """All measures, also invalid ones, and all notes of the earlier phases."""
    measures, notes = {}, []
    for path in sorted((bench.dir / "phases").glob("*.json"), key=lambda path: path.stat().st_mtime):
        phase = json.loads(path.read_text())
        measures.update(phase["measures"])
        notes += phase["notes"]
    return measures, notes


def derive(measures, left_out):
    """Adds measures that are computed from others: the worst tail."""
    tails = {}
    for action in settings.ACTIONS:
        key = f"cruddurd/{action}/c64"
        if f"p99/{key}" in measures:
            tails[action] = measures[f"p99/{key}"]["value"] / max(measures[f"p50/{key}"]["value"], 1)
    if tails:
        worst = max(tails, key=tails.get)
        invalid = measures[f"p99/cruddurd/{worst}/c64"]["invalid"]
        measures["tail/cruddurd/c64"] = {"value": tails[worst], "runs": list(tails.values()), "invalid": invalid}


def said_by(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def version_of(text):
    found = re.search(r"\d+(\.\d+)+", text)
    return found[0] if found else "?"


def commit():
    here = os.path.dirname(os.path.abspath(__file__))
    command = ["git", "-c", "safe.directory=*", "-C", here]
    done = subprocess.run([*command, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True)
    if done.returncode != 0:
        return "no commit"
    changed = subprocess.run([*command, "status", "--porcelain"], capture_output=True, text=True).stdout
    return done.stdout.strip() + (" with changes" if changed.strip() else "")


def host_kind():
    return f"{os.cpu_count()}-core-{platform.machine()}"


def circumstances(bench):
    return {
        "date": datetime.date.today().isoformat(),
        "host": host_kind(),
        "kernel": platform.release().split("-")[0],
        "commit": commit(),
        "PostgreSQL": version_of(bench.sql("show server_version")),
        "nginx": version_of(said_by("/usr/sbin/nginx", "-v")),
        "wrk": version_of(said_by("wrk", "--version")),
        "activities": bench.rows,
        "rounds": bench.rounds,
        "seconds a run": bench.seconds,
        "log level of cruddurd": bench.log_level,
    }


def number(value):
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def target_rows(verdicts):
    for verdict in verdicts:
        unit = "" if verdict.unit == "ratio" else f" {verdict.unit}"
        wanted = f"{'at least' if verdict.sense == 'least' else 'at most'} {verdict.bound:g}{unit}"
        state = f"**{verdict.state}**" + (f", {verdict.why}" if verdict.why else "")
        yield [verdict.target, wanted, number(verdict.value) + (unit if verdict.value is not None else ""), state]


def cell(measures, key):
    found = measures.get(key)
    if found is None or found["value"] is None:
        return ""
    return number(found["value"]) + (" †" if found["invalid"] else "")


def rates(measures, action):
    """The table of the rates of an action: a row for each subject, a column for each number of connections."""
    pattern = re.compile(rf"^rate/([^/]+)/{action}(?:/(c\d+))?$")
    found = [match for match in map(pattern.match, measures) if match]
    counts = sorted({match[2] for match in found if match[2]}, key=lambda count: int(count[1:]))
    rows = []
    for name in NAMES:
        if any(match[1] == name for match in found):
            cells = [cell(measures, f"rate/{name}/{action}/{count}") for count in counts]
            rows.append([NAMES[name], *cells, cell(measures, f"rate/{name}/{action}")])
    has_direct = any(row[-1] for row in rows)
    head = ["", *counts, "direct"]
    return table(head if has_direct else head[:-1], rows if has_direct else [row[:-1] for row in rows])


def latencies(measures):
    rows = []
    for action in settings.ACTIONS:
        for count in settings.CONNECTIONS_OF_CRUDDURD:
            key = f"cruddurd/{action}/c{count}"
            if f"p50/{key}" in measures:
                cells = [cell(measures, f"{figure}/{key}") for figure in ("p50", "p99", "worst")]
                rows.append([WHAT[action], f"c{count}", *cells])
    return table(["", "connections", "p50", "p99", "worst"], rows)


def steady_rows(measures):
    rows = []
    for load, streams in settings.STEADY.items():
        for name in ("cruddurd", "blocking"):
            for stream, rate, _ in streams:
                key = f"{name}/{stream} at {load}"
                if f"p50/{key}" in measures:
                    cells = [cell(measures, f"{figure}/{key}") for figure in ("p50", "p99", "worst")]
                    rows.append([NAMES[name], f"{stream}, {rate}/s", *cells])
    return table(["", "", "p50", "p99", "worst"], rows)


def other_rows(measures):
    rows = []
    for key, found in measures.items():
        kind = key.split("/")[0]
        unit = {"memory": "KB" if "growth" in key else "MB", "start": "ms", "fairness": "", "starved": ""}.get(kind)
        if unit is not None:
            label = key.replace("fairness/", "fewest answers of a connection against the mean, ")
            label = label.replace("starved/", "connections without an answer, ").replace("/", ", ")
            rows.append([label, f"{cell(measures, key)} {unit}".strip()])
    return table(["", ""], rows)


def fault_rows(measures):
    """The table of the faults, all in milliseconds."""
    rows = []
    for key, found in measures.items():
        if key.startswith("fault/") and found["value"] is not None:
            spread = [cell(measures, key), number(min(found["runs"])), number(max(found["runs"])), str(len(found["runs"]))]
            rows.append([key.removeprefix("fault/").replace("/", ": "), *spread, number(found.get("stall"))])
    return table(["", "median", "least", "most", "rounds", "calm pool"], rows)


def invalid_lines(measures):
    invalid = {key: found["invalid"] for key, found in measures.items() if found["invalid"]}
    if not invalid:
        return []
    lines = [f"- {key}: {reason}" for key, reason in sorted(invalid.items())]
    return ["", "## † Invalid: not every answer was a good one", "", *lines]


def document(bench, facts, measures, notes, verdicts):
    lines = [f"# Bench, {facts['date']}, {facts['host']}", ""]
    lines += [", ".join(f"{key} {value}" for key, value in list(facts.items())[2:]) + ".", "", "## Targets", ""]
    lines += table(["what", "wanted", "measured", ""], target_rows(verdicts))
    for action in settings.ACTIONS:
        lines += ["", f"## Requests per second: {WHAT[action]}", "", *rates(measures, action)]
    lines += ["", "## Waits of cruddurd at full speed, µs", "", *latencies(measures)]
    lines += ["", "## Waits at fixed rates, µs", "", *steady_rows(measures)]
    lines += ["", "## Memory, start, fairness", "", *other_rows(measures)]
    lines += ["", "## When something fails, ms", "", *fault_rows(measures), "", "## Notes", ""]
    lines += [f"- {note}" for note in notes]
    lines += [f"- Left out: {NAMES[name]} ({reason})." for name, reason in bench.left_out().items()]
    return "\n".join([*lines, *invalid_lines(measures)]) + "\n"


def fault_document(facts, measures, notes, verdicts):
    lines = [f"# Faults, {facts['date']}, {facts['host']}", ""]
    lines += [", ".join(f"{key} {value}" for key, value in list(facts.items())[2:]) + ".", "", "## Targets", ""]
    lines += table(["what", "wanted", "measured", ""], target_rows(verdicts))
    lines += ["", "## When something fails, ms", "", *fault_rows(measures), "", "## Notes", ""]
    return "\n".join([*lines, *(f"- {note}" for note in notes), *invalid_lines(measures)]) + "\n"


def write(bench, name, text, facts, measures, notes, verdicts):
    path = bench.results / (name + ("-quick" if bench.quick else ""))
    everything = {
        "circumstances": facts,
        "targets": [dataclasses.asdict(verdict) for verdict in verdicts],
        "measures": measures,
        "left_out": bench.left_out(),
        "notes": notes,
    }
    path.with_suffix(".json").write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n")
    path.with_suffix(".md").write_text(text)
    print(text)
    counts = {state: sum(verdict.state == state for verdict in verdicts) for state in ("met", "not met", "not measured", "invalid")}
    print(", ".join(f"{count} {state}" for state, count in counts.items()), f"of {len(verdicts)} targets. {path}.md")
    return path


def run_faults(bench):
    """The report of a run of the faults alone, with only their targets."""
    measures, notes = collect(bench)
    facts = circumstances(bench)
    del facts["rounds"], facts["seconds a run"], facts["wrk"]
    verdicts = targets.judge_all(measures, {}, of=set(measures))
    text = fault_document(facts, measures, notes, verdicts)
    write(bench, f"{facts['date']}-{facts['host']}-faults", text, facts, measures, notes, verdicts)


def run(bench):
    measures, notes = collect(bench)
    left_out = bench.left_out()
    derive(measures, left_out)
    facts = circumstances(bench)
    facts["workers of cruddurd"] = (bench.dir / "backends").read_text().strip()
    verdicts = targets.judge_all(measures, left_out)
    text = document(bench, facts, measures, notes, verdicts)
    path = write(bench, f"{facts['date']}-{facts['host']}", text, facts, measures, notes, verdicts)
    for name, plotted in (("rates", plot.rates(measures, NAMES, WHAT)), ("waits", plot.waits(measures, NAMES))):
        path.with_name(f"{path.name}-{name}.svg").write_text(plotted)
