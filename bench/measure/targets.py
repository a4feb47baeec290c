"""Compares the measures with the targets of ../targets.tsv."""

import pathlib
from dataclasses import dataclass

import settings

TABLE = pathlib.Path(__file__).resolve().parent.parent / "targets.tsv"


@dataclass
class Verdict:
    target: str
    sense: str  # least or most
    bound: float
    unit: str
    value: float | None
    state: str  # met, not met, not measured, invalid
    why: str  # by how much the target is missed, or why there is no value


def rows():
    for line in TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def absent(key, measures, left_out):
    """(state, reason) of a measure that has no value."""
    if "missing" in measures.get(key, {}):
        return measures[key]["state"], measures[key]["missing"]
    parts = key.split("/")
    subject = parts[1] if len(parts) > 1 else ""
    return "not measured", f"{subject}: {left_out[subject]}" if subject in left_out else "not part of this run"


def compare(value, sense, bound):
    """Whether the value is within the bound, and if not, by how much it misses it."""
    if (value >= bound) if sense == "least" else (value <= bound):
        return True, ""
    if bound == 0:
        return False, f"{value:g} too many"
    away = abs(value - bound) / bound * 100
    share = f"{away:.0f} %" if away >= 1 else "less than 1 %"
    return False, f"{share} {'short' if sense == 'least' else 'over'}"


def excuse(measure, against, value, sense, bound):
    """(state, further words) of a value that misses its bound, considering the load of the machine meanwhile."""
    stall, busy = measure.get("stall"), measure.get("busy")
    if against == "-" and stall is not None and compare(value - stall, sense, bound)[0]:
        return "not measured", f", and the machine may account for it: /livez of the calm pool took up to {stall:.0f} ms"
    if busy is not None and busy > settings.BUSY_SHARE:
        return "not met", f", while others kept {busy * 100:.0f} % of the machine busy"
    return "not met", ""


def judge(row, measures, left_out):
    target, measure, against, sense, bound, unit = row
    bound = float(bound)
    keys = [measure] if against == "-" else [measure, against]
    for key in keys:
        if measures.get(key, {}).get("value") is None:
            state, why = absent(key, measures, left_out)
            return Verdict(target, sense, bound, unit, None, state, why)
    value = measures[measure]["value"]
    if against != "-":
        base = measures[against]["value"]
        value = value / base if base else 0.0
    wrong = "; ".join(f"{key}: {measures[key]['invalid']}" for key in keys if measures[key]["invalid"])
    if wrong:
        return Verdict(target, sense, bound, unit, value, "invalid", wrong)
    holds, why = compare(value, sense, bound)
    state = "met" if holds else "not met"
    if not holds:
        state, machine = excuse(measures[measure], against, value, sense, bound)
        why += machine
    return Verdict(target, sense, bound, unit, value, state, why)


def judge_all(measures, left_out, of=None):
    """of: the measures whose targets are wanted; None: all."""
    return [judge(row, measures, left_out) for row in rows() if of is None or row[1] in of]
