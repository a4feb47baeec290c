"""A primary that goes on after a successor was promoted, because it was frozen or because its Patroni has ended."""

import pytest

from cluster import Cluster, Standby
from installed import Installed
from places import Folder
from service import Service
from waiting import eventually


@pytest.fixture
def primary():
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def standby(primary):
    with Standby(primary) as standby:
        yield standby


def sessions(server, service):
    """The names of the workers' sessions on that server."""
    return {name for (name,) in server.sql("select application_name from pg_stat_activity where datname = %s and application_name like 'cruddurd worker%%'", service.database.name)}


def test_no_read_comes_from_it_once_the_pool_knows(primary, standby):
    """The reads have a session with the old primary, the writes get one with the new one."""
    with Service(primary, workers=1, is_patient=False) as service:
        service.write_url(service.database.url(hosts=[primary.sockets, standby.sockets]) + "&target_session_attrs=read-write")
        service.daemon.reload()
        service.create("before")
        assert service.home().status == 200
        standby.catch_up(primary)
        standby.promote()
        assert {"cruddurd worker 1", "cruddurd worker 1 writing"} <= sessions(primary, service)
        primary.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cruddurd worker 1 writing'")
        post = service.create("after").json["uuid"]
        assert service.get(f"/api/activities/{post}").status == 200
        assert post in [activity["uuid"] for activity in service.home().json]
        assert sessions(primary, service) == set()
        check_new_workers(primary, standby, service, post)


def test_the_pool_gets_to_know_without_a_session_of_its_own(primary, standby):
    """All sessions of the pool are with the old primary, and none ends; another host writes to the new one."""
    with Service(primary, workers=1, feed_watch=0) as service:
        name = service.database.name
        service.write_url(service.database.url(hosts=[primary.sockets, standby.sockets]) + "&target_session_attrs=read-write")
        service.daemon.reload()
        service.create("before")
        standby.catch_up(primary)
        standby.promote()
        standby.sql("update activities set message = 'after'", database=name)
        eventually(lambda: [post["message"] for post in service.home().json] == ["after"] * len(service.home().json), what="the successor's row")
        assert sessions(primary, service) == set()
        service.owns_database = False


def test_another_program_takes_over_what_the_pool_knows(primary, standby):
    """The new workers try the old primary first, and nothing asks the successor which timeline it has."""
    folder = Folder()
    with Installed(primary, folder.path, workers=1, is_patient=False, primary_watch=0) as service:
        service.write_url(service.database.url(hosts=[primary.sockets, standby.sockets]) + "&target_session_attrs=read-write")
        service.daemon.reload()
        service.create("before")
        standby.catch_up(primary)
        standby.promote()
        primary.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cruddurd worker 1 writing'")
        post = service.create("after").json["uuid"]
        service.upgrade()
        assert service.get(f"/api/activities/{post}").status == 200
        assert sessions(primary, service) == set()
        service.owns_database = False
    folder.remove()


def check_new_workers(primary, standby, service, post):
    """The new workers try the old primary first, because it is first in the URL."""
    workers = service.daemon.workers()
    service.daemon.reload()
    service.wait_for_workers(1, other_than=workers)
    assert service.get(f"/api/activities/{post}").status == 200
    assert sessions(primary, service) == set()
    with standby.away():
        assert service.get(f"/api/activities/{post}").status == 503
        assert "another primary has taken over from this one" in service.log.text
    eventually(lambda: service.get(f"/api/activities/{post}").status == 200, what="the successor")
    service.owns_database = False
