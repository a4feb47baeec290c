"""Writes from elsewhere, too many connections, slow clients, a silent issuer.

Each fault is a function of a scene that runs one round of it, and returns (measures, what was wrong).
"""

import base64
import contextlib
import http.client
import json
import socket
import time

import generators
import settings
import traces
from database import Session
from slow import SlowClients
from traces import MILLISECOND, Traffic

READERS = 8
CHANGE = "update activities set message = '{}' where uuid = (select uuid from activities order by created_at desc limit 1)"
BESIDE = {"livez": (200, 16), "kept": (200, 16), "show": (200, 16)}
FETCHER = "usr/local/libexec/cruddur/cruddur-fetch-keys"


def oldest_home(connections, text, committed):
    """The time from the commit to the last request whose home lacked the commit, in milliseconds."""
    oldest = 0
    seen = 0
    while seen < settings.ELSEWHERE_TIMES:
        asked = time.monotonic()
        for connection in connections:
            connection.request("GET", settings.HOME_PATH)
        answers = [connection.getresponse().read() for connection in connections]
        seen += 1
        if not all(text in answer for answer in answers):
            oldest, seen = (asked - committed) * MILLISECOND, 0
        if asked - committed > settings.AFTER_SECONDS:
            break
    return oldest


def write_elsewhere(scene):
    with scene.pool() as pool, contextlib.ExitStack() as stack:
        scene.warm(pool)
        session = stack.enter_context(Session(scene.bench))
        traffic = stack.enter_context(Traffic(scene.bench, pool.port, kept=(500, 32)))
        connections = [http.client.HTTPConnection("127.0.0.1", pool.port) for _ in range(READERS)]
        oldest = 0
        for number in range(settings.ELSEWHERE_WRITES):
            text = f"from elsewhere, number {number}"
            session.run(CHANGE.format(text))
            oldest = max(oldest, oldest_home(connections, text.encode(), time.monotonic()))
    return {"fault/write from elsewhere/kept home without it": oldest}, [traffic.wrong()]


def refusals(answers):
    return [answer for answer in answers if answer.status == 503]


def overload(scene):
    """More connections than the pool accepts at once, with a queue that is too short for them."""
    with scene.pool(backlog=settings.OVERLOAD_BACKLOG) as pool:
        scene.warm(pool)
        stream = ("show", 0, settings.PEAK_CONNECTIONS, "get", scene.bench.request_file("show"))
        peak = generators.pace(scene.bench, pool.port, settings.OVERLOAD_SECONDS, settings.HOME_PATH, [stream])["show"]
        with Traffic(scene.bench, pool.port, show=(100, 64)) as steady:
            begun = time.monotonic()
            with Traffic(scene.bench, pool.port, flood=(0, settings.OVERLOAD_CONNECTIONS, "show")) as flood:
                time.sleep(settings.OVERLOAD_SECONDS)
                while len(refusals(flood.so_far("flood"))) < settings.REFUSALS_LEAST:
                    if time.monotonic() - begun > settings.OVERLOAD_LONGEST:
                        break
                    time.sleep(settings.OVERLOAD_SECONDS)
            over = time.monotonic()
            until = steady.until_normal(["show"], over, settings.AFTER_SECONDS)
    answers = flood.answers["flood"]
    refused = refusals(answers)
    took = max(answer.arrived for answer in answers) - min(answer.due for answer in answers)
    wrong = [steady.wrong(show=(503,)), flood.wrong(flood=(503,)), peak["errors"]]
    if len(refused) < settings.REFUSALS_LEAST:
        wrong.append(f"only {len(refused)} refusals")
    normal = traces.milliseconds_to_normal(steady.answers["show"], over, until)
    return {
        "fault/beyond the backlog/refusals p99": traces.percentile(refused, 0.99) if refused else 0,
        "fault/beyond the backlog/normal again": normal,
        "rate/cruddurd/show beyond the backlog": (len(answers) - len(refused)) / took,
        "rate/cruddurd/show before it": peak["per_second"],
    }, wrong


def slow_clients(scene):
    """Measures the same pool without slow clients and beside them."""
    p99, wrong = {}, []
    with scene.pool() as pool:
        scene.warm(pool)
        for kind in ("none", "them"):
            with contextlib.ExitStack() as stack:
                if kind == "them":
                    stack.enter_context(SlowClients(pool))
                traffic = stack.enter_context(Traffic(scene.bench, pool.port, **BESIDE))
                time.sleep(settings.SLOW_SECONDS)
            p99[kind] = max(traces.percentile(answers, 0.99) for answers in traffic.answers.values())
            wrong.append(traffic.wrong())
    return {f"fault/slow clients/p99 beside {kind}": value for kind, value in p99.items()}, wrong


def unknown_key(scene):
    """A token signed with a key that the pool does not have, while the issuer accepts connections and sends nothing."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": "unknown"}).encode()).decode().rstrip("=")
    with socket.create_server(("127.0.0.1", 0)) as issuer:
        url = f"https://127.0.0.1:{issuer.getsockname()[1]}/keys.json"
        with scene.pool(jwks_url=url, fetcher=scene.bench.dir / "root" / FETCHER) as pool:
            scene.warm(pool)
            with Traffic(scene.bench, pool.port, livez=(200, 16)) as traffic:
                time.sleep(settings.ARRIVAL_SECONDS)
                start = time.monotonic()
                status = ask_with_token(pool, f"{header}.e30.AAAA")
                took = (time.monotonic() - start) * MILLISECOND
    return {
        "fault/issuer silent/answer to an unknown key": took,
        "fault/issuer silent/livez": traces.worst(traffic.answers["livez"]),
    }, [traffic.wrong(), "" if status in (401, 503) else f"the token is answered with {status}"]


def ask_with_token(pool, token):
    connection = http.client.HTTPConnection("127.0.0.1", pool.port)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with contextlib.closing(connection):
        connection.request("POST", "/api/activities", b"{}", headers)
        return connection.getresponse().status
