"""Traces: a span of each request and statement, with the right parents, sent to a collector that may be away, slow or refusing.

TESTS_SPANS is the number of requests that are counted; ten thousand for a thorough run."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import socket
import time

import pytest

from client import Asking
from collector import CLIENT, ERROR, EXPORTER, HAS_IS_REMOTE, IS_REMOTE, SERVER, Collector
from daemon import is_alive, sockets_of
from fcgi import request
from issuer import Authority
from places import Folder
from service import Pool, Service
from test_metrics import Metrics
from waiting import eventually

REQUESTS = int(os.environ.get("TESTS_SPANS", "1000"))
THREADS = 8
RING = 2048  # spans that a worker keeps for the exporter
BATCH = 512
OWN = 1  # the span of the statement of /metrics, which is dropped before the answer says how many were dropped
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
AMAZON_ROOT = "1-5759e988-bd862e3fe1be46a994272793"
AMAZON_TRACE = "5759e988bd862e3fe1be46a994272793"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
UNSAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-00"}


def exporters(pool):
    """The process ids of the pool's exporter."""
    return [child.pid for child in pool.daemon.children() if is_exporter(child.pid)]


def is_exporter(pid):
    with contextlib.suppress(FileNotFoundError):
        return os.readlink(f"/proc/{pid}/exe").endswith("/cruddur-export-spans")


@pytest.fixture
def collector():
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(cluster):
    """A service that sends its spans to a collector, for the tests that do not change it."""
    with Collector() as collector:
        with Service(cluster, otlp_endpoint=collector.url, exporter=EXPORTER, log_level="info") as service:
            service.collector = collector
            yield service


def counts(service):
    """(exported, failed, dropped)"""
    metrics = Metrics(service)
    return (
        *(metrics.value("cruddur_spans_total", result=result) for result in ("exported", "failed")),
        metrics.value("cruddur_spans_dropped_total"),
    )


def span_of(service, reply):
    """The span of the reply's request; waits for it."""
    line = service.line_of(reply)

    def found():
        return [span for span in service.collector.requests() if (span.trace, span.id) == (line["trace_id"], line["span_id"])]

    (span,) = eventually(found, what="the span")
    return span


def below(service, parent):
    """The spans of the statements of that request."""
    return [span for span in service.collector.statements() if span.parent == parent.id]


# --- one request ---


def test_a_request_and_its_statement(traced):
    reply = traced.ask("GET", "/api/activities/@andrewbrown", headers=SAMPLED)
    span = span_of(traced, reply)
    assert (span.trace, span.parent, span.name, span.kind, span.status) == (TRACE, PARENT, "GET /api/activities/@{handle}", SERVER, 0)
    assert span.flags == 1 | HAS_IS_REMOTE | IS_REMOTE
    assert span.attributes == {
        "http.request.method": "GET", "http.route": "/api/activities/@{handle}", "url.scheme": "http",
        "http.response.status_code": 200, "cruddur.outcome": "ok",
    }  # fmt: skip
    (statement,) = eventually(lambda: below(traced, span), what="the statement's span")
    assert (statement.trace, statement.name, statement.kind, statement.status) == (TRACE, "users/feed", CLIENT, 0)
    assert statement.flags == 1 | HAS_IS_REMOTE
    assert statement.attributes == {
        "db.system.name": "postgresql", "db.system": "postgresql", "db.query.summary": "users/feed", "db.operation.name": "users/feed",
        "db.response.returned_rows": 1, "cruddur.outcome": "ok",
    }  # fmt: skip
    assert span.start <= statement.start <= statement.end <= span.end
    assert abs(span.end / 1e9 - time.time()) < 3600
    assert traced.line_of(reply)["traceparent"] == SAMPLED["traceparent"]


def test_the_resource(traced):
    resource = span_of(traced, traced.home()).resource
    assert resource["service.name"] == "cruddur" and resource["service.version"]
    assert resource["host.name"] == socket.gethostname()
    assert resource["process.pid"] == traced.daemon.pid
    path, headers = traced.collector.headers[0]
    assert path == "/v1/traces"
    assert headers["Content-Type"] == "application/json"


def test_no_value_leaves_the_pool(traced):
    """Neither a message nor a handle nor a UUID of a request is in what is sent."""
    uuid = traced.create("the-secret-message").json["uuid"]
    traced.get(f"/api/activities/{uuid}")
    traced.get("/api/activities/@secrethandle")
    traced.get("/api/activities/search?term=secretterm")
    last = span_of(traced, traced.get("/api/nothing/secretpath"))
    assert last.name == "GET" and "http.route" not in last.attributes
    text = b"".join(traced.collector.bodies).decode()
    assert "secret" not in text and uuid not in text


ANSWERS = [
    ("HEAD", "/api/health-check", 200, "HEAD /api/health-check", "ok"),
    ("GET", "/api/activities/home?limit=0", 422, "GET /api/activities/home", "limit_invalid"),
    ("GET", "/api/activities/@nobody", 404, "GET /api/activities/@{handle}", "not_found"),
    ("DELETE", "/api/trends", 405, "DELETE /api/trends", "method_not_allowed"),
    ("OPTIONS", "/livez", 204, "OPTIONS /livez", "ok"),
    ("PATCH", "/api/activities/home", 501, "HTTP /api/activities/home", "not_implemented"),
]


def test_other_answers(traced):
    replies = [traced.ask(method, target) for method, target, *_ in ANSWERS]
    for reply, (_, _, status, name, outcome) in zip(replies, ANSWERS):
        assert reply.status == status
        span = span_of(traced, reply)
        assert (span.name, span.attributes["http.response.status_code"], span.attributes["cruddur.outcome"]) == (name, status, outcome)
        assert (span.status, span.attributes.get("error.type")) == ((ERROR, str(status)) if status >= 500 else (0, None))
        assert span.parent is None


def test_a_statement_that_fails(cluster, collector):
    with Service(cluster, otlp_endpoint=collector.url, exporter=EXPORTER, log_level="info", statement_timeout=300) as service:
        service.collector = collector
        with service.database.locked_user():
            reply = service.create()
        assert reply.status == 504
        span = span_of(service, reply)
        assert (span.status, span.attributes["error.type"], span.attributes["cruddur.outcome"]) == (ERROR, "504", reply.codes[0])
        (statement,) = eventually(lambda: below(service, span), what="the statement's span")
        assert (statement.name, statement.status) == ("activities/create", ERROR)
        assert statement.attributes["db.response.status_code"] == statement.attributes["error.type"] == "57014"


def test_a_cached_page_has_no_statement(traced):
    """A cached page has no statement until a write. Then a request has one, in the trace of that request."""

    def ask():
        span = span_of(traced, traced.home())
        return span, below(traced, span)

    eventually(lambda: ask()[1] == [], what="a hit")
    traced.create()
    replies = [traced.home() for _ in range(10)]
    spans = [span_of(traced, reply) for reply in replies]
    assert len({span.trace for span in spans}) == 10
    for span in spans:
        assert all(statement.trace == span.trace for statement in below(traced, span))


def test_a_stream_is_one_span(traced):
    trace = "1" * 32

    def found():
        return [span for span in traced.collector.requests() if span.trace == trace]

    with traced.peer() as peer:
        peer.send(request("GET", "/api/activities/home/events", HTTP_TRACEPARENT=f"00-{trace}-{PARENT}-01"))
        peer.read(1)
        assert found() == []
    (span,) = eventually(found, what="the span")
    assert (span.parent, span.name) == (PARENT, "GET /api/activities/home/events")


def test_a_client_that_leaves(cluster, collector):
    """The client leaves while its statement still waits behind another one."""
    with Service(cluster, workers=1, otlp_endpoint=collector.url, exporter=EXPORTER) as service:
        with service.database.locked_user():
            asking = Asking(service.create)
            service.database.wait_for_waiting()
            with service.peer() as peer:
                body = json.dumps({"message": "hi", "ttl": "1-day", "user_handle": "londo"}).encode()
                peer.send(request("POST", "/api/activities", body))
                with service.peer() as last:  # the worker has read the other request when it answers this one
                    assert last.ask().status == 200
        assert asking.reply().status == 200

        def answers():
            return sorted(span.attributes["http.response.status_code"] for span in collector.requests() if span.name == "POST /api/activities")

        eventually(lambda: answers() == [200, 499], what="both spans")


# --- whose trace it is ---


def is_recorded(service, headers):
    return "trace_id" in service.line_of(service.ask("GET", "/livez", headers=headers))


def test_the_decision_of_the_caller_counts(cluster, collector):
    for sample in (0, 100):
        with Service(cluster, otlp_endpoint=collector.url, exporter=EXPORTER, otlp_sample=sample, log_level="info") as service:
            assert is_recorded(service, {}) == (sample == 100)
            assert is_recorded(service, SAMPLED)
            assert not is_recorded(service, UNSAMPLED)
            assert is_recorded(service, {"X-Amzn-Trace-Id": f"Root={AMAZON_ROOT};Parent={PARENT};Sampled=1"})
            assert not is_recorded(service, {"X-Amzn-Trace-Id": f"Root={AMAZON_ROOT};Parent={PARENT};Sampled=0"})
            assert is_recorded(service, {"X-Amzn-Trace-Id": f"Root={AMAZON_ROOT}"}) == (sample == 100)
            assert is_recorded(service, {"traceparent": "nonsense"}) == (sample == 100)


PARENTS = [  # headers, trace, parent; None is a new trace
    ({"X-Amzn-Trace-Id": f"Root={AMAZON_ROOT};Parent=53995c3f42cd8ad8;Sampled=1"}, AMAZON_TRACE, "53995c3f42cd8ad8"),
    ({"X-Amzn-Trace-Id": f"Self=1-67891234-12456789abcdef0123456789;Root={AMAZON_ROOT}"}, AMAZON_TRACE, None),
    ({"X-Amzn-Trace-Id": f"Root={AMAZON_ROOT};Parent=53995c3f42cd8ad8;Sampled=1"} | SAMPLED, TRACE, PARENT),
    ({"X-Amzn-Trace-Id": f"Root={AMAZON_ROOT};Sampled=1", "traceparent": "00-x"}, AMAZON_TRACE, None),
    ({"X-Amzn-Trace-Id": "Root=1-5759e988-BD862e3fe1be46a994272793;Sampled=1"}, None, None),
    ({"traceparent": f"00-{TRACE.upper()}-{PARENT}-01"}, None, None),
    ({"traceparent": f"00-{'0' * 32}-{PARENT}-01"}, None, None),
    ({"traceparent": f"00-{TRACE}-{'0' * 16}-01"}, None, None),
    ({"traceparent": f"ff-{TRACE}-{PARENT}-01"}, None, None),
]


def test_parents(traced):
    replies = [traced.ask("GET", "/livez", headers=headers) for headers, _, _ in PARENTS]
    for reply, (headers, trace, parent) in zip(replies, PARENTS):
        span = span_of(traced, reply)
        assert span.parent == parent, headers
        assert (span.trace == trace) if trace else (span.trace not in (TRACE, AMAZON_TRACE)), headers


# --- all of them ---


def test_every_request_has_its_span(cluster, collector):
    """Requests of different kinds, each with a trace of its own, by several clients at once: each has one span with its own parent,
    each statement's span is below a request's of the same trace, and no two spans have the same id."""
    with Service(cluster, workers=4, otlp_endpoint=collector.url, exporter=EXPORTER, log_level="warning") as service:

        def ask(number):
            headers = {"traceparent": f"00-{number + 1:032x}-{number + 1:016x}-01"}
            target = ("/api/activities/home", "/api/activities/@andrewbrown", "/livez", "/api/activities/@bayko?limit=2", "/api/nothing")[number % 5]
            return service.ask("GET", target, headers=headers).status

        with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
            statuses = list(threads.map(ask, range(REQUESTS)))
        assert set(statuses) == {200, 404}
        eventually(lambda: len(collector.requests()) >= REQUESTS, what=f"{REQUESTS} spans")
        exported, failed, dropped = counts(service)
    spans = [span for span in collector.requests() if span.name != "GET /metrics"]
    statements = collector.statements()
    assert sorted((span.trace, span.parent) for span in spans) == [(f"{n + 1:032x}", f"{n + 1:016x}") for n in range(REQUESTS)]
    assert {int(span.trace, 16) % 5 for span in spans if span.attributes["http.response.status_code"] == 404} == {0}
    ids = {span.id: span for span in collector.requests()}
    assert len({span.id for span in collector.spans}) == len(collector.spans)
    for statement in statements:
        assert statement.trace == ids[statement.parent].trace
        assert ids[statement.parent].start <= statement.start <= statement.end <= ids[statement.parent].end
    assert len([statement for statement in statements if statement.name == "users/feed"]) == 2 * REQUESTS // 5
    assert (failed, dropped) == (0, 0) and exported >= REQUESTS
    assert all(len(json.loads(body)["resourceSpans"][0]["scopeSpans"][0]["spans"]) <= BATCH for body in collector.bodies)


def test_the_last_spans_are_sent_at_the_end(cluster, collector):
    with Service(cluster, otlp_endpoint=collector.url, exporter=EXPORTER) as service:
        for _ in range(20):
            service.home()
    assert len(collector.requests()) == 20


def test_a_reload_loses_none(cluster, collector):
    """No span is lost, whether or not the reload has already replaced the exporter when the pool ends."""
    with Service(cluster, workers=2, otlp_endpoint=collector.url, exporter=EXPORTER, log_level="info") as service:
        for _ in range(10):
            service.home()
        (first,) = eventually(lambda: exporters(service), what="an exporter")
        service.daemon.reload()
        eventually(lambda: exporters(service) not in ([], [first]), what="another exporter")
        for _ in range(10):
            service.home()
        service.daemon.reload()
        for _ in range(10):
            service.home()
    assert len({span.id for span in collector.requests()}) == 30


def test_a_killed_worker_and_a_killed_exporter(cluster, collector):
    """Spans in the rings wait for the next exporter, and the next worker continues the ring of the last. A worker that is killed may
    have sent an answer whose span it had not written yet."""
    with Service(cluster, workers=2, otlp_endpoint=collector.url, exporter=EXPORTER, log_level="info") as service:
        for kill in (service.daemon.workers, lambda: exporters(service)) * 2:
            for _ in range(10):
                service.home()
            pids = eventually(kill, what="a process")
            os.kill(pids[0], signal.SIGKILL)
            eventually(lambda: not is_alive(pids[0]) and exporters(service) and len(service.daemon.workers()) == 2, what="another one")
        for _ in range(10):
            service.home()
        assert counts(service)[1:] == (0, 0)
    assert 48 <= len({span.id for span in collector.requests() if span.name != "GET /metrics"}) <= 50


# --- a collector that does not take them ---


def ask_many(service, count):
    """Sends count requests; all are answered."""
    with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
        assert set(threads.map(lambda _: service.get("/livez").status, range(count))) == {200}


def test_a_dead_collector(cluster):
    """What does not fit into the ring is dropped and counted, and all requests are answered."""
    with Collector() as collector:
        pass
    with Service(cluster, workers=1, otlp_endpoint=collector.url, exporter=EXPORTER, log_level="warning") as service:
        ask_many(service, RING + 200)
        service.daemon.wait_for_message("the collector is away: no answer")
        assert counts(service) == (0, 0, 200 + OWN)


def test_a_slow_collector(cluster, collector):
    """Spans are dropped while the collector does not answer; those that were kept arrive when it does."""
    with Service(cluster, workers=1, otlp_endpoint=collector.url, exporter=EXPORTER, log_level="warning") as service:
        collector.gate.clear()
        ask_many(service, RING + 200)
        assert counts(service) == (0, 0, 200 + OWN)
        collector.gate.set()
        eventually(lambda: len({span.id for span in collector.requests() if span.name == "GET /livez"}) == RING, what="those that were kept")
        assert counts(service)[1] == 0


def test_a_collector_that_refuses(cluster, collector):
    """The spans are counted as failed and not sent again. The log says so once, without the content of the headers file."""
    collector.set_answer(401, b"no")
    with Service(cluster, otlp_endpoint=collector.url, exporter=EXPORTER, log_level="warning") as service:
        ask_many(service, 50)
        eventually(lambda: counts(service)[1] >= 50, what="the failed spans")
        eventually(lambda: service.log.messages("traces"), what="what the log says")
        assert service.log.messages("traces") == ["the collector refuses spans: status 401"]
        collector.set_answer(200)
        ask_many(service, 10)
        eventually(lambda: counts(service)[0] >= 10, what="spans that are taken")


@pytest.mark.parametrize("status, retry_after, seconds", [(429, "3", 3), (502, None, 1), (503, "Thu, 01 Jan 1970 00:00:00 GMT", 1), (504, "0", 1)])
def test_a_collector_that_is_busy(cluster, collector, status, retry_after, seconds):
    """The collector gets the same spans again, no sooner than it asked for."""
    collector.set_answer(status, b"", **({"Retry_After": retry_after} if retry_after else {}))
    with Pool(otlp_endpoint=collector.url, exporter=EXPORTER, log_level="warning") as pool:
        with pool.peer() as peer:
            for _ in range(5):
                assert peer.ask().status == 200
        pool.daemon.wait_for_message(f"the collector is away: status {status}")
        collector.set_answer(200)
        eventually(lambda: len(collector.requests()) >= 5, what="the spans")
        first, *_, last = collector.times
        assert last - first >= seconds
    assert len(collector.requests()) == 5


def test_partial_success(cluster, collector):
    collector.set_answer(200, b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"three too many"}}')
    with Service(cluster, otlp_endpoint=collector.url, exporter=EXPORTER, log_level="warning") as service:
        for _ in range(5):
            service.get("/livez")
        eventually(lambda: counts(service)[1] >= 3, what="the failed spans")


def test_a_certificate_that_is_not_trusted():
    folder = Folder()
    try:
        with Collector(Authority(folder.path).server_file) as collector:
            with Pool(otlp_endpoint=collector.url, exporter=EXPORTER, log_level="warning") as pool:
                with pool.peer() as peer:
                    assert peer.ask().status == 200
                pool.daemon.wait_for_message("the collector is away: no answer: SSL")
        assert collector.headers == []
    finally:
        folder.remove()


# --- the process ---


def test_headers_of_a_file(cluster, collector):
    folder = Folder()
    try:
        file = folder.path / "headers"
        file.write_text("# of Honeycomb\nx-honeycomb-team: s3cret\n\nx-other: 2\n")
        file.chmod(0o600)
        with Service(cluster, otlp_endpoint=collector.url + "/", otlp_headers_file=file, exporter=EXPORTER) as service:
            service.home()
            (exporter,) = eventually(lambda: exporters(service), what="an exporter")
            shown = [pathlib.Path(f"/proc/{exporter}/{name}") for name in ("cmdline", "environ")]
            assert b"s3cret" not in b"".join(file.read_bytes() for file in shown)
            eventually(collector.requests, what="a span")
            assert "s3cret" not in service.log.text
        path, headers = collector.headers[0]
        assert (path, headers["x-honeycomb-team"], headers["x-other"]) == ("/v1/traces", "s3cret", "2")
    finally:
        folder.remove()


def test_the_exporter_has_little(cluster, collector):
    """The exporter has no listening socket, nothing of the database, and only a few variables of the environment, such as paths."""
    environment = {"PGPASSWORD": "not-for-the-exporter", "CRUDDUR_APP_PASSWORD": "nor-this"}
    with Service(cluster, otlp_endpoint=collector.url, exporter=EXPORTER, environment=environment) as service:
        (exporter,) = eventually(lambda: exporters(service), what="an exporter")
        assert not sockets_of(exporter) & sockets_of(service.daemon.pid)
        file = pathlib.Path(f"/proc/{exporter}/environ")
        variables = eventually(file.read_bytes, what="its environment, which the kernel sets last").split(b"\0")
        names = {variable.partition(b"=")[0] for variable in variables if variable}
        assert names <= {b"PATH", b"HOME", b"LC_ALL", b"ASAN_OPTIONS", b"UBSAN_OPTIONS", b"LSAN_OPTIONS"}


def test_without_a_collector(start):
    """There is neither an exporter nor anything to count."""
    service = start(log_level="info")
    assert "trace_id" not in service.line_of(service.ask("GET", "/livez", headers=SAMPLED))
    assert exporters(service) == []
    assert counts(service) == (0, 0, 0)


def test_turned_on_and_off_by_a_reload(cluster, collector):
    folder = Folder()
    try:
        file = folder.path / "settings"
        file.write_text("")
        file.chmod(0o600)
        with Service(cluster, settings_file=file, exporter=EXPORTER, log_level="info") as service:
            service.get("/livez")
            for is_on in (True, False, True):
                file.write_text(f"CRUDDUR_OTLP_ENDPOINT={collector.url}\n" if is_on else "")
                service.daemon.reload()
                eventually(lambda: len(exporters(service)) == is_on, what="an exporter, or none")
                assert ("trace_id" in service.line_of(service.get("/livez"))) == is_on
        assert len(collector.requests()) == 2
    finally:
        folder.remove()
