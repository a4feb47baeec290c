"""The effect of one client on the others: requests that cost much, from many connections at once.

Each attack is a function of a scene that runs one round of it, and returns (measures, what was wrong). A normal client sends requests before the
attack and beside it.
"""

import contextlib
import hashlib
import http.client
import itertools
import json
import socket
import threading
import time
import uuid

import settings
import traces
from traces import Traffic

NORMAL = {"show": (100, 8), "kept": (100, 8), "create": (50, 8)}  # requests per second, connections
HEADERS = {"Content-Type": "application/json"}
ATTACKER = "bench1"
SLOW_PROBE = b"POST /readyz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
SLOW_HEADER = b"GET /api/activities/home HTTP/1.1\r\nHost: localhost\r\nX-Slow: "

POPULAR = f"""
with popular as (
    insert into activities (uuid, user_uuid, message, expires_at)
    select md5('popular ' || n)::uuid, md5('user 1')::uuid, 'popular', now() + interval '1 day'
    from generate_series(1, {settings.ATTACK_CONNECTIONS}) n
    on conflict (uuid) do update set deleted_at = null, expires_at = excluded.expires_at
    returning uuid
)
select count(*) from popular"""
REPLIES = """
insert into activities (user_uuid, message, expires_at, reply_to_activity_uuid)
select md5('user 2')::uuid, 'reply', p.expires_at, p.uuid
from activities p, generate_series(1, {replies}) n
where p.message = 'popular'"""
COUNTS = "update activities set replies_count = {replies} where message = 'popular'"
FOLLOWED = """
insert into users (uuid, display_name, handle, email, cognito_user_id)
select md5('followed ' || n)::uuid, 'Followed', 'followed' || n, 'followed' || n || '@example.com', 'followed' || n
from generate_series(1, {follows}) n
on conflict do nothing"""
FOLLOWS = """
insert into follows (follower_uuid, followed_uuid)
select md5('user 1')::uuid, md5('followed ' || n)::uuid from generate_series(1, {follows}) n
on conflict do nothing"""


class Attackers:
    """with Attackers(port, attack): … ATTACK_CONNECTIONS connections, each of which sends its next request when it has an answer."""

    def __init__(self, port, attack):
        """attack(number): an endless generator of the requests of a connection, (method, target, document)."""
        self.port = port
        self.is_over = threading.Event()
        self.answers = 0
        self.threads = [
            threading.Thread(target=self.run, args=(attack(number),)) for number in range(settings.ATTACK_CONNECTIONS)
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def run(self, requests):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        for method, target, document in requests:
            if self.is_over.is_set():
                break
            try:
                connection.request(method, target, json.dumps(document) if document else None, HEADERS if document else {})
                connection.getresponse().read()
                self.answers += 1
            except (OSError, http.client.HTTPException):
                connection.close()
        connection.close()


def beside(scene, pool, attack):
    """The normal client's worst p99 of its requests alone and beside the attack; what was wrong with its answers."""
    p99, wrong = {}, []
    for kind in ("alone", "beside it"):
        with contextlib.ExitStack() as stack:
            if kind == "beside it":
                stack.enter_context(attack)
            traffic = stack.enter_context(Traffic(scene.bench, pool.port, **NORMAL))
            time.sleep(settings.ATTACK_SECONDS_QUICK if scene.bench.quick else settings.ATTACK_SECONDS)
        p99[kind] = max(traces.percentile(answers, 0.99) for answers in traffic.answers.values())
        wrong.append(traffic.wrong())
    return p99, wrong


def named(name, p99):
    return {f"fault/{name}/p99 {kind}": value for kind, value in p99.items()}


def deletes_and_keeps(number):
    """Deletes and keeps, in turn, of posts with the maximal number of replies."""
    for turn in itertools.count():
        post = f"/api/activities/{uuid_of(turn % settings.ATTACK_CONNECTIONS + 1)}"
        if (turn + number) % 4 == 0:
            yield "DELETE", post, {"handle": ATTACKER}
        else:
            yield "PUT", f"{post}/keep", {"handle": ATTACKER, "ttl": ("3-days", "7-days", "30-days")[turn % 3]}


def uuid_of(number):
    """The value of SQL's md5('popular N')::uuid."""
    return uuid.UUID(hashlib.md5(f"popular {number}".encode()).hexdigest())


def long_threads(scene):
    replies = settings.ATTACK_REPLIES_QUICK if scene.bench.quick else settings.ATTACK_REPLIES
    for statement in (POPULAR, REPLIES, COUNTS):
        scene.bench.sql(statement.format(replies=replies))
    with scene.pool() as pool:
        scene.warm(pool)
        p99, wrong = beside(scene, pool, Attackers(pool.port, deletes_and_keeps))
    scene.bench.sql("delete from activities where message = 'reply'")
    return named("long threads deleted and kept", p99), wrong


def pages_of_following(_):
    return itertools.repeat(("GET", "/api/activities/following?limit=200", None))


def many_follows(scene):
    follows = settings.ATTACK_FOLLOWS_QUICK if scene.bench.quick else settings.ATTACK_FOLLOWS
    for statement in (FOLLOWED, FOLLOWS):
        scene.bench.sql(statement.format(follows=follows))
    with scene.pool(default_handle=ATTACKER) as pool:
        scene.warm(pool)
        p99, wrong = beside(scene, pool, Attackers(pool.port, pages_of_following))
    scene.bench.sql("delete from users where handle like 'followed%'")
    return named("one who follows many", p99), wrong


class Crowd(threading.Thread):
    """with Crowd(port): … ATTACK_SLOW clients that send a byte a second; one whose connection is closed connects again."""

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.is_over = threading.Event()
        self.sockets = []

    def __enter__(self):
        self.sockets = [self.connect(number) for number in range(settings.ATTACK_SLOW)]
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()
        for one in self.sockets:
            one.close()

    def connect(self, number):
        one = socket.create_connection(("127.0.0.1", self.port))
        one.sendall((SLOW_PROBE, SLOW_HEADER)[number % 2])
        return one

    def run(self):
        for number in itertools.cycle(range(settings.ATTACK_SLOW)):
            if self.is_over.wait(1 / settings.ATTACK_SLOW):
                break
            try:
                self.sockets[number].sendall(b"x")
            except OSError:
                self.sockets[number].close()
                self.sockets[number] = self.connect(number)


def slow_crowd(scene):
    with scene.pool() as pool:
        scene.warm(pool)
        p99, wrong = beside(scene, pool, Crowd(pool.port))
    return named("900 slow clients", p99), wrong
