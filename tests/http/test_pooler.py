"""PgBouncer in transaction mode between the service and PostgreSQL: no session is the service's own."""

import os

import pytest

from load import Load
from pooler import Pooler, pgbouncer_program
from test_pipeline import creates_held, refuse, start_all


SIZE = 3

pytestmark = pytest.mark.skipif(not os.path.exists(pgbouncer_program()), reason="pgbouncer is missing")


@pytest.fixture
def pooler(cluster):
    with Pooler(cluster, SIZE) as pooler:
        yield pooler


@pytest.fixture
def start_behind(start, pooler):
    """As start, with its database behind the pooler."""

    def start_behind(**settings):
        service = start(prepare=0, **settings)
        service.write_url(pooler.url(service.database))
        service.daemon.reload()
        service.database.terminate_sessions()  # those of before
        return service

    return start_behind


def test_more_workers_than_sessions(start_behind):
    service = start_behind(workers=4)
    with Load(service, connections=16) as load:
        load.wait_for_more(300)
        assert 0 < len(service.database.backends()) <= SIZE
    assert load.failures == []
    load.audit(service.database).check()


def test_each_gets_its_own(start_behind):
    service = start_behind(workers=1)
    uuids = service.database.add_activities(40)
    with service.database.locked("activities"):
        replies = start_all(len(uuids), lambda number: service.get(f"/api/activities/{uuids[number]}"))
        service.database.wait_for_waiting()
    assert [reply.json["activity"]["uuid"] for reply in replies()] == uuids


def test_one_bad_create_among_many(start_behind):
    service = start_behind(workers=1)
    refuse(service.database, "new.message like 'bad%'", "insert")
    names = [f"bad {number}" if number % 7 == 3 else f"good {number}" for number in range(20)]
    with creates_held(service):
        replies = start_all(len(names), lambda number: service.create(names[number]))
    assert [reply.status for reply in replies()] == [500 if name.startswith("bad") else 200 for name in names]
    messages = service.database.messages()
    assert [messages.get(name, 0) for name in names] == [int(name.startswith("good")) for name in names]


def test_a_restart_of_the_pooler(start_behind, pooler):
    """Nobody notices but by the wait."""
    service = start_behind(workers=4)
    with Load(service) as load:
        for _ in range(3):
            load.wait_for_more(150)
            pooler.restart()
        load.wait_for_more(150)
    assert load.failures == []
    load.audit(service.database).check()


def test_a_restart_of_the_server_behind_it(cluster, start_behind):
    service = start_behind(workers=4)
    with Load(service) as load:
        load.wait_for_more(150)
        cluster.restart()
        load.wait_for_more(150)
    assert load.kinds_of_failure() <= {(503, "database_unavailable")}
    load.audit(service.database).check()
