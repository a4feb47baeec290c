"""A synchronous standby takes over: acknowledged writes are there, and what was deleted does not come back."""

import pytest

from client import Asking
from cluster import FROM_SESSIONS, Cluster, Standby
from issuer import TokenService
from places import Folder
from relay import Relay
from social import marked
from waiting import eventually


@pytest.fixture
def primary():
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def relay(primary):
    """A relay between the standby and the primary."""
    folder = Folder()
    with Relay(folder.path, primary.sockets) as relay:
        (folder.path / ".s.PGSQL.5432").chmod(0o777)
        yield relay
    folder.remove()


@pytest.fixture
def standby(primary, relay):
    standby = Standby(primary)
    try:
        standby.sql("alter system set primary_conninfo = %s", f"host={relay.host} user=postgres")
        standby.sql("select pg_reload_conf()")
        streams = "select count(*) from pg_stat_replication where state = 'streaming'"
        eventually(lambda: primary.sql("select pg_terminate_backend(pid) from pg_stat_replication") == [] or len(relay.partners) >= 2)
        eventually(lambda: primary.sql(streams) == [(1,)], what="the standby")
        primary.sql("alter system set synchronous_standby_names = '*'")
        primary.sql("select pg_reload_conf()")
        eventually(lambda: primary.sql("select sync_state from pg_stat_replication") == [("sync",)], what="a synchronous one")
        yield standby
    finally:
        standby.remove()


def set_back(service, kind):
    """A write that takes something back. Returns the arguments of its request, a query that has rows until it is done, and the database."""
    post = service.create_as("londo", "comes back?", ttl="30-days")["uuid"]
    database = service.database
    if kind == "delete":
        return ("londo", "DELETE", f"/api/activities/{post}"), f"select 1 from activities where uuid = '{post}' and deleted_at is null", database
    if kind == "unfollow":
        assert service.ask_as("bayko", "PUT", "/api/users/@altbrown/follow").status == 200
        return ("bayko", "DELETE", "/api/users/@altbrown/follow"), "select 1 from follows", database
    if kind == "unblock":
        assert service.ask_as("bayko", "PUT", "/api/users/@altbrown/block").status == 200
        return ("bayko", "DELETE", "/api/users/@altbrown/block"), "select 1 from blocks", database
    if kind == "delete a message":
        sent = service.message_as("londo", handle="bayko").json
        target = f"/api/messages/{sent['message_group_uuid']}/{sent['uuid']}"
        return ("londo", "DELETE", target), "select 1 from messages where deleted_at is null", database
    if kind == "leave":
        return ("altbrown", "DELETE", "/api/profile", {"handle": "altbrown"}), "select 1 from users where handle = 'altbrown'", database
    marked(service, "bayko", kind[2:], post)
    return ("bayko", "DELETE", f"/api/activities/{post}/{kind[2:]}"), f"select 1 from {kind[2:]}s where activity_uuid = '{post}'", database


@pytest.mark.parametrize("kind", ["delete", "unlike", "unrepost", "unfollow", "unblock", "delete a message", "leave"])
def test_what_is_taken_back_stays_so(primary, standby, relay, kind):
    """The standby is silent, the worker's session ends, and the write is sent again. Then the primary is lost."""
    with TokenService(primary, workers=1, feed_watch=0) as service:
        name = service.database.name
        service.write_url(service.database.url(hosts=[primary.sockets, standby.sockets]) + "&target_session_attrs=read-write")
        service.daemon.reload()
        asked, there, database = set_back(service, kind)
        relay.is_silent = True
        asking = Asking(service.ask_as, *asked)
        ((backend, _),) = database.wait_for_waiting(on="SyncRep")
        database.sql("select pg_terminate_backend(%s)", backend)
        waits = f"select pid {FROM_SESSIONS} and wait_event = 'SyncRep' and pid <> {backend}"
        eventually(lambda: not asking.is_alive() or database.sql(waits), what="the second attempt")
        assert asking.is_alive()
        primary.kill()
        standby.promote()
        assert asking.reply().status == 200
        assert standby.sql(there, database=name) == []
        assert service.ask_as(*asked).status == 200
        service.owns_database = False  # its server is gone
