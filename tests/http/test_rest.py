"""A pool without requests sends the database no statements, except one a minute of the purge; the first request after that misses no
change."""

import datetime
import itertools
import time

import pytest

from places import SQL
from service import Service
from waiting import eventually

HOME = "/api/activities/home"
PAUSE = 1.5  # s between two checks of what the pool has sent; an active watcher sends some fifty statements in it


def sent(service):
    """A value that changes with every statement of the pool."""
    return service.database.sql(
        """select application_name, pid, state_change from pg_stat_activity
           where datname = current_database() and application_name like 'cruddurd%' order by 1, 2"""
    )


def is_at_rest(service):
    before = sent(service)
    time.sleep(PAUSE)
    return before == sent(service)


def templates(service):
    return [line["template"] for line in service.log.entries("statement")]


def is_kept(service):
    """Whether the page comes from the cache."""
    before = len(templates(service))
    assert service.get(HOME).status == 200
    return len(templates(service)) == before


def test_a_pool_that_was_never_asked(start):
    service = start(workers=2)
    service.wait_for_workers(2)
    assert service.get("/livez").status == 200
    time.sleep(PAUSE)
    assert [name for name, *_ in sent(service) if name == "cruddurd watcher"] == []


def test_it_rests_and_misses_nothing(start):
    service = start(workers=2)
    eventually(lambda: is_kept(service), what="a kept page")
    assert not is_at_rest(service)
    eventually(lambda: is_at_rest(service), what="rest")
    service.cluster.sql("update activities set message = 'meanwhile'", database=service.database.name)
    assert service.get(HOME).json[0]["message"] == "meanwhile"
    eventually(lambda: is_kept(service), what="a kept page")
    assert not is_at_rest(service)
    eventually(lambda: is_at_rest(service), what="rest")


def test_it_does_not_rest_while_pages_are_asked_for(start):
    service = start(workers=1)
    eventually(lambda: is_kept(service), what="a kept page")
    end = time.monotonic() + 8  # s; longer than it takes to rest
    while time.monotonic() < end:
        service.get(HOME)
        before = sent(service)
        eventually(lambda: sent(service) != before, what="a look")


# --- the purger ---

IDLE = 60  # s, between two polls of a purger that knows of nothing that will end
BEFORE_THAT = IDLE - 15  # s; a purger that rests for so long comes too late
OFTEN = {"workers": 1, "purge_interval": 1}  # it would poll every second if it did not rest


@pytest.fixture(scope="module", autouse=True)
def idle(cluster):
    """A service that rests while the other tests run."""
    with Service(cluster, **OFTEN) as service:
        yield service


def steps(service):
    return templates(service).count("metrics/step")


def longest_rest(service):
    """s between two steps, by the times that the purger logs."""
    times = [datetime.datetime.fromisoformat(line["time"]) for line in service.log.entries("statement") if line["template"] == "metrics/step"]
    return max(((later - earlier).total_seconds() for earlier, later in itertools.pairwise(times)), default=0)


def test_a_purger_looks_when_the_pool_has_written(start):
    service = start(**OFTEN)
    for number in range(2):
        eventually(lambda: steps(service) > 0 and is_at_rest(service), what="rest")
        before = steps(service)
        assert service.create(f"written {number}").status == 200
        eventually(lambda: steps(service) > before, BEFORE_THAT, what="a look")  # noqa: B023


def test_a_purger_looks_when_something_ends(start, database):
    """The purger polls when a post expires, and when a post has been deleted for a day."""
    database.add_activities(2, created_at="now() - interval '2 days'", expires_at="now() + interval '12 seconds'", message="'row ' || n")
    database.sql("update activities set expires_at = '-infinity', deleted_at = now() - interval '1 day' + interval '12 seconds' where message = 'row 2'")
    service = start(database=database, **OFTEN)
    eventually(lambda: not {"row 1", "row 2"} & set(database.messages()), BEFORE_THAT, what="the purge")
    assert steps(service) <= 6  # and not every second


# Of the posts that there are, one is hidden and without an end.
HIDDEN = "update activities set hidden_expires_at = 'infinity', expires_at = '-infinity' where uuid = %s"


@pytest.mark.parametrize("is_hidden", [False, True])
@pytest.mark.parametrize("ends", [False, True])
def test_what_a_step_foresees(database, ends, is_hidden):
    """Without anything to come a step gives no time, and not zero, which means now."""
    database.sql("truncate activities cascade")
    if is_hidden:
        (post,) = database.add_activities(1)
        database.sql(HIDDEN, post)
    if ends:
        database.add_activities(1, expires_at="now() + interval '1 hour'")
    ((outcome, _, _, lives_us),) = database.sql((SQL / "metrics/step.sql").read_text())
    assert outcome == "ok"
    assert 3500_000_000 < lives_us < 3600_000_000 if ends else lives_us is None


def test_an_idle_purger_rests(idle):
    eventually(lambda: longest_rest(idle) > IDLE - 1, what="a minute without a look")
