"""The statements of bench/lists.sql, which write all rows at once, write the same as the triggers if the rows are inserted one by one."""

import json
import subprocess

import pytest

from cluster import Database
from places import TOP, clean_environment, postgres_program
from waiting import eventually

ROWS = 1000
INSERTED = ("users", "activities", "likes", "reposts", "follows")  # in this order if the times are equal; triggers write the other tables
WRITTEN = {"search", "tags", "folded_handle"}  # columns of these tables that triggers write
RANDOM = {"activities": "written_by", "notifications": "uuid"}  # columns with a random value, or the number of a transaction
ONE_BY_ONE = """
begin;
set constraints all immediate;
do $$
declare
    event record;
begin
    for event in select * from events order by at, number loop
        execute format('insert into %1$I select * from jsonb_populate_record(null::%1$I, $1)', event.into_table) using event.new;
    end loop;
end
$$;
commit;
"""


@pytest.fixture(scope="module")
def bulk(cluster):
    database = Database(cluster)
    command = [postgres_program("psql"), "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-v", f"rows={ROWS}"]
    environment = clean_environment(PGHOST=str(cluster.sockets), PGUSER="postgres", PGDATABASE=database.name)
    subprocess.run([*command, "--file", str(TOP / "bench/lists.sql")], env=environment, check=True)
    yield database
    database.remove()


@pytest.fixture(scope="module")
def by_triggers(cluster, bulk):
    """The same rows, each by an insert of its own."""
    database = Database(cluster)
    database.run("create temporary table events (number serial, at timestamptz, into_table text, new jsonb)")
    for table in INSERTED:
        known = {json.dumps(row) for row in rows(database, table)}
        new = [row for row in rows(bulk, table) if json.dumps(row) not in known]
        database.run(
            "insert into events (at, into_table, new) select (row ->> 'created_at')::timestamptz, %s, row from jsonb_array_elements(%s) row",
            table, json.dumps([{name: value for name, value in row.items() if name not in WRITTEN} for row in new]),
        )  # fmt: skip
    database.run(ONE_BY_ONE)
    database.run("drop table events")
    yield database
    database.remove()


def rows(database, table):
    found = database.run(f"select to_jsonb(t) - %s from {table} t order by to_jsonb(t) - %s", *[RANDOM.get(table, "")] * 2)
    return [row for (row,) in found]


def close_growth(*databases):
    """Closes the growth of all databases up to the same quarter of an hour."""

    def until():
        for database in databases:
            while database.run("select close_growth()") == [(True,)]:
                pass
        return len({database.run("select until from growth_closed")[0] for database in databases}) == 1

    eventually(until, what="a quarter of an hour")


def test_each_table(bulk, by_triggers):
    close_growth(bulk, by_triggers)
    tables = [name for (name,) in bulk.run("select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'")]
    assert len(rows(bulk, "notifications")) > ROWS
    for table in tables:
        assert rows(bulk, table) == rows(by_triggers, table), table


def test_the_uuid_of_a_reply_s_notification_is_the_reply_s(bulk):
    ((count, same),) = bulk.run("select count(*), count(*) filter (where uuid = activity_uuid) from notifications where kind = 'reply'")
    assert 0 < count == same


def test_counts(bulk):
    for column, table, of in (
        ("likes_count", "likes", "activity_uuid"),
        ("reposts_count", "reposts", "activity_uuid"),
        ("replies_count", "activities", "reply_to_activity_uuid"),
    ):
        counted = bulk.run(f"select {column}, (select count(*) from {table} where {of} = a.uuid) from activities a")
        assert sum(count for count, _ in counted) > 0, column
        assert [count for count, _ in counted] == [count for _, count in counted], column


def test_indexes_and_triggers_are_the_schema_s(bulk, by_triggers):
    for what in (
        "select pg_get_indexdef(indexrelid), indisvalid from pg_index where indexrelid > 16384 order by 1",
        "select tgrelid::regclass::text, tgname::text, tgenabled::text from pg_trigger where not tgisinternal order by 1, 2",
    ):
        assert bulk.run(what) == by_triggers.run(what)
