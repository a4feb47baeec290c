"""Compares cruddurd with other settings of cruddurd, nginx and PostgreSQL: bin/bench --tune."""

import json

import report as tables
import settings
import throughput


def plan(bench, group):
    """[(action, connections), …]; for a quick bench only the fewest connections of each action."""
    for action, counts in settings.TUNING[group].items():
        yield from ((action, count) for count in (counts[:1] if bench.quick else counts))


def run(bench, group):
    for action, count in plan(bench, group):
        throughput.measure(bench, action, [(subject, count) for subject in bench.subjects()])


def row(measures, name, columns):
    found = [(measures[f"rate/{name}/{column}"], measures[f"p99/{name}/{column}"]) for column in columns]
    cells = [
        f"{tables.number(rate['value'])} ({tables.number(p99['value'] / 1000)})" + (" †" if rate["invalid"] else "")
        for rate, p99 in found
    ]
    return [name, *cells]


def table(bench, measures, group):
    columns = [f"{action}/c{count}" for action, count in plan(bench, group)]
    names = [key.split("/")[1] for key in measures if key.startswith("rate/") and key.endswith(f"/{columns[0]}")]
    head = [group, *(column.replace("/", ", ") for column in columns)]
    return tables.table(head, [row(measures, name, columns) for name in names])


def invalid_lines(measures):
    for key, found in measures.items():
        if found["invalid"] and key.startswith("rate/"):
            yield f"- † {key.removeprefix('rate/')}: {found['invalid']}"


def report(bench):
    facts = tables.circumstances(bench)
    lines = [f"# Settings compared, {facts['date']}, {facts['host']}", ""]
    lines += [", ".join(f"{key} {value}" for key, value in list(facts.items())[2:]) + ".", ""]
    lines += ["Requests per second and, in brackets, p99 in ms; medians, the variants by turns.", ""]
    for group in settings.TUNING:
        path = bench.dir / f"phases/tune_{group}.json"
        if not path.exists():
            continue
        measures = json.loads(path.read_text())["measures"]
        lines += [*table(bench, measures, group), "", *invalid_lines(measures), ""]
    path = bench.results / f"{facts['date']}-{facts['host']}-tuning.md"
    path.write_text("\n".join(lines).strip() + "\n")
    print(path.read_text())
