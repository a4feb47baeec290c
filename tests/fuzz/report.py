#!/usr/bin/python3
"""Writes the table of all targets: report.py FOLDER FILE TARGET…, from the counts and the coverage that `run --report` has left in the folder."""

import collections
import pathlib
import re
import sys

folder, targets = pathlib.Path(sys.argv[1]), sys.argv[3:]
HEAD = """\
# Fuzzing

What `tests/fuzz/run` and `tests/fuzz/worker.py` have executed so far, and what the inputs that they keep reach of the files of each target.
Written by `tests/fuzz/run --report`; [hacking.md](../hacking.md#fuzzing) has the rest.

"""


def executed():
    counts = collections.defaultdict(lambda: [0, 0])
    for line in (folder / "executions.tsv").read_text().splitlines():
        _, name, count, seconds = line.split("\t")
        counts[name] = [counts[name][0] + int(count), counts[name][1] + int(seconds)]
    return counts


def ranges(numbers):
    spans = []
    for number in sorted(numbers):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in spans)


def read(target):
    """{file: (number of lines that the target reaches, number of all, numbers of the others)}"""
    text = (folder / f"{target}.coverage").read_text()
    found = {name: (int(reached), int(lines), set()) for name, reached, lines in re.findall(r"^  (\S+\.c) +(\d+) of +(\d+) lines,", text, re.M)}
    for name, number in re.findall(r"^  src/(\S+\.c):(\d+):", text, re.M):
        found[name][2].add(int(number))
    return found


counts, reached = executed(), {target: read(target) for target in targets}
rows = ["| target | executions | minutes | inputs kept | lines reached |", "|---|---|---|---|---|"]
for target in [*targets, *sorted(counts.keys() - set(targets))]:
    files = reached.get(target, {})
    kept = len(list((folder / "corpus" / target).iterdir())) if files else ""
    lines = ", ".join(f"`{name}` {some} of {all_}" for name, (some, all_, _) in files.items())
    rows.append(f"| {target} | {counts[target][0]:,} | {counts[target][1] / 60:.0f} | {kept} | {lines} |")
missed = collections.defaultdict(list)
for files in reached.values():
    for name, (_, _, numbers) in files.items():
        missed[name].append(numbers)
lists = ["| file | lines that no target reaches |", "|---|---|"]
lists += [f"| `{name}` | {ranges(set.intersection(*several)) or 'none'} |" for name, several in sorted(missed.items())]
pathlib.Path(sys.argv[2]).write_text(HEAD + "\n".join(rows) + "\n\n" + "\n".join(lists) + "\n")
