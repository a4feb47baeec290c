"""If the database is silent, the deadline of the oldest request counts, also if its statement was sent again or waited for a turn."""

import shutil
import threading
import time

import pytest

from client import Asking
from issuer import TokenService
from places import SQL, Folder
from service import Service
from waiting import LIVES, eventually

FOLLOWING = "/api/activities/following"
SLOW = 0.1  # s

# The first look-up of @londo waits for lock 1 and then fails with an SQLSTATE that makes the service run it again. The first look-up
# of @bayko waits for lock 2.
STEP = """
    create sequence step_londo;
    create sequence step_bayko;
    create function step(handle text) returns boolean language plpgsql as $$
    begin
        if handle = 'londo' and nextval('step_londo') = 1 then
            perform pg_advisory_xact_lock(1);
            raise exception using errcode = '40001';
        elsif handle = 'bayko' and nextval('step_bayko') = 1 then
            perform pg_advisory_xact_lock(2);
        end if;
        return true;
    end
    $$;
    grant usage on sequence step_londo, step_bayko to public;
    grant execute on function step(text) to public
"""


@pytest.fixture
def folder():
    folder = Folder()
    shutil.copytree(SQL, folder.path / "sql")
    with (folder.path / "sql/users/short.sql").open("a") as template:
        template.write("    and public.step(%(handle)s)\n")
    yield folder.path
    folder.remove()


def test_the_oldest_of_what_was_sent_expires(cluster, folder):
    """The first request is sent again, behind the second. At the first one's deadline, the second still has time for a new session."""
    statuses = any_life(lambda life: sent_twice(cluster, folder, life))
    assert statuses == (504, 200)


def any_life(attempt):
    """The result with the shortest deadline for which the machine was fast enough."""
    for life in LIVES[:-1]:  # the last one is longer than a deadline may be
        found = attempt(life)
        if found is not None:
            return found
    raise AssertionError("too slow")


def sent_twice(cluster, folder, life):
    """None when the machine was too slow for that deadline."""
    settings = {"deadline": life * 1000, "statement_timeout": life * 1000 - 50}
    with Service(cluster, workers=1, sql_dir=folder / "sql", **settings) as service:
        service.database.sql(STEP)
        assert eventually(lambda: service.get("/api/users/@altbrown/short").status == 200)
        with service.database.held("select pg_advisory_xact_lock(2)"):
            with service.database.held("select pg_advisory_xact_lock(1)"):
                began = time.monotonic()
                first = Asking(service.get, "/api/users/@londo/short")
                service.database.wait_for_waiting()
                time.sleep(max(0, began + life / 2 - time.monotonic()))
                second = Asking(service.get, "/api/users/@bayko/short")
                time.sleep(life / 20)
            is_in_time = time.monotonic() < began + life * 0.8
            statuses = first.reply().status, second.reply().status
    return statuses if is_in_time else None


def test_a_turn_that_was_waited_for_is_part_of_the_deadline(cluster):
    """While the database is frozen, a requester's second slow request, which waits for a turn, is over before a later request."""
    assert any_life(lambda life: order_of_answers(cluster, life)) == ["first", "second", "third"]


def order_of_answers(cluster, life):
    """None when the machine was too slow for that deadline."""
    settings = {"deadline": life * 1000, "statement_timeout": life * 1000 - 50, "slow_timeout": int(SLOW * 1000)}
    answered = []

    def ask(name, handle, target):
        reply = service.ask_as(handle, "GET", target)
        answered.append((name, reply.status))

    def later(*arguments):
        thread = threading.Thread(target=ask, args=arguments)
        thread.start()
        return thread

    with TokenService(cluster, workers=1, **settings) as service:
        eventually(lambda: service.ask_as("bayko", "GET", FOLLOWING).status == 200)
        eventually(lambda: service.get("/api/users/@londo/short").status == 200)
        began = time.monotonic()
        with cluster.frozen():
            threads = [later("first", "bayko", FOLLOWING)]
            time.sleep(life / 2)
            threads.append(later("second", "bayko", FOLLOWING))
            time.sleep(life / 4)
            threads.append(later("third", "bayko", "/api/users/@londo/short"))
            is_in_time = time.monotonic() < began + life * 0.9
            for thread in threads:
                thread.join()
    assert all(status in (503, 504) for _, status in answered)
    return [name for name, _ in answered] if is_in_time else None
