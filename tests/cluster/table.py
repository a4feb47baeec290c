"""The table of a campaign's results, beside its file of JSON lines."""

import datetime
import json
import math

from witness import BACK_BOUND

# Earlier measurements of the same cluster without the service, (p50, budget of the p99), in s.
KNOWN = {
    "switchover": (3.5, 5), "kill-primary": (3.5, 6), "kill-node": (17, 20), "kill-standby": (0.7, 2), "split": (19, 23), "split-crash": (19, 23),
    "freeze": (19, 23), "cut-link": (19, 23), "kill-patroni": (19, 23), "etcd-loss": (0, 1), "etcd-quorum": (0, 1),
}  # fmt: skip
HEAD = """\
# Failovers under load

What `bin/cluster soak` has measured: three PostgreSQL 15 under Patroni 3.0 with three etcd, synchronous and strict, two hosts with nginx and
`cruddurd`, all on one machine in network namespaces of their own ([infra/ha](../../infra/ha/README.md)). Beside each fault three writers make every kind of
write at both hosts, and read again from the other host what was acknowledged. A read that misses it is stale, unless it may miss it: a
standby's for a second (`--replica-lag`), or while there is no primary, when it says so itself. Afterwards their ledgers are compared with the
database.

The outage is the longest time between two acknowledged writes of any of the three. *Database* is the same of commits that are sent to the
nodes directly; *back* is how much later than the database the service acknowledges again, which is to be {bound} ms at most; a database that commits for less
than that between two outages was not back. *Before* are
the figures of earlier measurements of the same cluster without the service, p50 and the budget of the p99. Seconds.

"""


def rows_of(results):
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def has_moved(row):
    """Whether another node is the primary; only then the time until it was back counts."""
    return row["from"] != row["to"]


def percentile(values, share):
    """The percentile by the nearest-rank method."""
    values = sorted(values)
    return values[max(0, math.ceil(share * len(values)) - 1)]


def pair(rows, key):
    values = [row[key] for row in rows]
    return f"{percentile(values, 0.5):.2f} / {percentile(values, 0.99):.2f}"


def line(fault, rows):
    known, moved = KNOWN.get(fault), [row for row in rows if has_moved(row)]
    sums = [sum(row[key] for row in rows) for key in ("acknowledged", "failed", "reads", "stale", "lost", "doubled", "beats_doubled")]
    cells = [fault, len(rows), pair(rows, "outage_s"), pair(rows, "database_outage_s"), pair(moved, "back_s") if moved else "", f"{known[0]} / {known[1]}" if known else "", *sums]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def availability(rows):
    """Lines about the visits, and about the growth of processes that lasted over several rows. Uses only rows of faults with pauses between them."""
    groups = {}
    for row in rows:
        if row.get("pause_s") and "visits" in row:
            groups.setdefault((row.get("standbys_read", False), row["pause_s"]), []).append(row)
    said = [visits_of(groups[key], *key) for key in sorted(groups)]
    ages = grown([row for group in groups.values() for row in group])
    if ages:
        least, most = min(ages, key=lambda age: age[1]), max(ages, key=lambda age: age[1])
        said.append(
            f"Of cruddurd's processes {len(ages)} lasted for {min(age[0] for age in ages) / 60:.0f} to {max(age[0] for age in ages) / 60:.0f} minutes. "
            f"Meanwhile their memory (VmRSS) changed by {least[1]} to {most[1]} kB, their descriptors by {min(age[2] for age in ages)} to {max(age[2] for age in ages)}."
        )
    return said


def visits_of(rows, standbys_read, pause):
    visits, unserved, seconds = (sum(row[key] for row in rows) for key in ("visits", "unserved", "visited_s"))
    faults, stale = sum("outage_s" in row for row in rows), sum(row.get("served_stale", 0) for row in rows)
    how = "standbys ran reads, also while there was no primary" if standbys_read else "only the primary ran reads"
    told = f"{unserved} of them got no answer or a 5xx"
    told += f", and {stale} one that said that it was stale" if stale else ""
    cost = f"; a fault cost as many visits as come in {seconds * unserved / visits / faults:.1f} s" if faults else ""
    return (
        f"Visitors, where {how}: {visits} in {seconds / 3600:.1f} hours, with {faults} faults, {pause:.0f} s apart; {told}. "
        f"So {100 * (1 - unserved / visits):.3f} % were served{cost}."
    )


def grown(rows):
    """[(seconds, kB, descriptors)]: each process's growth from the second row that has it, when it has warmed up, to the last one."""
    samples = {}
    for row in rows:
        at = datetime.datetime.fromisoformat(row["time"]).timestamp()
        for host, processes in row["processes"].items():
            for pid, values in processes.items():
                samples.setdefault((row["lap"], host, pid), []).append((at, *values))
    return [tuple(last - first for first, last in zip(found[1], found[-1])) for found in samples.values() if len(found) > 2]


def text(rows):
    trials = [row for row in rows if "outage_s" in row]
    columns = ("fault", "trials", "outage p50 / p99", "database", "back", "before", "acknowledged", "sent again", "reads", "stale", "lost", "doubled", "witness doubled")
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for fault in sorted({row["fault"] for row in trials}):
        lines.append(line(fault, [row for row in trials if row["fault"] == fault]))
    moved = [row for row in trials if has_moved(row)]
    late = [row for row in moved if row["back_s"] > BACK_BOUND]
    later = [row for row in rows if row["fault"] == "lap"]
    broken = [row for row in rows if "broken" in row]
    homes = [row["home_max_s"] for row in trials if row.get("home_max_s") is not None]
    said = [
        f"{len(trials)} trials, {len(moved)} failovers; {sum(row['acknowledged'] for row in trials)} writes acknowledged, "
        f"{sum(row['lost'] for row in rows if 'lost' in row)} lost, {sum(row['doubled'] for row in rows if 'doubled' in row)} doubled; "
        f"{sum(row['reads'] for row in trials)} reads, {sum(row['stale'] for row in trials)} stale; {sum(row['problems'] for row in trials)} problems of any kind, "
        f"{len(later)} found at a lap's end.",
        f"{len(late)} of the failovers were back more than {BACK_BOUND * 1000:.0f} ms after the database. {len(broken)} trials did not come to their end.",
    ]
    if homes:
        said.append(f"The other host's home had a new post after {max(homes):.2f} s at most (p50 of the trials' longest {percentile(homes, 0.5):.2f} s).")
    said += availability(rows)
    said += [f"About the {row['fault']} at {row['time']}: {row['remark']}." for row in rows if "remark" in row]
    first, last = min(row["time"] for row in trials), max(row["time"] for row in trials)
    said.append(f"From {first} to {last}. The rows are in ha.jsonl.")
    return HEAD.format(bound=int(BACK_BOUND * 1000)) + "\n".join(lines) + "\n\n" + "\n".join(said) + "\n"


def write(results):
    """Writes the table beside the results. Returns its path, or None if there are no trials."""
    rows = rows_of(results)
    if not any("outage_s" in row for row in rows):
        return None
    path = results.with_suffix(".md")
    path.write_text(text(rows))
    return path
