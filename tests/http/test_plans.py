"""No statement's cost grows with the tables. The cost is what the statement reads, with 200,000 activities, most of which have expired."""

import collections
import os
import re
import subprocess

import pytest

from cluster import Database
from places import CRUDDURD, TOP
from plans import Explainer, cases, load, statements, table

DOC = (TOP / "doc/sql.md").read_text()

# A page of 200 reads up to 1000 rows, and 200 authors by an index of three levels.
MOST_BUFFERS = 2500
MOST_ROWS = 2000
# For up to a thousand followed users each one's newest five posts and reposts are looked up, if the newest posts of all are others' or have
# expired, as here, where nothing expired was ever purged.
MOST_FOLLOWING = (40_000, 12_000)
# A search for a word that is frequent, but rare among the newest posts, reads some thousand rows. Growth counts what came in the last hour:
# the activities by two indexes, and the users, all of whom are that new here. It also sums up a row for each quarter of an hour of 400
# days, once for the total and once for the days. (PostgreSQL 18 counts a few rows more.)
# A delete, and a keep for longer, change up to 50 replies, too, each of which is written to all indexes of activities. A step of the purge
# removes 200 activities.
# Behind a walk over 1000 notifications by a hidden user each of them has been looked up.
# social/following_since reads the rows of all users since an answer, to find those of the followed users. Home reads up to 5000 rows.
TIMES = {
    "activities/home": 3,
    "activities/search": 3, "metrics/growth": 36, "activities/delete": 5, "activities/keep": 5, "metrics/step": 8, "social/following_since": 2,
    "social/notifications": 4, "social/unread": 4,
}
# These statements stop at the first of several bounds; which one it is depends on the number of rows.
BOUNDED = {"social/following", "activities/search", "users/timeline"}
SMALL = {"growth_closed", "purge_progress", "visibility", "unsettled_threads", "pg_authid", "pg_database", "applied_migrations"}  # of a few rows


# Posts that expire over the next hours, so that the page of the last ten minutes before expiry is never empty. The other rows may leave it
# empty.
ENDING = """
insert into activities (user_uuid, message, created_at, expires_at)
select md5('user 1')::uuid, 'Ending', at, at + interval '30 days'
from generate_series(1, 100) n
cross join lateral (select now() - interval '30 days' + n * interval '5 minutes' as at) moment"""


@pytest.fixture(scope="module")
def database(cluster):
    database = Database(cluster)
    load(database, users=5000, activities=200_000, is_indexed_at_once=True)
    database.run(ENDING)
    yield database
    database.remove()


@pytest.fixture(scope="module")
def prepared(database):
    return statements(database)


def test_every_statement_is_tried(database, prepared):
    assert {name for name, *_ in cases(database)} == set(prepared)


def test_what_is_read(database, prepared):
    """Explains each statement in one session, as a worker's, with the plan for any parameters. No plan may call a function that is a
    part of statements."""
    parts = {
        name
        for name, in database.sql(
            """select proname from pg_proc
               where pronamespace = 'public'::regnamespace and proretset and prolang = (select oid from pg_language where lanname = 'sql')
                   and obj_description(oid, 'pg_proc') is null"""
        )
    }
    assert {"caller", "card", "marks"} <= parts
    too_much = []
    with Explainer(database) as explainer:
        for name, what, values in cases(database):
            plan = explainer.explain(name, prepared[name], values)
            most_buffers, most_rows = MOST_FOLLOWING if name == "social/following" else (MOST_BUFFERS, MOST_ROWS)
            times = TIMES.get(name, 1)
            if plan.buffers > most_buffers * times or plan.most_rows > most_rows * times or set(plan.seq_scans) - SMALL:
                too_much.append(f"{name}, {what}: {plan.buffers} buffers, {plan.most_rows} rows\n{plan.text}")
            assert not parts & set(re.findall(r"Function Scan on (\w+)", plan.text)), (name, what)
    assert not too_much, "\n".join(too_much)


def test_plans_are_made_once(database):
    """Plans for each set of values could be better or worse than these, and planning costs time."""
    with Explainer(database) as explainer:
        explainer.cursor.execute("show plan_cache_mode")
        assert explainer.cursor.fetchone() == ("force_generic_plan",)


def indexes(path):
    """The indexes in a line such as "activities_home_idx 58, users_pkey 1 × 50"; a line may have none."""
    return set(re.findall(r"\w+_(?:idx|key|pkey)\b", path))


def test_the_doc_has_every_statement_with_its_indexes(database, prepared):
    lines = DOC.splitlines()
    listed = collections.defaultdict(set)
    with Explainer(database) as explainer:
        for name, what, _ in cases(database):
            start = f"{name:<25}{what} "
            (at,) = [number for number, line in enumerate(lines) if line.startswith(start)]
            listed[name, what] = indexes(lines[at + 1])
            listed[name] |= listed[name, what]
        for name, what, values in cases(database):
            found = indexes(", ".join(explainer.explain(name, prepared[name], values).path))
            assert found <= listed[name] if name in BOUNDED else found == listed[name, what], (name, what, found)
        assert set(prepared) <= set(re.findall(r"\| `(\w+/\w+)` \|", DOC))


def test_the_doc_s_table_is_that_of_the_templates():
    assert f"\n\n{table()}\n" in DOC


def test_the_doc_s_commands(tmp_path):
    """The commands run, here over fewer rows and with each case once."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOC, re.M | re.S)
    assert blocks
    for block in blocks:
        script = re.sub(r"bench/explain.py( --rows [\d ]*\d)?", "bench/explain.py --rows 1000 --runs 1", block)
        run = subprocess.run(
            ["bash", "-euc", script],
            cwd=TOP, env=os.environ | {"CRUDDURD": CRUDDURD, "TMPDIR": str(tmp_path)}, capture_output=True, encoding="utf-8",
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        assert re.search(r"\bactivities/home\b.*\d\.\d{3}\b", run.stdout), run.stdout
