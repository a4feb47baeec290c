#!/usr/bin/python3
"""Measures whether a list costs the same over a million activities as over a thousand: p50 and p99 through nginx, see bench/README.md."""

import argparse
import collections
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests/http"), str(HERE / "measure")]

import generators  # noqa: E402
from cluster import Cluster, Database  # noqa: E402
from issuer import TokenService  # noqa: E402
from places import CRUDDURD, clean_environment, postgres_program  # noqa: E402

LEAST_ROWS = 1000
# With these nothing is read from disk, no vacuum disturbs a run, and the server counts the pages that it reads.
SETTINGS = "shared_buffers = 1GB\nmax_wal_size = 4GB\nautovacuum = off\nshared_preload_libraries = 'pg_stat_statements'\n"
# For one request of the last run: the sum over its statements of the pages of 8 kB that one execution reads, and of the shortest times in ms.
PER_REQUEST = """
    with run as (
        select calls, shared_blks_hit + shared_blks_read as pages, min_exec_time, max(calls) over () as most
        from pg_stat_statements
        where userid = 'cruddur'::regrole and dbid = (select oid from pg_database where datname = current_database())
    )
    select sum(pages::float / calls), sum(min_exec_time) from run where calls > most / 2"""
SIZES = """
    select relname, reltuples::bigint, round(pg_total_relation_size(oid) / reltuples)::integer
    from pg_class
    where relkind = 'r' and relnamespace = 'public'::regnamespace and reltuples >= 1000
    order by pg_total_relation_size(oid) desc"""
SUBJECTS = [f"subject{number}" for number in range(1, 11)]  # see lists.sql
THREAD = "dc127f5d-2483-352f-d20e-addb38feb6d2"

# bound: the largest allowed ratio of the p99 over most rows to that over few. paths: the lists that are requested. callers: the users
# that request them, in turn; None is no user. page: the number of the page, from 0.
List = collections.namedtuple("List", "name bound paths callers page", defaults=([None], 0))

LISTS = (
    List("home", 1.3, ["/api/activities/home?limit=20"]),
    List("home, page 11", 1.3, ["/api/activities/home?limit=20"], page=10),
    List("following 1000", 1.3, ["/api/activities/following?limit=20"], SUBJECTS),
    List("following 1000, page 2", 1.3, ["/api/activities/following?limit=20"], SUBJECTS, page=1),
    List("notifications", 1.3, ["/api/activities/notifications?limit=20"], SUBJECTS),
    List("notifications, page 3", 1.3, ["/api/activities/notifications?limit=20"], SUBJECTS, page=2),
    List("unread", 1.3, ["/api/activities/notifications/unread"], SUBJECTS),
    List("user", 1.3, [f"/api/activities/@{subject}?limit=20" for subject in SUBJECTS]),
    List("user, to a user", 1.3, [f"/api/activities/@{subject}?limit=20" for subject in SUBJECTS], SUBJECTS),
    List("activity, 50 replies", 1.3, ["/api/activities/{thread}"]),
    List("activity, 50 replies, to a user", 1.3, ["/api/activities/{thread}"], SUBJECTS),
    List("search, a word of most", 3, ["/api/activities/search?term=words&limit=20"]),
    List("search, a prefix of most", 3, ["/api/activities/search?term=wor&limit=20"]),
    List("search, a tag of one in twenty", 3, ["/api/activities/search?term=%23cruddur&limit=20"]),
    List("search, a handle", 3, [f"/api/activities/search?term=@{subject}&limit=20" for subject in SUBJECTS]),
    List("search, a word of a few", 3, [f"/api/activities/search?term=number+{number}" for number in range(101, 200, 2)]),
    List("trends", 1.3, ["/api/trends"]),
    List("suggested, to one who follows 1000", 1.3, ["/api/users/suggested"], SUBJECTS),
    List("growth", 1.3, ["/api/metrics/growth?tz=Asia/Kathmandu"]),
)


def arguments():
    parser = argparse.ArgumentParser(
        description="Runs a private PostgreSQL, and cruddurd behind nginx over each of two databases: of 1000 activities and of "
        "--rows, both with 10,000 people. Asks for each list in turn, one request at a time, and says how long answers take, how many "
        "pages the server looked at for each, and how long that took it at least. Then the bytes that a row of each table takes.",
        epilog="The environment variable CRUDDURD names the program; otherwise it is the one of this source tree.",
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="activities, as many likes (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (%(default)s)")
    parser.add_argument("--seconds", type=int, default=4, help="for each list, database and round (%(default)s)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="lists whose name begins so")
    given = parser.parse_args()
    if not os.access(CRUDDURD, os.X_OK):
        parser.error(f"there is no {CRUDDURD}: run make, or say where it is by CRUDDURD")
    if given.rows < LEAST_ROWS or given.rounds < 1 or given.seconds < 1:
        parser.error(f"--rows is at least {LEAST_ROWS}, --rounds and --seconds at least 1")
    given.lists = [each for each in LISTS if given.only is None or each.name.startswith(tuple(given.only))]
    if not given.lists:
        parser.error("no list has such a name")
    return given


def load(cluster, rows):
    database = Database(cluster)
    print(f"loading {rows} activities", file=sys.stderr)
    command = [postgres_program("psql"), "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-v", f"rows={rows}"]
    environment = clean_environment(PGHOST=str(cluster.sockets), PGUSER="postgres", PGDATABASE=database.name)
    subprocess.run([*command, "--file", str(HERE / "lists.sql")], env=environment, check=True)
    return database


def target(service, path, caller, page):
    """The target of that page of the list. The page must exist and be full; it may have fewer rows, as an activity can stand for two events."""
    for _ in range(page):
        path = service.ask_as(caller, "GET", path).next_page
    reply = service.ask_as(caller, "GET", path)
    body = reply.json
    rows = body["activities"] if "activities" in body else body
    limit = re.search(r"limit=(\d+)", path)
    if reply.status != 200 or (limit and not 0.75 * int(limit[1]) <= len(rows) <= int(limit[1])):
        sys.exit(f"lists: {path} answers {reply}")
    return path


class Side:
    """A service with one of the databases, and a file of requests for each list."""

    def __init__(self, stack, cluster, rows, lists, folder):
        # Home's first page is not cached, since a request that does not read the database would measure nothing.
        settings = {"log_level": "warning", "feed_watch": 0}
        self.service = stack.enter_context(TokenService(cluster, database=load(cluster, rows), **settings))
        self.url = f"http://127.0.0.1:{self.service.port}"
        self.service.database.run("create extension pg_stat_statements")
        self.files = {}
        for each in lists:
            self.files[each.name] = folder / f"{rows} {each.name}"
            self.files[each.name].write_text("".join(self.requests(each)))

    def requests(self, each):
        for caller in each.callers:
            for path in each.paths:
                path = target(self.service, path.format(thread=THREAD), caller, each.page)
                yield path + (f" {self.service.token(caller)}" if caller else "") + "\n"

    def measure(self, each, seconds):
        self.service.database.run("select pg_stat_statements_reset()")
        found = generators.wrk(self.url, self.files[each.name], 1, seconds)
        if found["errors"]:
            sys.exit(f"lists: {each.name}: {found['errors']}")
        ((found["pages"], found["least_ms"]),) = self.service.database.run(PER_REQUEST)
        return found


def median(runs, figure):
    return statistics.median(run[figure] for run in runs) / 1000


def ratios(few, many):
    """The ratios of two figures that do not depend on the load of the machine: the pages, and the shortest time of all runs."""
    pages = [statistics.median(run["pages"] for run in side) for side in (few, many)]
    least = [min(run["least_ms"] for run in side) for side in (few, many)]
    yield from (f"{pages[0]:.0f}", f"{pages[1]:.0f}", f"{pages[1] / pages[0]:.2f}×")
    yield from (f"{least[0]:.2f}", f"{least[1]:.2f}", f"{least[1] / least[0]:.2f}×")


def report(lists, runs, rows):
    heads = [f"{what}, {count}" for what in ("p50", "p99") for count in (LEAST_ROWS, rows)] + ["p99 is", "at most", ""]
    heads += [f"pages, {LEAST_ROWS}", f"pages, {rows}", "are", f"least ms, {LEAST_ROWS}", f"least ms, {rows}", "is"]
    print("| ms | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    for each in lists:
        few, many = runs[each.name]
        ratio = median(many, "p99_us") / median(few, "p99_us")
        figures = [f"{median(side, figure):.2f}" for figure in ("p50_us", "p99_us") for side in (few, many)]
        figures += [f"{ratio:.2f}×", f"{each.bound}×", "" if ratio <= each.bound else "**more**"]
        print(f"| {each.name} | " + " | ".join([*figures, *ratios(few, many)]) + " |")


def report_sizes(database):
    print("\n| table | rows | bytes of a row with its part of the indexes |\n|---|---|---|")
    for name, rows, size in database.run(SIZES):
        print(f"| {name} | {rows} | {size} |")


def main():
    given = arguments()
    runs = {each.name: ([], []) for each in given.lists}
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(Cluster(settings=SETTINGS))
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sides = [Side(stack, cluster, rows, given.lists, folder) for rows in (LEAST_ROWS, given.rows)]
        for number in range(given.rounds):
            for each in given.lists:
                # Each side is first in every other round, so that changes of the machine's load affect both alike.
                for side, found in list(zip(sides, runs[each.name]))[:: (1, -1)[number % 2]]:
                    found.append(side.measure(each, given.seconds))
                    time.sleep(0.1)
        report(given.lists, runs, given.rows)
        report_sizes(sides[1].service.database)


if __name__ == "__main__":
    main()
