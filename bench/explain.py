#!/usr/bin/python3
"""Measures what PostgreSQL does for each statement of the service, over tables of several sizes; see doc/sql.md."""

import argparse
import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/http"))

from cluster import Cluster, Database  # noqa: E402
from places import CRUDDURD, SQL  # noqa: E402
from plans import Explainer, cases, load, statements, table  # noqa: E402

LEAST_ROWS = 1000
SETTINGS = "shared_buffers = 1GB\nmax_wal_size = 4GB\n"  # nothing is read from disk


def arguments():
    parser = argparse.ArgumentParser(
        description="Runs every statement as cruddurd prepares it, in a private PostgreSQL over activities most of which have "
        "expired: says how many pages of 8 kB it looks at, how many ms it takes, and by which indexes it goes (over most rows).",
        epilog="The environment variable CRUDDURD names the program; otherwise it is the one of this source tree.",
    )
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[1000, 30_000, 1_000_000], help="activities, for each size (%(default)s)"
    )
    parser.add_argument("--runs", type=int, default=30, help="of each case, whose median the ms are (%(default)s)")
    parser.add_argument("--plans", action="store_true", help="the plans over most rows, too")
    parser.add_argument("--only", nargs="+", metavar="STATEMENT", default=[], help="such as activities/home")
    parser.add_argument("--worst", action="store_true", help="one line for each statement: the case that takes longest over most rows")
    parser.add_argument("--table", action="store_true", help="only what each statement does, from the head of its template")
    parser.add_argument("--sql-dir", type=pathlib.Path, default=SQL, help="a copy of sql/, to compare what is changed in it")
    parser.add_argument("--after", metavar="SQL", help="to run once the rows are there, such as 'drop index …'")
    given = parser.parse_args()
    if given.table:
        return given
    if not os.access(CRUDDURD, os.X_OK):
        parser.error(f"there is no {CRUDDURD}: run make, or say where it is by CRUDDURD")
    if given.runs < 1:
        parser.error("--runs is at least 1")
    if min(given.rows) < LEAST_ROWS:
        parser.error(f"--rows is at least {LEAST_ROWS}")
    return given


def measure(database, runs, wanted=(), sql_dir=SQL):
    """{(statement, case): (plan, milliseconds)}"""
    prepared = statements(database, sql_dir)
    unknown = set(wanted) - set(prepared)
    if unknown:
        sys.exit(f"explain: no such statement: {' '.join(sorted(unknown))}")
    found = {}
    with Explainer(database, sql_dir) as explainer:
        for name, what, values in cases(database):
            if not wanted or name in wanted:
                run = (name, prepared[name], values)
                found[name, what] = (explainer.explain(*run), explainer.milliseconds(*run, runs))
    return found


def line(name, what, pages, ms):
    return f"{name:<25}{what:<43}" + "".join(f"{count:>9}" for count in pages) + "".join(f"{time:>9}" for time in ms)


def report_worst(rows, found):
    print(f"| statement, over {rows[-1]} rows | what is asked | pages | ms |", "|---|---|---|---|", sep="\n")
    worst = {}
    for (name, what), (plan, ms) in found[-1].items():
        if ms > worst.get(name, (None, None, 0))[2]:
            worst[name] = (what, plan, ms)
    for name, (what, plan, ms) in worst.items():
        print(f"| `{name}` | {what} | {plan.buffers} | {ms:.3f} |")


def report(rows, found, with_plans):
    print(line("", "", ["pages"] + [""] * (len(rows) - 1), ["ms"] + [""] * (len(rows) - 1)).rstrip())
    print(line("statement", "what is asked", rows, rows))
    for key, (plan, _) in found[-1].items():
        results = [of_size[key] for of_size in found]
        print(line(*key, [plan.buffers for plan, _ in results], [f"{ms:.3f}" for _, ms in results]))
        print("    " + (", ".join(plan.path) or "nothing"))
        if with_plans:
            print("", *plan.text.splitlines(), "", sep="\n        ")


def main():
    given = arguments()
    if given.table:
        print(table(given.sql_dir), end="")
        return
    with Cluster(settings=SETTINGS) as cluster:
        found = []
        for rows in given.rows:
            database = Database(cluster)
            load(database, users=max(200, rows // 50), activities=rows)
            if given.after:
                database.sql(given.after)
            found.append(measure(database, given.runs, given.only, given.sql_dir.resolve()))
        if given.worst:
            report_worst(given.rows, found)
        else:
            report(given.rows, found, given.plans)


if __name__ == "__main__":
    main()
