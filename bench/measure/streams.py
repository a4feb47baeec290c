"""Open streams of home's events: the memory of each, the delay until the last one has an event, and their cost for requests for home.

A fault like those of the other files: a function that runs one round and returns (measures, what was wrong).
"""

import resource
import select
import socket
import statistics
import time

import generators
import processes
import settings
from database import Session
from traces import MILLISECOND

EVENTS = b"GET /api/activities/home/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
OF_ONE_ADDRESS = 20  # as in nginx/events.conf
DESCRIPTORS_LEFT = 500
CHANGE = "update activities set message = 'stream {}' where uuid = (select uuid from activities order by created_at desc limit 1)"


class Streams:
    """with Streams(port, count) as streams: … In the block each has had its first event. Clients have addresses of the loopback network."""

    def __init__(self, port, count):
        self.port = port
        self.count = count
        self.sockets = {}
        self.poll = select.epoll()

    def __enter__(self):
        for number in range(self.count):
            address = number // OF_ONE_ADDRESS
            client = socket.create_connection(("127.0.0.1", self.port), source_address=(f"127.1.{address // 250}.{address % 250 + 1}", 0))
            client.sendall(EVENTS)
            self.sockets[client.fileno()] = client
            self.poll.register(client, select.EPOLLIN)
        self.until_told()
        return self

    def __exit__(self, *_):
        for client in self.sockets.values():
            client.close()
        self.poll.close()

    def until_told(self):
        """Waits until every stream has an event. Returns the moment of the last one; self.missing is the number that had none."""
        missing = set(self.sockets)
        end = time.monotonic() + settings.STREAM_PATIENCE_SECONDS
        while missing and time.monotonic() < end:
            for descriptor, _ in self.poll.poll(1, maxevents=1024):
                got = self.sockets[descriptor].recv(65536)
                if b'"new":' in got:
                    missing.discard(descriptor)
                if not got:
                    self.poll.unregister(descriptor)
        self.missing = len(missing)
        return time.monotonic()


def sizes(pids):
    """The resident memory of all the processes together, in bytes."""
    return 1024 * sum(processes.memory(pid, "Rss") for pid in pids)


def homes(scene, pool, pids):
    """A run of requests for the cached home, with the processor time that the processes took for one request, in µs."""
    seconds = scene.bench.seconds if scene.bench.quick else settings.STREAM_SECONDS
    before = processes.cpu_seconds(pids)
    figures = generators.wrk(f"http://127.0.0.1:{pool.port}", scene.bench.request_file("kept"), 32, seconds)
    figures["cpu"] = (processes.cpu_seconds(pids) - before) / max(figures["requests"], 1) * 1e6
    return figures


def told(streams, session, number):
    """The time from a commit elsewhere until the last stream has its event, in milliseconds."""
    session.run(CHANGE.format(number))
    committed = time.monotonic()
    return (streams.until_told() - committed) * MILLISECOND


def possible():
    """The number of streams for which this process, the workers and nginx have descriptors. A stream takes two of nginx's."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(settings.STREAMS, hard // 2 - DESCRIPTORS_LEFT)


def streams(scene):
    """Measures home without streams, beside them, and without them again. On a machine that others use, too, the processor time is more reliable
    than the rate."""
    count = possible()
    front = processes.children(processes.server_pid(scene.bench.dir, "nginx"))
    wrong = [] if count == settings.STREAMS else [f"only {count} streams, for want of descriptors"]
    with scene.pool(streams=settings.STREAMS, workers=settings.STREAM_WORKERS) as pool, Session(scene.bench) as session:
        scene.warm(pool)
        workers = pool.workers()
        homes(scene, pool, [*workers, *front])
        alone = [homes(scene, pool, [*workers, *front])]
        before = sizes(workers), sizes(front)
        with Streams(pool.port, count) as opened:
            wrong.append(f"{opened.missing} streams without an event" if opened.missing else "")
            after = sizes(workers), sizes(front)
            late = max(told(opened, session, number) for number in range(settings.STREAM_WRITES))
            wrong.append(f"{opened.missing} streams without the event of a write" if opened.missing else "")
            beside = homes(scene, pool, [*workers, *front])
        alone.append(homes(scene, pool, [*workers, *front]))
    wrong += [run["errors"] for run in (*alone, beside)]
    return {
        "streams/worker bytes": (after[0] - before[0]) / count,
        "streams/nginx bytes": (after[1] - before[1]) / count,
        "fault/streams/last event after a commit": late,
        "rate/cruddurd/kept beside streams": beside["rate"],
        "rate/cruddurd/kept beside none": statistics.mean(run["rate"] for run in alone),
        "streams/processor time of a kept home beside them": beside["cpu"],
        "streams/processor time of a kept home beside none": statistics.mean(run["cpu"] for run in alone),
    }, wrong
