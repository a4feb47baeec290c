"""Failovers under writes of every kind: the primary is killed, its synchronous standby takes over, and the ledgers are right.

CRUDDUR_FAILOVERS=30 pytest test_ledger.py makes that many in a row, each to a new standby of the last primary.
"""

import contextlib
import os

import pytest

from cluster import Cluster, Standby
from issuer import TokenService
from ledger import Writer
from social import check_counts
from waiting import eventually

FAILOVERS = int(os.environ.get("CRUDDUR_FAILOVERS", "2"))
HANDLES = ("londo", "bayko", "altbrown")
WRITES = 12  # acknowledged to each writer before and after a failover


@pytest.fixture
def servers():
    """The servers, the primary last; all are removed in the end."""
    first = Cluster()
    made = [first]
    try:
        first.make()
        first.start()
        first.prepare()
        yield made
    finally:
        for server in made:
            server.remove()


def add_standby(servers):
    """A synchronous standby of the primary."""
    primary = servers[-1]
    standby = Standby(primary)
    servers.append(standby)
    primary.sql("alter system set synchronous_standby_names = '*'")
    primary.sql("select pg_reload_conf()")
    eventually(lambda: primary.sql("select sync_state from pg_stat_replication") == [("sync",)], what="a synchronous standby")
    return primary, standby


def point_to(service, *servers):
    """The service's workers connect to the primary among the servers."""
    service.write_url(service.database.url(hosts=[server.sockets for server in servers]) + "&target_session_attrs=read-write")
    workers = service.daemon.workers()
    service.daemon.reload()
    service.wait_for_workers(other_than=workers)


def fail_over(service, servers, targets, number):
    """One failover in the middle of the writes, and the ledgers compared with the new primary."""
    primary, standby = add_standby(servers)
    point_to(service, primary, standby)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(Writer(service, handle, targets, number)) for handle in HANDLES]
        for writer in writers:
            writer.wait_for_more(WRITES)
        primary.kill()
        standby.promote()
        for writer in writers:
            writer.wait_for_more(WRITES)
    service.database.cluster = standby
    for writer in writers:
        writer.check(service.database.sql)
    check_counts(service.database)
    return writers


def test_ledgers_are_right_after_each_failover(servers):
    with TokenService(servers[0], workers=2, is_patient=False) as service:
        targets = [service.create_as("andrewbrown", f"target {number}", ttl="30-days")["uuid"] for number in range(3)]
        writers = []
        for number in range(FAILOVERS):
            writers += fail_over(service, servers, targets, number)
            servers.pop(0).remove()
        service.owns_database = False  # its server is gone
    acknowledged, repeated = sum(w.acknowledged for w in writers), sum(w.repeated for w in writers)
    print(f"{FAILOVERS} failovers, {acknowledged} writes acknowledged, {repeated} sent again")
