"""GET /api/activities/home/events: the events of a stream, its limits, and that nothing waits for a stream."""

import contextlib
import fcntl
import os
import re
import signal
import struct
import termios

import pytest

from client import Client, request_bytes
from daemon import run_once
from events import EVENTS, HttpStream, PeerStream
from fcgi import ABORT_REQUEST, record
from installed import Installed
from places import CRUDDURD, SQL, TOP
from test_handed_over import Restarted
from test_metrics import Metrics
from test_rest import is_at_rest
from test_upgrade import folder  # noqa: F401
from waiting import eventually

HEADER = (TOP / "src/worker/stream.h").read_text()
WORKERS = 3
FULL = 50  # posts on a full page


def constant(name):
    return int(re.search(rf"\b{name} = (\d+)", HEADER)[1])


@pytest.fixture
def service(start):
    return start(workers=WORKERS)


@pytest.fixture
def opened(service):
    """opened(…) opens a stream of the service through nginx."""
    with contextlib.ExitStack() as stack:
        yield lambda last_id=None, **headers: stack.enter_context(HttpStream(service, last_id, **headers))


def home_etag(service):
    """The ETag of a page that is not stale."""
    return eventually(lambda: service.home().headers["ETag"], what="a kept page")


def open_streams(service):
    return Metrics(service).value("cruddur_streams")


def refused(service, limit):
    return Metrics(service).value("cruddur_streams_refused_total", limit=limit)


def news(events):
    """The number of new posts that these events report."""
    return sum(event.new for event in events)


# --- events ---


def test_the_head_and_the_first_event(service, opened):
    service.create()
    stream = opened()
    assert stream.headers["Cache-Control"] == "no-store"
    assert stream.headers["X-Content-Type-Options"] == "nosniff"
    assert stream.headers["X-Request-Id"]
    assert "Content-Length" not in stream.headers and "ETag" not in stream.headers
    assert constant("STREAM_RETRY_MS") <= stream.retry < 2 * constant("STREAM_RETRY_MS")
    event = stream.read_event()
    assert set(event) == {"id", "event", "data"} and event["event"] == "home"
    assert event.data == {"etag": home_etag(service), "new": None}
    assert event["id"].startswith(event.etag.strip('"') + ".")


def test_writes_of_this_pool(service, opened):
    """It does not matter which worker writes and which one has the stream."""
    streams = [opened() for _ in range(2 * WORKERS)]
    for stream in streams:
        stream.read_event()
    for number in range(5):
        assert service.create(f"number {number}").status == 200
        etag = home_etag(service)
        for stream in streams:
            assert news(stream.read_to_event(etag)) == 1


def test_writes_from_elsewhere(service, opened):
    stream = opened()
    stream.read_event()
    service.database.add_activities(3)
    assert stream.read_event().new == 3
    service.database.sql("update activities set message = 'another' where uuid = (select min(uuid::text)::uuid from activities)")
    assert stream.read_event().new == 0


def test_writes_of_another_pool(service, opened, start):
    other = start(database=service.database)
    stream = opened()
    stream.read_event()
    assert other.create("from over there").status == 200
    event = stream.read_event()
    assert (event.new, event.etag) == (1, home_etag(other))


def test_what_is_deleted_or_expires(start):
    service = start(workers=WORKERS, default_handle="andrewbrown")
    uuid = service.create("short").json["uuid"]
    with HttpStream(service) as stream:
        stream.read_event()
        assert service.ask("DELETE", f"/api/activities/{uuid}").status == 200
        assert news(stream.read_to_event(home_etag(service))) == 0
        service.database.add_activities(1, expires_at="now() + interval '8 seconds'")
        assert stream.read_event().new == 1
        assert stream.read_event().new == 0
        assert "row 1" not in [row["message"] for row in service.home().json]


def test_what_changes_nothing_is_not_told(service, opened):
    """Every write leads to a check, but there is an event only if the ETag has changed."""
    stream = opened()
    first = stream.read_event()
    service.database.sql("update users set bio = 'new'")
    service.database.sql("update users set bio = 'newer'")
    assert service.create().status == 200
    event = stream.read_event()
    assert event.new == 1 and event.etag != first.etag


def test_new_posts_since_the_last_event_id(service, opened):
    """It does not matter which worker the client connects to."""
    last = opened().read_event()
    for count in range(1, 8):
        assert service.create(f"number {count}").status == 200
        assert news(opened(last["id"]).read_to_event(home_etag(service))) == count


def test_a_client_that_has_missed_nothing(service, opened):
    last = opened().read_event()
    stream = opened(last["id"])
    assert stream.read_block().is_comment
    assert service.create().status == 200
    assert stream.read_event().new == 1


def test_more_new_posts_than_can_be_told(service, opened):
    last = opened().read_event()
    service.database.add_activities(FULL - 1, created_at="now() + n * interval '1 second'")
    assert news(opened(last["id"]).read_to_event(home_etag(service))) == FULL - 1
    service.database.add_activities(FULL, created_at="now() + (n + 100) * interval '1 second'")
    assert opened(last["id"]).read_to_event(home_etag(service))[-1].new is None


def test_older_posts_in_the_place_of_others_are_not_new(service, opened):
    service.database.sql("truncate activities cascade")
    service.database.add_activities(2 * FULL, created_at="now() - n * interval '1 second'")
    stream = opened()
    stream.read_event()
    service.database.sql("delete from activities where uuid in (select uuid from activities order by created_at desc limit 9)")
    assert stream.read_event().new == 0
    service.database.add_activities(2)
    assert stream.read_event().new == 2


@pytest.mark.parametrize("last_id", ["", "1", "x" * 3000, "0123456789abcdef-00000001.A", "0123456789abcdef-00000001.\u00e9"])
def test_ids_that_are_none_of_ours(service, opened, last_id):
    assert opened(last_id).read_event().new is None


def test_an_id_of_an_empty_page(service, opened):
    assert opened("0123456789abcdef-00000001.").read_event().new == len(service.home().json)


def test_a_comment(service, opened):
    """A stream without events gets a comment, before nginx's timeout."""
    stream = opened()
    stream.read_event()
    assert stream.read_block().is_comment
    location = (TOP / "nginx/events.conf").read_text()
    assert constant("STREAM_COMMENT_MS") < 1000 * int(re.search(r"fastcgi_read_timeout (\d+)s", location)[1])


def test_other_origins(start):
    service = start(frontend_url="https://cruddur.example")
    with HttpStream(service, Origin="https://cruddur.example") as stream:
        assert stream.headers["Access-Control-Allow-Origin"] == "https://cruddur.example"
    with HttpStream(service, Origin="https://evil.example") as stream:
        assert "Access-Control-Allow-Origin" not in stream.headers
        assert stream.read_event().new is None


def test_methods(service, opened):
    head = service.ask("HEAD", EVENTS)
    whole = opened()
    others = {"Date": "", "X-Request-Id": "", "Transfer-Encoding": "", "Connection": ""}
    assert (head.status, head.body) == (200, b"")
    assert {**head.headers, **others} == {**whole.headers, **others}
    options = service.ask("OPTIONS", EVENTS)
    assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    for method in ("POST", "PUT", "DELETE"):
        reply = service.ask(method, EVENTS, b"{}")
        assert (reply.status, reply.codes, reply.headers["Allow"]) == (405, ["method_not_allowed"], "GET, HEAD, OPTIONS")


def test_one_line_when_it_ends(service, opened):
    stream = opened()
    event = stream.read_event()
    request_id = stream.headers["X-Request-Id"]
    assert service.log.requests(request_id) == []
    stream.close()
    (line,) = eventually(lambda: service.log.requests(request_id), what="its line")
    assert (line["method"], line["route"], line["status"]) == ("GET", EVENTS, 200)
    assert line["bytes"] > len(event["data"])


def test_it_is_counted_when_it_opens(service, opened):
    opened().read_event()
    assert Metrics(service).requests()["GET", EVENTS, 200] == 1
    assert open_streams(service) == 1
    assert Metrics(service).buckets(("GET", EVENTS))[-1][1] == 1


# --- load on the database ---


def homes(service):
    return [line["template"] for line in service.log.entries("statement")].count("activities/home")


def test_one_statement_for_all_streams_of_a_worker(service, opened):
    streams = [opened() for _ in range(20)]
    for stream in streams:
        stream.read_event()
    before = homes(service)
    service.database.add_activities(1)
    for stream in streams:
        assert stream.read_event().new == 1
    assert homes(service) - before <= 2 * WORKERS  # a worker may fetch the page once while the write is under way


def test_the_database_is_at_rest_again(service, opened):
    """A stream counts as a request for the page."""
    stream = opened()
    stream.read_event()
    assert not is_at_rest(service)
    stream.close()
    eventually(lambda: is_at_rest(service), what="rest")
    with HttpStream(service) as stream:  # wakes the watcher
        first = stream.read_event()
        service.cluster.sql("update activities set message = 'meanwhile'", database=service.database.name)
        assert stream.read_event().etag != first.etag


def test_a_write_while_the_database_was_at_rest(service, opened):
    """The watcher has not seen the write, so the first event must not have the ETag of the cached page."""
    etag = home_etag(service)
    eventually(lambda: is_at_rest(service), what="rest")
    service.cluster.sql("update activities set message = 'meanwhile'", database=service.database.name)
    streams = [opened() for _ in range(2 * WORKERS)]
    tags = {stream.read_event().etag for stream in streams}
    assert tags == {home_etag(service)} != {etag}


# --- limits ---


def test_as_many_streams_as_the_pool_may_have(start):
    service = start(workers=2, streams=3)
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(HttpStream(service)) for _ in range(3)]
        assert [stream.status for stream in streams] == [200] * 3
        assert open_streams(service) == 3 and refused(service, "pool") == 0
        with HttpStream(service) as stream:
            assert (stream.status, stream.codes()) == (503, ["streams_exceed_max"])
            assert int(stream.headers["Retry-After"]) > 1
        assert refused(service, "pool") == 1
        assert service.home().status == 200
        streams[0].close()
        eventually(lambda: open_streams(service) == 2, what="a free place")
        assert stack.enter_context(HttpStream(service)).status == 200


@pytest.mark.parametrize("settings", [{"streams": 0}, {"feed_watch": 0}])
def test_a_pool_without_streams(start, settings):
    service = start(workers=1, **settings)
    with HttpStream(service) as stream:
        assert (stream.status, stream.codes()) == (503, ["streams_exceed_max"])
    assert service.ask("HEAD", EVENTS).status == 503


def test_a_cgi_program_has_none():
    run = run_once("--sql-dir", SQL, environment={"REQUEST_METHOD": "GET", "REQUEST_URI": EVENTS, "CONNECTION_URL": "postgresql://nowhere.test/"})
    assert run.stdout.startswith("Status: 503 ") and run.stdout.endswith('["streams_exceed_max"]')


def test_streams_leave_room_for_requests(start):
    """Half of a worker's descriptors stay free for other connections."""
    descriptors = 256
    service = start(workers=1, launcher=lambda _: ["prlimit", f"--nofile={descriptors}", CRUDDURD])
    with contextlib.ExitStack() as stack:
        most = descriptors // constant("STREAMS_DESCRIPTORS_SHARE")
        streams = [PeerStream(stack.enter_context(service.peer())) for _ in range(most)]
        assert {stream.reply.status for stream in streams} == {200}
        with service.peer() as peer:
            assert PeerStream(peer).reply.status == 503
        assert refused(service, "worker") == 1
        assert service.create().status == 200
        for stream in streams:
            assert stream.read_event()


def test_as_many_streams_as_one_client_may_have(service):
    limit = int(re.search(r"limit_conn cruddur_streams (\d+);", (TOP / "nginx/events.conf").read_text())[1])
    with contextlib.ExitStack() as stack:
        for _ in range(limit):
            assert stack.enter_context(HttpStream(service)).status == 200
        with HttpStream(service) as stream:
            assert (stream.status, stream.codes()) == (429, ["too_many_requests"])
        assert service.home().status == 200
        with HttpStream(Client(service.port, source="127.0.0.2")) as stream:
            assert stream.status == 200


def test_a_client_that_leaves(service):
    streams = [HttpStream(service) for _ in range(5)]
    for stream in streams:
        stream.read_event()
    assert open_streams(service) == 5
    for stream in streams:
        stream.close()
    eventually(lambda: open_streams(service) == 0, what="no stream")


def test_a_worker_that_is_killed_takes_its_streams_along(service, opened):
    opened().read_event()
    before = service.wait_for_workers(WORKERS)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    service.wait_for_workers(WORKERS, other_than=before)
    eventually(lambda: open_streams(service) == 0, what="no stream")


def test_a_client_that_does_not_read(start):
    """Its stream gets no more events, nothing waits for it, and after a while it is closed."""
    service = start(workers=1)
    with service.peer() as lazy, HttpStream(service) as stream:
        PeerStream(lazy).read_event()
        stream.read_event()
        count = 0
        while not Metrics(service).value("cruddur_streams_stalled_total"):
            count += 1
            assert service.create(f"number {count}").status == 200
            stream.read_to_event(home_etag(service))
        assert open_streams(service) == 1
        assert service.create("the last").status == 200
        assert news(stream.read_to_event(home_etag(service))) == 1


def bytes_to_read(peer):
    """The number of bytes that wait in the socket."""
    return struct.unpack("i", fcntl.ioctl(peer.socket, termios.FIONREAD, b"...."))[0]


def test_a_client_that_reads_late_is_told_the_newest(start):
    """The event has the number of all posts that the client has missed."""
    service = start(workers=1)
    with service.peer() as lazy, HttpStream(service) as stream:
        late = PeerStream(lazy)
        late.read_event()
        stream.read_event()
        count, behind, before = 0, 0, 0
        while behind < 3:
            count += 1
            assert service.create(f"number {count}").status == 200
            stream.read_to_event(home_etag(service))
            waiting = bytes_to_read(lazy)
            behind = behind + 1 if waiting == before else 0
            before = waiting
        events = late.read_to_event(home_etag(service))
        assert news(events) == count
        assert len(events) < count


# --- the end of a stream ---


def test_hup(service, opened):
    """No worker waits for a stream to end. A client that connects again gets what it has missed."""
    streams = [opened() for _ in range(2 * WORKERS)]
    last = [stream.read_event() for stream in streams][-1]
    service.daemon.reload()
    for stream in streams:
        assert stream.read_event() is None
    assert service.create().status == 200
    assert news(opened(last["id"]).read_to_event(home_etag(service))) == 1
    lines = [line for line in service.log.requests() if line["route"] == EVENTS]
    assert len(lines) == len(streams) and {line["status"] for line in lines} == {200}


def test_term(service, opened):
    """The streams end at once, though the drain may take ten minutes."""
    streams = [opened() for _ in range(5)]
    for stream in streams:
        stream.read_event()
    service.daemon.signal(signal.SIGTERM)
    assert service.daemon.wait() == 0
    for stream in streams:
        assert stream.read_event() is None


def test_an_upgrade(cluster, folder):  # noqa: F811
    with Installed(cluster, folder) as service, HttpStream(service) as stream:
        last = stream.read_event()
        service.upgrade()
        assert stream.read_event() is None
        assert service.create().status == 200
        with HttpStream(service, last["id"]) as again:
            assert news(again.read_to_event(home_etag(service))) == 1


def test_a_socket_that_is_handed_over(cluster):
    """A kept connection survives a restart of the server; a stream on it does not."""
    with Restarted(cluster, "fd 0") as service, service.peer() as peer, HttpStream(service) as other:
        stream = PeerStream(peer)
        assert stream.read_event() and other.read_event()
        service.restart()
        assert stream.read_event() is None and other.read_event() is None
        assert peer.ask().status == 200
        assert PeerStream(peer).read_event()


def test_an_abort(service):
    """A front server aborts the stream and keeps the connection."""
    with service.peer() as peer:
        stream = PeerStream(peer)
        stream.read_event()
        peer.send(record(ABORT_REQUEST))
        assert stream.read_event() is None
        assert peer.ask().status == 200
        assert PeerStream(peer).read_event()
        eventually(lambda: open_streams(service) == 1, what="one stream")


def test_a_raw_request_over_a_kept_connection(service):
    """The HTTP connection can be used again after a refusal."""
    with service.connect() as connection:
        connection.send(request_bytes("DELETE", EVENTS))
        assert connection.read_reply().status == 405
        assert connection.ask("GET", "/livez").status == 200


# --- the database is away ---


def test_an_outage(cluster, start):
    service = start(workers=2, statement_timeout=300, deadline=500)
    with HttpStream(service) as stream:
        stream.read_event()
        with cluster.away():
            assert eventually(lambda: service.create().status == 503, what="no database")
        eventually(lambda: service.create("after it").status == 200, what="a database")
        assert news(stream.read_to_event(home_etag(service))) >= 1


def test_a_stream_that_opens_during_an_outage(cluster, start):
    """Its first event comes when the database is back."""
    service = start(workers=1, statement_timeout=300, deadline=500)
    with cluster.away():
        stream = HttpStream(service)
        assert (stream.status, service.create().status) == (200, 503)
    with stream:
        event = stream.read_event()
        assert event.new is None
        assert event.etag == home_etag(service)
