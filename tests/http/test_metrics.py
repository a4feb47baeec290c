"""GET /metrics: what the pool did, whichever worker answers and even if workers have ended; the dashboard and the alerts that use it."""

import collections
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from client import Asking, Client
from daemon import run_once
from fcgi import request
from places import SQL, TOP, Folder
from ports import free_port
from service import Service
from waiting import Stopwatch, eventually

SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="([^"]*)"')
HOME, CREATE = ("GET", "/api/activities/home"), ("POST", "/api/activities")
NONE = ("-", "-")


@pytest.fixture
def service(cluster):
    with Service(cluster, workers=4, log_level="info") as service:
        yield service


class Metrics:
    """One scrape: {name: {labels: value}}, the labels as a sorted tuple of pairs."""

    def __init__(self, service):
        reply = service.get("/metrics")
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        self.text = reply.body.decode()
        self.samples = collections.defaultdict(dict)
        for line in self.text.splitlines():
            if not line.startswith("#"):
                name, labels, value = SAMPLE.fullmatch(line).groups()
                self.samples[name][tuple(sorted(LABEL.findall(labels or "")))] = float(value)

    def value(self, name, **labels):
        return self.samples[name].get(tuple(sorted(labels.items())), 0)

    def requests(self):
        """{(method, route, status): count}, without those for /metrics."""
        found = {}
        for labels, count in self.samples["cruddur_requests_total"].items():
            labels = dict(labels)
            if labels["route"] != "/metrics":
                found[labels["method"], labels["route"], int(labels["status"])] = count
        return found

    def buckets(self, route):
        """The buckets of one (method, route), in their order."""
        return [
            (float(dict(labels)["le"].replace("+Inf", "inf")), count)
            for labels, count in self.samples["cruddur_request_seconds_bucket"].items()
            if (dict(labels)["method"], dict(labels)["route"]) == route
        ]


def test_every_request_is_counted_once(service):
    """Four workers count at once; each of them reports the same counts."""
    service.wait_for_workers(4)

    def ask(number):
        service.home()
        service.home("?limit=0")
        service.ask("HEAD", "/api/health-check")
        service.get(f"/api/activities/@nobody{number}")
        service.ask("OPTIONS", "/livez")
        service.ask("DELETE", "/api/trends")
        service.get(f"/api/nothing/{number}")
        return service.create(f"number {number}").status

    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        assert set(threads.map(ask, range(100))) == {200}
    expected = {
        (*HOME, 200): 100, (*HOME, 422): 100, (*CREATE, 200): 100, ("GET", "/api/health-check", 200): 100,
        ("GET", "/api/activities/@{handle}", 404): 100, (*NONE, 204): 100, (*NONE, 405): 100, (*NONE, 404): 100,
    }  # fmt: skip
    before = 0
    for _ in range(12):
        metrics = Metrics(service)
        assert metrics.requests() == expected
        own = metrics.value("cruddur_requests_total", method="GET", route="/metrics", status="200")
        assert own == before
        before += 1


def test_histograms(service):
    service.home()
    service.home()
    with service.database.locked_user():
        slow = Asking(service.create)
        service.database.wait_for_waiting()
        time.sleep(0.3)
    assert slow.reply().status == 200
    metrics = Metrics(service)
    took = metrics.value("cruddur_request_seconds_sum", method="POST", route="/api/activities")
    waited = metrics.value("cruddur_request_database_seconds_total", method="POST", route="/api/activities")
    assert 0.3 < waited <= took
    buckets = metrics.buckets(CREATE)
    assert [count for bound, count in buckets if bound <= 0.25] == [0] * 10
    assert buckets == [(bound, took <= bound) for bound, _ in buckets]
    for route in (HOME, CREATE):
        counts = [count for _, count in metrics.buckets(route)]
        assert counts == sorted(counts)
        assert metrics.buckets(route)[-1][0] == float("inf")
        assert counts[-1] == metrics.value("cruddur_request_seconds_count", method=route[0], route=route[1])
        assert counts[-1] == sum(count for key, count in metrics.requests().items() if key[:2] == route)


def test_nothing_counted_is_lost_with_a_worker(service):
    """Each worker is killed; the worker that replaces it continues its counts."""
    service.wait_for_workers(4)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: service.home(), range(200)))
    assert Metrics(service).requests() == {(*HOME, 200): 200}
    for killed in range(1, 5):
        pids = service.daemon.workers()
        os.kill(pids[0], signal.SIGKILL)
        service.wait_for_workers(4, other_than=pids[:1])
        metrics = eventually(lambda: is_complete(Metrics(service)), what="four workers at work")
        assert metrics.value("cruddur_worker_restarts_total") == killed
        assert metrics.requests() == {(*HOME, 200): 200}
    service.home()
    assert Metrics(service).requests() == {(*HOME, 200): 201}


def is_complete(metrics, count=4):
    at_work = sum(metrics.value("cruddur_workers", state=state) for state in ("idle", "busy"))
    return at_work == count == metrics.value("cruddur_workers_wanted") and metrics


def test_reloads(service):
    """A worker that a reload replaces is no restart, and its counts stay."""
    for _ in range(20):
        service.home()
    service.daemon.reload()
    metrics = eventually(lambda: is_complete(Metrics(service)), what="four new workers")
    assert metrics.value("cruddur_reloads_total", result="done") == 1
    assert metrics.value("cruddur_reloads_total", result="refused") == 0
    assert metrics.value("cruddur_worker_restarts_total") == 0
    assert metrics.requests() == {(*HOME, 200): 20}
    os.chmod(service.url_file, 0o644)  # a mode that is refused
    service.daemon.signal(signal.SIGHUP)
    eventually(lambda: Metrics(service).value("cruddur_reloads_total", result="refused"), what="a refused reload")
    os.chmod(service.url_file, 0o600)


def test_the_database_is_away(cluster):
    with Service(cluster, statement_timeout=300, deadline=500) as service:

        def sessions(event, *lanes):
            return sum(Metrics(service).value("cruddur_database_sessions_total", lane=lane, event=event) for lane in lanes)

        eventually(lambda: service.home().status == 200, what="an answer")
        eventually(lambda: Metrics(service).value("cruddur_database_up") == 1, what="a database")
        service.write_url(service.database.url(hosts=[service.path]))
        service.database.terminate_sessions()
        assert service.create().status == 503
        metrics = eventually(lambda: not (m := Metrics(service)).value("cruddur_database_up") and m, what="no database")
        assert not any(name.startswith("cruddur_purge") for name in metrics.samples)
        assert metrics.requests()[(*HOME, 200)] == 1
        eventually(lambda: sessions("failed", "writes"), what="an attempt that failed")
        eventually(lambda: sessions("ended", "reads"), what="a session that ended")
        service.write_url(service.database.url())
        eventually(lambda: Metrics(service).value("cruddur_database_up") == 1, what="a database again")


def test_the_kept_feed(cluster):
    with Service(cluster, workers=1) as service:

        def served(source):
            return Metrics(service).value("cruddur_feed_requests_total", source=source)

        eventually(lambda: service.home() and served("kept"), what="a kept page")
        before = sum(map(served, ("kept", "shared", "asked")))
        for _ in range(5):
            service.home()
        assert sum(map(served, ("kept", "shared", "asked"))) == before + 5
        asked = served("asked")
        service.create()
        service.home()
        assert served("asked") == asked + 1
        assert Metrics(service).value("cruddur_database_sessions_total", lane="watch", event="begun") == 1


def test_the_purge(service):
    sql = service.database.sql
    sql("truncate activities cascade")
    metrics = Metrics(service)
    assert metrics.value("cruddur_purge_lag_seconds") == metrics.value("cruddur_purged_posts_total") == 0
    assert metrics.value("cruddur_purge_finished_timestamp_seconds") == 0
    with Stopwatch() as watch:
        service.database.add_activities(7, created_at="now() - interval '1 day'", expires_at="now() - n * interval '10 minutes'")
        lag = Metrics(service).value("cruddur_purge_lag_seconds")
        assert 4200 <= lag <= 4200 + watch.elapsed()
        assert sql("select purge_expired(5)") == [(5,)]
        metrics = Metrics(service)
        assert 1200 <= metrics.value("cruddur_purge_lag_seconds") <= 1200 + watch.elapsed()
    assert metrics.value("cruddur_purged_posts_total") == 5
    sql("select purge_expired(5)")
    before = time.time()
    sql("select note_purge_end()")
    metrics = Metrics(service)
    assert metrics.value("cruddur_purge_lag_seconds") == 0
    assert metrics.value("cruddur_purged_posts_total") == 7
    assert before - 1 < metrics.value("cruddur_purge_finished_timestamp_seconds") < time.time() + 1


def test_a_client_that_leaves(cluster):
    """The client leaves while its statement still waits behind another one."""
    with Service(cluster, workers=1) as service:
        with service.database.locked_user():
            asking = Asking(service.create)
            service.database.wait_for_waiting()
            with service.peer() as peer:
                body = json.dumps({"message": "hi", "ttl": "1-day", "user_handle": "londo"}).encode()
                peer.send(request("POST", "/api/activities", body))
                with service.peer() as last:  # the worker has read the other request when it answers this one
                    assert last.ask().status == 200
            eventually(lambda: Metrics(service).requests().get((*CREATE, 499)), what="its line")
        assert asking.reply().status == 200
        assert Metrics(service).requests()[(*CREATE, 499)] == 1


def test_others_are_not_told(service):
    assert service.get("/metrics").status == 200
    stranger = Client(service.port, source="127.0.0.2")
    assert stranger.get("/api/activities/home").status == 200
    reply = stranger.get("/metrics")
    assert (reply.status, reply.codes) == (403, ["generic_403"])
    assert b"cruddur_" not in reply.body


def test_without_a_pool(cluster, service):
    """The CGI program reports only what the database knows."""
    run = run_once("--sql-dir", SQL, environment={"REQUEST_METHOD": "GET", "REQUEST_URI": "/metrics", "CONNECTION_URL": service.database.url()})
    assert "cruddur_database_up 1\n" in run.stdout
    assert "cruddur_purged_posts_total 0\n" in run.stdout
    assert "cruddur_workers" not in run.stdout


# --- dashboard and alerts ---

NAMES = re.compile(r"\b(?:cruddur|process)_[a-z_]+")


def dashboard():
    return json.loads((TOP / "infra/grafana/cruddur.json").read_text())


def queries():
    """The dashboard's queries, as Grafana would send them."""
    found = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    found += [annotation["expr"] for annotation in dashboard()["annotations"]["list"]]
    return [query.replace("$__rate_interval", "10s").replace("$instance", ".*") for query in found]


@pytest.fixture(scope="module")
def used(cluster):
    """A service that has all metrics."""
    with Service(cluster, workers=4, log_level="info") as service:
        service.home()
        service.create()
        service.get("/api/nothing")
        service.get("/metrics")
        yield service


def test_what_is_looked_at_is_there(used):
    there = Metrics(used).samples.keys()
    alerts = (TOP / "infra/prometheus/alerts.yml").read_text()
    rules = re.findall(r"expr: (?:\|\n)?(.*?)\n +(?:for|labels):", alerts, re.S)
    assert len(rules) == alerts.count("- alert:")
    wanted = {name for query in [*queries(), *rules] for name in NAMES.findall(query)}
    assert wanted - there == set()
    assert {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in there} - {
        name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in wanted
    } == {"cruddur_build_info"}


def test_the_format(used):
    if not shutil.which("promtool"):
        pytest.skip("promtool is missing")
    run = subprocess.run(["promtool", "check", "metrics"], input=Metrics(used).text, capture_output=True, encoding="utf-8")
    assert (run.returncode, run.stderr) == (0, "")


def test_the_manual_has_every_metric(used):
    manual = (TOP / "man/cruddurd.8").read_text().split(".Sh METRICS\n")[1].split("\n.Sh ")[0]
    told = re.findall(r"^# TYPE (\w+)", Metrics(used).text, re.M)
    assert re.findall(r"^\.It Li (\w+)$", manual, re.M) == sorted(told)


def test_panels_do_not_overlap():
    taken = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


class Prometheus:
    """Prometheus with the configuration of infra/, but with shorter intervals and another target."""

    def __init__(self, target):
        self.folder = Folder()
        self.port = free_port()
        configuration = (TOP / "infra/prometheus/prometheus.yml").read_text()
        assert "127.0.0.1:8080" in configuration
        (self.folder.path / "prometheus.yml").write_text(configuration.replace("15s", "1s").replace("127.0.0.1:8080", f"127.0.0.1:{target}"))
        shutil.copy(TOP / "infra/prometheus/alerts.yml", self.folder.path)

    def __enter__(self):
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={self.folder.path}/prometheus.yml", f"--storage.tsdb.path={self.folder.path}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.remove()

    def ask(self, path, **query):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}") as answer:
                return json.load(answer)["data"]
        except (ConnectionError, urllib.error.URLError):
            return None

    def rules(self):
        return [rule["health"] for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def alerts(self):
        return [alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"]]

    def query(self, query):
        answer = self.ask("query", query=query)
        return answer and answer["result"]


def test_a_real_prometheus(used):
    """Prometheus accepts the metrics, each query of the dashboard has an answer, and no alert fires without a cause."""
    if not shutil.which("prometheus"):
        pytest.skip("prometheus is missing")
    with Prometheus(used.port) as prometheus:
        eventually(lambda: prometheus.query('up{job="cruddur"} == 1'), what="a scrape")
        used.home()
        for query in queries():
            is_rare = "changes(" in query or "finished" in query or "topk" in query
            # A rate needs two scrapes within ten seconds.
            eventually(lambda: prometheus.query(query) or is_rare and prometheus.ask("query", query=query), what=query)  # noqa: B023
        eventually(lambda: prometheus.rules() == ["ok"] * 11, what="eleven rules that were looked at")
        # An alert about a late scrape ends again. CruddurSlow may be right on a slow machine.
        eventually(lambda: set(prometheus.alerts()) <= {"CruddurSlow"}, what="no alert")
