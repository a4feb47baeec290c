#!/usr/bin/python3
"""Sends mutated FastCGI to a whole cruddurd with its PostgreSQL: worker.py [--seconds N | --executions N] [--seed N] [--folder DIR] [--only N].

CRUDDURD names a daemon that was built with --enable-sanitizers. An execution is a connection with a few requests, whose records, parameters
and bodies are changed and sent in pieces; several connections are open at the same time. An execution depends only on the seed and its number,
so a run continues where the one before it ended. No worker may end, no sanitizer may report anything, answers must be FastCGI, and other clients
must be served meanwhile."""

import argparse
import contextlib
import json
import pathlib
import random
import select
import signal
import socket
import struct
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/http"))

import fcgi  # noqa: E402
from cluster import Cluster, Database  # noqa: E402
from service import Pool  # noqa: E402

AT_ONCE = 24  # connections
PROBE_EVERY = 20  # batches
KINDS = (*range(12), 255)
POST = '{"user_handle":"londo","message":"%s","ttl":"1-hour"}'
UUID = "0d6a1f8e-52c1-4b8e-9f27-3a1c5d0b8e64"
REQUESTS = [
    ("GET", "/livez", ""), ("GET", "/readyz", ""), ("GET", "/metrics", ""), ("GET", "/api/health-check", ""), ("HEAD", "/api/activities/home", ""),
    ("GET", "/api/activities/home", ""), ("GET", "/api/activities/home?limit=3", ""), ("GET", "/api/activities/search?term=x", ""),
    ("GET", "/api/activities/@londo", ""), ("GET", f"/api/activities/{UUID}", ""), ("POST", "/api/activities", POST % "x"),
    ("POST", f"/api/activities/{UUID}/reply", POST % "y"), ("POST", f"/api/activities/{UUID}/like", '{"user_handle":"londo"}'), ("OPTIONS", "/api/activities", ""),
    ("GET", "/api/users/@londo/short", ""), ("GET", "/api/message_groups", ""), ("POST", "/api/messages", '{"message":"x","user_receiver_handle":"londo"}'),
    ("GET", "/api/notifications", ""), ("POST", "/api/hooks/cognito/post-confirmation", "{}"), ("GET", "/api/events/home", ""), ("DELETE", f"/api/activities/{UUID}", ""),
    ("GET", "/api/metrics/growth?days=3", ""), ("PUT", "/api/nothing", "{}"), ("GET", "/api/users/@a%00b/short", ""),
]  # fmt: skip
PARAMETERS = {
    "HTTP_ORIGIN": ["http://localhost:3000", "null", "x" * 300], "HTTP_AUTHORIZATION": ["Bearer a.b.c", "Bearer", "x" * 5000],
    "HTTP_IF_NONE_MATCH": ['"x"', "*", 'W/"a", "b"'], "HTTP_IDEMPOTENCY_KEY": ["k", "k" * 300], "HTTP_X_REQUEST_ID": ["id-1", "a b", ""],
    "HTTP_TRACEPARENT": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x"], "CONTENT_LENGTH": ["0", "1", "-1", "99999999999999999999", "x"],
    "CONTENT_TYPE": ["application/json", "text/plain", ""], "HTTP_X_CRUDDUR_SIGNATURE": ["t=1,v1=00", "v1=", "t=1700000000,v1=" + "0" * 64],
    "REMOTE_ADDR": ["", "::1", "not one"], "REQUEST_METHOD": ["", "get", "PATCH"], "REQUEST_URI": ["", "*", "//", "/%", "/" + "a/" * 200], "A" * 200: ["B" * 200],
}  # fmt: skip


class Broken(Exception):
    pass


# --- a stream ---


def damaged(text, randomness):
    """Bytes with one to three changes."""
    text = bytearray(text)
    for _ in range(randomness.randint(1, 3)):
        at = randomness.randrange(len(text) + 1)
        match randomness.randrange(5):
            case 0:
                text[at : at + randomness.randint(1, 8)] = b""
            case 1:
                text[at:at] = randomness.randbytes(randomness.randint(1, 8))
            case 2 if at < len(text):
                text[at] ^= 1 << randomness.randrange(8)
            case 3 if at < len(text):
                text[at] = randomness.choice(b'\x00\xff\x7f\x80\x01"{')
            case 4:
                text[at:at] = text[at // 2 : at]
    return bytes(text)


def parameters_of(method, uri, body, randomness):
    values = {"REQUEST_METHOD": method, "REQUEST_URI": uri, "REMOTE_ADDR": "127.0.0.1"}
    if body:
        values |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    for name in randomness.sample(sorted(PARAMETERS), randomness.choice((0, 0, 1, 2, 4))):
        values[name] = randomness.choice(PARAMETERS[name])
    pairs = [fcgi.pair(name, value) for name, value in values.items()]
    if randomness.random() < 0.1:
        randomness.shuffle(pairs)
    return b"".join(pairs)


def cut(kind, content, randomness):
    """Splits a stream into records of any size, as (kind, content)."""
    at = 0
    while at < len(content):
        length = randomness.choice((len(content), len(content), 1, randomness.randint(1, 200)))
        yield kind, content[at : at + length]
        at += length
    yield kind, b""


def records_of(randomness):
    """The records of one request, most of them valid."""
    method, uri, body = randomness.choice(REQUESTS)
    pairs = parameters_of(method, uri, body, randomness)
    body = body.encode()
    if randomness.random() < 0.2:
        pairs = damaged(pairs, randomness)
    if randomness.random() < 0.2:
        body = damaged(body, randomness)
    flags = randomness.choice((1, 1, 1, 0, 255))
    yield fcgi.BEGIN_REQUEST, struct.pack("!HB5x", randomness.choice((1, 1, 1, 1, 1, 1, 2, 3, 9)), flags)
    yield from cut(fcgi.PARAMS, pairs, randomness)
    yield from cut(fcgi.STDIN, body, randomness)


def shuffled(records, randomness):
    """Removes, doubles, exchanges, inserts or changes a few records."""
    for _ in range(randomness.choice((0, 0, 0, 1, 1, 2, 5))):
        at, other = randomness.randrange(len(records)), randomness.randrange(len(records))
        match randomness.randrange(6):
            case 0 if len(records) > 1:
                del records[at]
            case 1:
                records.insert(at, records[other])
            case 2:
                records[at], records[other] = records[other], records[at]
            case 3:
                records[at] = randomness.choice(KINDS), records[at][1]
            case 4:
                records.insert(at, (fcgi.ABORT_REQUEST, b""))
            case 5:
                records.insert(at, (fcgi.GET_VALUES, fcgi.pair("FCGI_MPXS_CONNS", "") + damaged(fcgi.pair("FCGI_MAX_REQS", ""), randomness)))
    return records


def stream_of(randomness):
    """The bytes that a connection sends."""
    sent = bytearray()
    for number in range(1, randomness.choice((1, 1, 2, 3, 6)) + 1):
        identity = randomness.choice((1, 1, 1, number, 0, 65535))
        for kind, content in shuffled(list(records_of(randomness)), randomness):
            padding = randomness.choice((0, 0, 0, 7, 255))
            version = 1 if randomness.random() < 0.995 else randomness.randrange(256)
            of = identity if kind != fcgi.GET_VALUES else 0
            sent += fcgi.record(kind, content[:65535], of, version, padding)
    if randomness.random() < 0.15:
        return damaged(bytes(sent), randomness)
    if randomness.random() < 0.1:
        return bytes(sent[: randomness.randrange(len(sent) + 1)])
    return bytes(sent)


# --- a connection ---


class Connection:
    def __init__(self, address, randomness):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(address)
        self.socket.setblocking(False)
        self.left = stream_of(randomness)
        self.piece = randomness.choice((1 << 20, 1 << 20, 1000, 100, 13)) if len(self.left) < 20000 else 1 << 20
        self.ending = randomness.choice(("half", "half", "close", "reset"))
        self.said = bytearray()
        self.is_over = False

    def send(self):
        """Sends a piece. False: everything is sent, or the other side has closed the connection."""
        with contextlib.suppress(BlockingIOError):
            try:
                self.left = self.left[self.socket.send(self.left[: self.piece]) :]
            except (BrokenPipeError, ConnectionResetError):
                self.left = b""
        return bool(self.left)

    def receive(self):
        try:
            while more := self.socket.recv(65536):
                self.said += more
            self.is_over = True
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.is_over = True

    def end(self):
        if self.ending == "half":
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
        else:
            if self.ending == "reset":
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close()

    def close(self):
        self.socket.close()
        self.is_over = True

    def check(self):
        """Checks that the answer consists of records, the last of which may be incomplete."""
        at = 0
        while at + 8 <= len(self.said):
            version, kind, _, length, padding = struct.unpack_from("!BBHHBx", self.said, at)
            if version != 1 or kind not in (fcgi.END_REQUEST, fcgi.STDOUT, fcgi.STDERR, 10, 11):
                raise Broken(f"no FastCGI in the answer at {at}: {bytes(self.said[at : at + 16])}")
            at += 8 + length + padding


def run_batch(address, numbers, seed):
    connections = [Connection(address, random.Random(f"{seed}/{number}")) for number in numbers]
    sending = list(connections)
    while sending:
        sending = [connection for connection in sending if connection.send()]
        for connection in connections:
            connection.receive()
    for connection in connections:
        if not connection.is_over:
            connection.end()
    end = time.monotonic() + 0.03  # some connections wait for bytes that never come
    while (waiting := [c.socket for c in connections if not c.is_over]) and time.monotonic() < end:
        select.select(waiting, [], [], 0.01)
        for connection in connections:
            if not connection.is_over:
                connection.receive()
    for connection in connections:
        connection.close()
        connection.check()


# --- the whole ---


class Fuzzer:
    def __init__(self, options, pool):
        self.options, self.pool = options, pool
        self.folder = pathlib.Path(options.folder)
        self.state = self.folder / "worker.json"
        self.next = json.loads(self.state.read_text()).get(str(options.seed), 0) if self.state.exists() else 0
        self.address = str(pool.address())
        self.workers = pool.wait_for_workers()
        self.began = self.next

    def probe(self):
        """Checks that the service answers, that no sanitizer has reported, and that the workers are the same."""
        with self.pool.peer() as peer:
            if peer.ask(uri="/readyz").status != 200:
                raise Broken("/readyz")
        report = self.pool.log.sanitizer_report()
        if report is not None:
            raise Broken(report)
        if self.pool.daemon.workers() != self.workers:
            raise Broken("a worker has ended")

    def is_over(self, since):
        done = self.next - self.began
        return done >= self.options.executions if self.options.executions else time.monotonic() - since >= self.options.seconds

    def run(self):
        since = time.monotonic()
        batches = 0
        while not self.is_over(since):
            first = self.next
            run_batch(self.address, range(first, first + AT_ONCE), self.options.seed)
            self.next += AT_ONCE
            batches += 1
            if batches % PROBE_EVERY == 0:
                self.probe()
        self.probe()
        self.keep(time.monotonic() - since)

    def keep(self, seconds):
        self.folder.mkdir(parents=True, exist_ok=True)
        states = json.loads(self.state.read_text()) if self.state.exists() else {}
        self.state.write_text(json.dumps(states | {str(self.options.seed): self.next}) + "\n")
        with (self.folder / "executions.tsv").open("a") as file:
            print(time.strftime("%FT%TZ", time.gmtime()), "worker", self.next - self.began, int(seconds), sep="\t", file=file)
        print(f"worker: {self.next - self.began} connections in {seconds:.0f} s, {self.next} in all of seed {self.options.seed}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--executions", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", default=str(TOP / "var/fuzz"))
    parser.add_argument("--only", type=int, metavar="N", help="this execution alone")
    return parser.parse_args()


def main():
    options = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        database = Database(stack.enter_context(Cluster()))
        pool = stack.enter_context(Pool(database, log_level="error", request_timeout=1000))
        fuzzer = Fuzzer(options, pool)
        if options.only is not None:
            run_batch(fuzzer.address, [options.only], options.seed)
            fuzzer.probe()
            return
        try:
            fuzzer.run()
        except Broken as broken:
            print(f"broken by one of {AT_ONCE * PROBE_EVERY} connections before {fuzzer.next + AT_ONCE} of seed {options.seed}: {broken}", file=sys.stderr)
            sys.exit(1)


if __name__ == "__main__":
    main()
