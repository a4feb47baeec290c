"""PostgreSQL's warnings are logged at a limited rate. They change no answer, except where a commit is in doubt."""

import pytest

from client import Asking
from service import Service
from waiting import eventually

TIMES = 5


@pytest.fixture(scope="module")
def service(cluster):
    with Service(cluster, workers=1, feed_watch=0) as service:
        yield service


def warnings(service, text):
    return [entry["message"] for entry in service.log.entries("database") if text in entry["message"] and entry["level"] == "warning"]


@pytest.mark.parametrize("when", ["before insert", "at commit"])
def test_a_warning_of_a_trigger(service, when):
    """The trigger warns before the row exists, or when the server commits."""
    deferred = "constraint trigger warn after insert on activities deferrable initially deferred"
    kind = deferred if when == "at commit" else "trigger warn before insert on activities"
    service.database.sql(
        f"""create function warn() returns trigger language plpgsql as $$
            begin raise warning 'look out {when}: % left', (random() * 1000)::integer; return new; end $$;
            create {kind} for each row execute function warn()"""
    )
    try:
        for number in range(TIMES):
            reply = service.create(f"{when} {number}")
            assert reply.status == 200
        messages = service.database.messages()
        assert [messages[f"{when} {number}"] for number in range(TIMES)] == [1] * TIMES
        assert len(warnings(service, f"look out {when}")) == 1
    finally:
        service.database.sql("drop trigger warn on activities; drop function warn()")


def test_a_server_that_explains_its_plans_as_warnings(service):
    """Every statement has such a warning, also reads."""
    name = service.database.name
    service.database.sql(f"alter database {name} set session_preload_libraries = 'auto_explain'")
    service.database.sql(f"alter database {name} set auto_explain.log_min_duration = 0")
    service.database.sql(f"alter database {name} set auto_explain.log_level = 'warning'")
    try:
        service.database.terminate_sessions()
        for _ in range(TIMES):
            assert service.home().status == 200
            assert service.get("/readyz").status == 200
            assert service.create("explained").status == 200
        assert len(warnings(service, "duration")) == 1
    finally:
        service.database.sql(f"alter database {name} reset all")
        service.database.terminate_sessions()


def test_a_commit_in_doubt_is_no_success(cluster, service):
    """The wait for the standby is cut short: the row exists, but it isn't acknowledged."""
    cluster.sql("alter system set synchronous_standby_names = 'absent'")
    cluster.sql("select pg_reload_conf()")
    try:
        asking = Asking(service.create, "in doubt")
        ((backend, _),) = service.database.wait_for_waiting(on="SyncRep")
        service.database.sql("select pg_cancel_backend(%s)", backend)
        reply = asking.reply()
        assert (reply.status, reply.json) == (503, ["database_unavailable"])
    finally:
        cluster.sql("alter system reset synchronous_standby_names")
        cluster.sql("select pg_reload_conf()")
    assert service.database.messages()["in doubt"] == 1
    eventually(lambda: service.create("after it").status == 200)
