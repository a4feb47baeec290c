"""PgBouncer in transaction mode between the service and PostgreSQL: no session belongs to the service."""

import os
import re
import shutil

import pytest

from daemon import options_of, run_once
from load import Load
from places import SQL
from pooler import Pooler, pgbouncer_program
from service import PATIENT, Service
from test_pipeline import create_together, named, refuse, start_all

SIZE = 3
GARBAGE = "invalid frontend message"
WORKERS = 4

pytestmark = pytest.mark.skipif(not os.path.exists(pgbouncer_program()), reason="pgbouncer is missing")


@pytest.fixture(scope="module")
def pooler(cluster):
    with Pooler(cluster, SIZE) as pooler:
        yield pooler


class ServiceBehind(Service):
    """A service whose database is behind the pooler."""

    def __init__(self, cluster, pooler, **settings):
        super().__init__(cluster, prepare=0, **settings)
        self.pooler = pooler

    def write_url(self, _):
        super().write_url(self.pooler.url(self.database))


@pytest.fixture(scope="module")
def service(cluster, pooler):
    with ServiceBehind(cluster, pooler, workers=WORKERS) as service:
        yield service


@pytest.fixture(scope="module")
def lone(cluster, pooler):
    """A service with one worker."""
    with ServiceBehind(cluster, pooler, workers=1) as service:
        yield service


def test_more_workers_than_sessions(service):
    with Load(service, connections=16) as load:
        load.wait_for_more(300)
        assert 0 < len(service.database.backends()) <= SIZE
    assert load.failures == []
    load.audit(service.database).check()


def test_each_gets_its_own(lone):
    uuids = lone.database.add_activities(40)
    with lone.database.locked("activities"):
        replies = start_all(len(uuids), lambda number: lone.get(f"/api/activities/{uuids[number]}"))
        lone.database.wait_for_waiting()
    assert [reply.json["activity"]["uuid"] for reply in replies()] == uuids


def test_one_bad_create_among_many(lone):
    names = named(20, "bad", lambda at: at % 7 == 3)
    with refuse(lone.database, "new.message like 'bad%'", "insert"):
        replies = create_together(lone, names)
    assert [reply.status for reply in replies] == [200 if name.startswith("good") else 500 for name in names]
    messages = lone.database.messages()
    assert [messages.get(name, 0) for name in names] == [int(name.startswith("good")) for name in names]


def test_statements_arrive_whole(service, cluster):
    """PgBouncer before 1.21 may send the rest of a statement to another server connection, as if it belonged to another
    client."""
    before = cluster.log.read_text().count(GARBAGE)
    with Load(service) as load:
        load.wait_for_each(50)
    assert load.failures == []
    assert cluster.log.read_text().count(GARBAGE) == before


def test_check_names_a_template_that_does_not_fit(lone, tmp_path):
    templates = shutil.copytree(SQL, tmp_path / "sql")
    home = templates / "activities/home.sql"
    home.write_text(home.read_text().replace("a.user_uuid", "a.user_uid"))
    check = ("--check", *options_of(PATIENT), "--prepare", "0", "--connection-url-file", lone.url_file, "--sql-dir")
    assert run_once(*check, SQL).returncode == 0
    refused = run_once(*check, templates)
    assert refused.returncode == 1
    assert re.search(r"activities/home\.sql:\d+: column a\.user_uid does not exist", refused.stderr)


def test_a_restart_of_the_pooler(service, pooler):
    """Requests wait for the pooler, and none fails."""
    with Load(service) as load:
        for _ in range(3):
            load.wait_for_each(10)
            pooler.restart()
        load.wait_for_each(10)
    assert load.failures == []
    load.audit(service.database).check()


def test_a_restart_of_the_server_behind_it(cluster, service):
    with Load(service) as load:
        load.wait_for_each(10)
        cluster.restart()
        load.wait_for_each(10)
    assert load.kinds_of_failure() <= {(503, "database_unavailable")}
    load.audit(service.database).check()
