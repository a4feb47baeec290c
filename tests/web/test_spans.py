"""What the exporter of traces sends, decoded by OpenTelemetry's own definitions (npm's @opentelemetry/otlp-transformer).

TESTS_SPANS is the number of requests; ten thousand for a thorough run."""

import concurrent.futures
import os
import pathlib
import subprocess
import urllib.error
import urllib.request

import pytest

from collector import CLIENT, SERVER, Collector, spans_of
from running import TOP, Quickstart
from waiting import PATIENCE

REQUESTS = int(os.environ.get("TESTS_SPANS", "1000"))
THREADS = 8
TARGETS = ("/api/activities/home", "/api/activities/@andrewbrown", "/livez", "/api/activities/@bayko?limit=2", "/api/nothing")
MODULES = pathlib.Path(os.environ.get("OTLP_MODULES") or TOP / "tests/otlp/node_modules")


def ask(quickstart, number):
    """Sends a request with a trace of its own. Returns its status."""
    headers = {"traceparent": f"00-{number + 1:032x}-{number + 1:016x}-01"}
    request = urllib.request.Request(quickstart.url + TARGETS[number % len(TARGETS)], headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture(scope="module")
def bodies():
    """All bodies that a collector got for the requests."""
    with Collector() as collector:
        quickstart = Quickstart()
        try:
            exporter = str(quickstart.data / "build/cruddur-export-spans")
            quickstart.start(CRUDDUR_OTLP_ENDPOINT=collector.url, CRUDDUR_EXPORTER=exporter)
            with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
                assert set(threads.map(lambda number: ask(quickstart, number), range(REQUESTS))) == {200, 404}
        finally:
            quickstart.remove()  # the last spans are sent at its end
    return collector.bodies


def test_the_official_definitions_read_every_span(bodies):
    """Each request has its span with its parent, and each statement's span is below one of them."""
    command = ["node", str(TOP / "tests/otlp/decode.mjs"), str(MODULES)]
    run = subprocess.run(command, input=b"\n".join(bodies), capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    spans = [span for line in run.stdout.splitlines() for span in spans_of(line)]
    requests = {span.id: span for span in spans if span.kind == SERVER}
    asked = [(span.trace, span.parent) for span in requests.values() if span.parent is not None]
    assert sorted(asked) == [(f"{n + 1:032x}", f"{n + 1:016x}") for n in range(REQUESTS)]
    statements = [span for span in spans if span.kind == CLIENT]
    assert all(requests[span.parent].trace == span.trace for span in statements)
    assert len(statements) >= 2 * REQUESTS // len(TARGETS)
