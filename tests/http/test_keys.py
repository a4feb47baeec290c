"""The issuer's keys: a separate process fetches them over HTTPS and keeps them in a file; they change under load, or are
missing."""

import contextlib
import os
import pathlib
import signal
import struct
import subprocess
import threading
import time

import pytest

from daemon import is_alive, options_of, run_once, sockets_of
from fcgi import request
from issuer import (
    CLIENT, FETCHER, GOOD, ISSUER, REFUSED, UNDECIDED, Authority, Key, KeyServer, TokenPool, TokenService, bearer, encoded, key_set,
    small_key,
)  # fmt: skip
from places import Folder
from waiting import LIVES, PATIENCE, eventually

GAP = 10  # seconds between two fetches
WAIT = 1500  # milliseconds that a request may wait for a fetch
FLOOD = 3000  # requests
PAGE = struct.Struct("=I4xqq")  # struct keypage in src/shared/keypage.h
OLD, NEW = Key("old"), Key("new")


@pytest.fixture(scope="module", autouse=True)
def keys_are_made():
    """Makes the keys before a test measures time."""
    return OLD.private, NEW.private


@pytest.fixture(scope="module")
def folder():
    folder = Folder()
    yield folder.path
    folder.remove()


@pytest.fixture(scope="module")
def authority(folder):
    return Authority(folder)


@pytest.fixture
def issuer(authority):
    with KeyServer(authority, key_set(OLD)) as server:
        yield server


class Fetching:
    """The settings of a pool that fetches its keys, each with a file of its own."""

    count = 0

    def __init__(self, authority, server, folder, **more):
        Fetching.count += 1
        self.file = folder / f"keys-{Fetching.count}.json"
        self.settings = {
            "jwks_url": server.url,
            "jwks_ca_file": authority.file,
            "jwks_file": self.file,
            "fetcher": FETCHER,
        } | more

    def keep(self, body, age=0):
        """Writes the file as if an earlier run had fetched it age seconds ago."""
        self.file.write_bytes(body)
        os.utime(self.file, (time.time() - age,) * 2)


@pytest.fixture
def fetching(authority, issuer, folder):
    return Fetching(authority, issuer, folder)


@pytest.fixture(scope="module", autouse=True)
def rotating(cluster, authority, folder):
    """A service whose last fetch is long ago when the last tests of this file begin."""
    with KeyServer(authority, key_set(OLD)) as server:
        settings = Fetching(authority, server, folder).settings
        with TokenService(cluster, **settings, log_level="info") as service:
            eventually(lambda: server.fetches, what="a fetch")
            service.issuer = server
            yield service


@pytest.fixture(scope="module", autouse=True)
def recovering(authority, folder):
    """A pool whose first fetch fails when the tests of this file begin; its next fetch would succeed."""
    with KeyServer(authority) as server:
        server.set_answer(b"", 503)
        with TokenPool(**Fetching(authority, server, folder).settings, log_level="warning") as pool:
            pool.daemon.wait_for_message("no keys from the issuer: status 503")
            assert pool.judge(OLD.token()) == UNDECIDED
            server.set_answer(key_set(OLD))
            pool.issuer = server
            yield pool


class Endless(KeyServer):
    """A server whose answer has no end. self.ended is set when the client has closed the connection."""

    def handler(self):
        outer = self
        self.ended = threading.Event()

        class Handler(super().handler()):
            def do_GET(self):
                outer.fetches.append(time.monotonic())
                self.send_response(200)
                self.end_headers()
                with contextlib.suppress(OSError):
                    while True:
                        self.wfile.write(b" " * 65536)
                outer.ended.set()

        return Handler


def test_an_issuer_that_sends_for_ever(authority, folder):
    """The fetcher stops reading at the size limit of a key set and logs an error, long before the time limit of a fetch."""
    with Endless(authority) as server:
        fetching = Fetching(authority, server, folder)
        fetching.keep(key_set(OLD), age=3600)
        with TokenPool(**fetching.settings, log_level="warning") as pool:
            assert pool.judge(OLD.token()) == GOOD
            pool.daemon.wait_for_message("no keys from the issuer: status 200")
            assert server.ended.wait(PATIENCE)
            assert "timed out" not in pool.log.text
            assert fetching.file.read_bytes() == key_set(OLD)
            assert pool.judge(OLD.token()) == GOOD


def test_the_memory_that_a_fetcher_shares_with_a_program_of_another_version(authority, issuer, folder):
    """Its layout stays: the version, the time of the last fetch, and when the fetcher is woken again."""
    file = Fetching(authority, issuer, folder).file
    with contextlib.ExitStack() as stack:
        page, wake, woken = os.memfd_create("page"), *reversed(os.pipe())
        for fd in (page, wake, woken):
            stack.callback(os.close, fd)
        os.ftruncate(page, PAGE.size)
        began, began_ms = int(time.time()), time.monotonic_ns() // 1_000_000
        arguments = [FETCHER, issuer.url, file, authority.file, str(page), str(woken)]
        fetcher = stack.enter_context(subprocess.Popen(arguments, pass_fds=(page, woken)))
        stack.callback(fetcher.kill)
        version, fetched, next_ask = eventually(lambda: whole(PAGE.unpack(os.pread(page, PAGE.size, 0))), what="a fetch")
    assert version == 1
    assert began <= fetched <= time.time()
    assert began_ms + GAP * 1000 - 1 <= next_ask <= time.monotonic_ns() // 1_000_000 + GAP * 1000


def whole(page):
    """The page, once a fetch has ended."""
    return page if page[-1] else None


def check_gaps(fetches):
    gaps = [later - earlier for earlier, later in zip(fetches, fetches[1:])]
    assert all(gap >= GAP - 0.05 for gap in gaps), gaps


def quickest(pool, token, status):
    """Sends five requests with the token at once; all must get the status. Returns the shortest time in ms that a worker took
    for one of them. A request that waits for keys takes WAIT."""
    post = request("POST", "/api/activities", b"{}", HTTP_AUTHORIZATION=f"Bearer {token}")
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(pool.peer()) for _ in range(5)]
        for peer in peers:
            peer.send(post)
        replies = [peer.read_reply() for peer in peers]
    assert {reply.status for reply in replies} == {status}
    return min(pool.line_of(reply)["ms"] for reply in replies)


def fetchers(pool):
    """The process ids of the pool's fetcher."""
    return [child.pid for child in pool.daemon.children() if command_of(child.pid).startswith(b"cruddur-fetch-keys\0")]


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_the_very_first_request(authority, issuer, tmp_path):
    """The keys are fetched after the worker has entered its sandbox, into a folder that no other setting names."""
    fetching = Fetching(authority, issuer, tmp_path)
    with TokenPool(**fetching.settings, sandbox="on") as pool:
        assert pool.judge(OLD.token()) == GOOD
        assert pool.judge(NEW.token()) == REFUSED
        assert fetching.file.read_bytes() == key_set(OLD)
        assert len(issuer.fetches) == 1


def test_without_any_keys(fetching, issuer):
    """A token that only a key can verify gets 503; a token that is wrong in any case is refused."""
    issuer.stop()
    with TokenPool(**fetching.settings) as pool:
        pool.daemon.wait_for_message("no keys from the issuer")
        with pool.peer() as peer:
            reply = peer.ask("POST", "/api/activities", b"{}", HTTP_AUTHORIZATION=f"Bearer {OLD.token()}")
        assert (reply.status, reply.codes, reply.headers["Retry-After"]) == (503, ["keys_unavailable"], "1")
        for token in ("null", "a.b.c", OLD.token(header={"alg": "none"}), OLD.token(header={"kid": None})):
            assert pool.judge(token) == REFUSED
        with pool.peer() as peer:
            assert peer.ask("POST", "/api/activities", b"{}").status == 401
            assert peer.ask("GET", "/livez", HTTP_AUTHORIZATION=f"Bearer {OLD.token()}").status == 200


def test_the_keys_of_an_earlier_run(fetching, issuer):
    issuer.stop()
    fetching.keep(key_set(OLD), age=3600)
    with TokenPool(**fetching.settings) as pool:
        assert pool.judge(OLD.token()) == GOOD
        assert pool.judge(NEW.token()) == REFUSED


def test_keys_grow_old(authority, issuer, folder):
    issuer.stop()

    def are_seen_to_end(life):
        """Waits until the keys are too old. Returns whether they were good before."""
        fetching = Fetching(authority, issuer, folder)
        end = time.time() + life
        fetching.keep(key_set(OLD), age=3600 - life)
        with TokenPool(**fetching.settings, jwks_max_age=3600) as pool:
            were_good = pool.judge(OLD.token()) == GOOD
            assert were_good or time.time() >= end
            eventually(lambda: pool.judge(OLD.token()) == UNDECIDED, what="503 for keys that are too old")
            assert time.time() >= end
            assert pool.judge("null") == REFUSED
        return were_good

    assert any(map(are_seen_to_end, LIVES))


def test_keys_that_were_too_old_already(fetching, issuer):
    issuer.stop()
    fetching.keep(key_set(OLD), age=62)
    with TokenPool(**fetching.settings, jwks_max_age=60) as pool:
        assert pool.judge(OLD.token()) == UNDECIDED


def large(key):
    return key_set(key) + b" " * 65536


def bad(key):
    """Answers that are no valid set with this key, {what: (body, status, headers)}."""
    return {
        "500": (key_set(key), 500, {}),
        "404": (key_set(key), 404, {}),
        "201": (key_set(key), 201, {}),
        "empty": (b"", 200, {}),
        "HTML": (b"<html>Sign in</html>", 200, {"Content-Type": "text/html"}),
        "cut": (key_set(key)[:-1], 200, {}),
        "no keys": (b'{"keys":[]}', 200, {}),
        "no usable key": (b'{"keys":[{"kty":"EC","kid":"new"}]}', 200, {}),
        "a kid twice": (key_set(key, key), 200, {}),
        "65537 bytes": (large(key)[:65537], 200, {}),
        "65537 bytes, told": (large(key)[:65537], 200, {"Content-Length": "65537"}),
        "less than told": (key_set(key), 200, {"Content-Length": "50000"}),
    }


@pytest.mark.parametrize("what", bad(small_key()))
def test_an_answer_that_is_no_key_set(fetching, issuer, what):
    body, status, headers = bad(NEW)[what]
    issuer.set_answer(body, status, **headers)
    fetching.keep(key_set(OLD), age=100)
    with TokenPool(**fetching.settings) as pool:
        pool.daemon.wait_for_message('"event":"keys"')
        assert issuer.fetches
        assert "fetched the issuer's keys" not in pool.log.text
        assert pool.judge(OLD.token()) == GOOD
        assert pool.judge(NEW.token()) == REFUSED
    assert fetching.file.read_bytes() == key_set(OLD)


def test_64_kilobytes_are_taken(fetching, issuer):
    issuer.set_answer(large(NEW)[:65536])
    with TokenPool(**fetching.settings) as pool:
        assert pool.judge(NEW.token()) == GOOD


def test_no_redirect_is_followed(fetching, issuer, authority):
    with KeyServer(authority, key_set(NEW)) as other:
        for status in (301, 302, 307, 308):
            issuer.set_answer(key_set(NEW), status, Location=other.url)
            with TokenPool(**fetching.settings) as pool:
                pool.daemon.wait_for_message(f"no keys from the issuer: status {status}")
                assert pool.judge(NEW.token()) == UNDECIDED
        assert other.fetches == []


def test_plain_http_is_refused_at_start(authority, folder):
    with KeyServer(authority, key_set(OLD), is_plain=True) as plain:
        settings = {"identity": "token", "issuer": ISSUER, "cognito_client": CLIENT} | Fetching(authority, plain, folder).settings
        ended = run_once(*options_of(settings))
        assert ended.returncode == 2
        assert "--jwks-url must begin with https://" in ended.stderr
        assert plain.fetches == []


def test_a_certificate_nobody_vouches_for(authority, issuer, folder):
    stranger = folder / "stranger"
    stranger.mkdir()
    for more in ({"jwks_ca_file": None}, {"jwks_ca_file": Authority(stranger).file}):
        with TokenPool(**Fetching(authority, issuer, folder, **more).settings) as pool:
            pool.daemon.wait_for_message("no keys from the issuer")
            assert pool.judge(OLD.token()) == UNDECIDED
    assert issuer.fetches == []


def test_a_certificate_for_another_name(authority, issuer, folder):
    url = issuer.url.replace("127.0.0.1", "localhost")
    with TokenPool(**Fetching(authority, issuer, folder, jwks_url=url).settings) as pool:
        pool.daemon.wait_for_message("no keys from the issuer")
        assert pool.judge(OLD.token()) == UNDECIDED
    assert issuer.fetches == []


def test_a_silent_issuer_holds_nobody_up(fetching, issuer, authority):
    """The issuer accepts connections and sends nothing; the workers go on with the keys that they have."""
    issuer.server.shutdown()  # the server accepts no more, but the kernel still completes connections
    fetching.keep(key_set(OLD), age=100)
    with TokenPool(**fetching.settings) as pool:
        assert quickest(pool, OLD.token(), GOOD) < WAIT


def test_the_fetcher_is_replaced(fetching, issuer):
    with TokenPool(**fetching.settings) as pool:
        assert pool.judge(OLD.token()) == GOOD
        (first,) = fetchers(pool)
        os.kill(first, signal.SIGKILL)
        assert pool.judge(OLD.token()) == GOOD
        (second,) = eventually(lambda: [pid for pid in fetchers(pool) if pid != first], what="another fetcher")
        eventually(lambda: len(issuer.fetches) == 2, what="its fetch")
        assert pool.judge(OLD.token()) == GOOD
        assert len(fetchers(pool)) == 1


def test_the_fetcher_listens_nowhere(fetching):
    with TokenPool(**fetching.settings) as pool:
        (fetcher,) = eventually(lambda: fetchers(pool), what="a fetcher")
        assert not sockets_of(fetcher) & sockets_of(pool.daemon.pid)


def test_the_fetcher_ends_with_the_master(fetching):
    with TokenPool(**fetching.settings) as pool:
        (fetcher,) = eventually(lambda: fetchers(pool), what="a fetcher")
        os.kill(pool.daemon.pid, signal.SIGKILL)
        eventually(lambda: not is_alive(fetcher), what="the fetcher's end")
        pool.daemon.wait()


def test_a_fetcher_that_is_not_there(fetching):
    fetching.keep(key_set(OLD))
    with TokenPool(**fetching.settings | {"fetcher": "/nonexistent"}) as pool:
        pool.daemon.wait_for_message("/nonexistent")
        assert pool.judge(OLD.token()) == GOOD


def test_reload_fetches_and_revokes(fetching, issuer):
    """A good fetch replaces the set: a token by a key that the new set lacks is refused."""
    with TokenPool(**fetching.settings) as pool:
        assert pool.judge(OLD.token()) == GOOD
        issuer.set_answer(key_set(NEW))
        pool.daemon.signal(signal.SIGHUP)
        eventually(lambda: pool.judge(NEW.token()) == GOOD, what="the new key")
        assert pool.judge(OLD.token()) == REFUSED
        assert len(fetchers(pool)) == 1


@pytest.fixture
def write_settings(folder):
    """A function that writes a settings file and returns its path."""

    def write(**settings):
        file = folder / "settings"
        file.write_text("".join(f"CRUDDUR_{name.upper()}={value}\n" for name, value in settings.items()))
        file.chmod(0o600)
        return file

    return write


def verdicts(pool, token):
    """The statuses of the token after a reload, and after a restart."""
    pool.daemon.reload()
    after_reload = pool.judge(token)
    pool.daemon.stop()
    pool.launch()
    eventually(pool.is_listening)
    return after_reload, pool.judge(token)


def test_a_reload_to_keys_that_are_too_old(fetching, authority, issuer, folder, write_settings):
    """Each file of keys has an age of its own: the last fetch was into another file."""
    older = Fetching(authority, issuer, folder)
    older.keep(key_set(OLD), age=7200)
    settings = fetching.settings | {"jwks_file": None, "jwks_max_age": 3600}
    with TokenPool(settings_file=write_settings(jwks_file=fetching.file), **settings) as pool:
        eventually(lambda: pool.judge(OLD.token()) == GOOD, what="a fetch")
        issuer.stop()
        write_settings(jwks_file=older.file)
        assert verdicts(pool, OLD.token()) == (UNDECIDED, UNDECIDED)


def test_a_reload_that_begins_to_fetch(fetching, issuer, write_settings):
    """The keys of the file stay good as long as their file is young, though none was fetched yet."""
    issuer.stop()
    fetching.keep(key_set(OLD), age=60)
    settings = fetching.settings | {"jwks_file": None, "jwks_url": None, "jwks_max_age": 3600}
    with TokenPool(settings_file=write_settings(jwks_file=fetching.file), **settings) as pool:
        assert pool.judge(OLD.token()) == GOOD
        write_settings(jwks_file=fetching.file, jwks_url=fetching.settings["jwks_url"])
        assert verdicts(pool, OLD.token()) == (GOOD, GOOD)


def test_keys_from_a_file_alone(folder):
    file = folder / "alone.json"
    file.write_bytes(key_set(OLD))
    with TokenPool(jwks_file=file) as pool:
        assert quickest(pool, OLD.token(), GOOD) < WAIT
        assert quickest(pool, NEW.token(), REFUSED) < WAIT  # no fetch to wait for
        assert fetchers(pool) == []
        file.write_bytes(key_set(NEW))
        pool.daemon.reload()
        assert (pool.judge(OLD.token()), pool.judge(NEW.token())) == (REFUSED, GOOD)


@pytest.mark.parametrize("text", [None, b"", b"{}", b'{"keys":[]}'])
def test_a_file_without_keys(folder, text):
    file = folder / "none.json"
    file.unlink(missing_ok=True)
    if text is not None:
        file.write_bytes(text)
    with TokenPool(jwks_file=file) as pool:
        assert pool.judge(OLD.token()) == UNDECIDED
        assert pool.judge("null") == REFUSED
        assert "none.json" in pool.log.text


def test_an_end_while_requests_wait(authority, issuer, folder):
    """TERM ends the wait for keys: each request is answered at once, whether it arrived before the signal or after it."""
    issuer.server.shutdown()  # the server accepts no more, so the fetch lasts until its time limit
    unknown = request("POST", "/api/activities", b"{}", HTTP_AUTHORIZATION=f"Bearer {NEW.token()}")

    def are_answered_at_once():
        """Whether both are answered before WAIT is over. They are not if TERM comes too late on a slow machine."""
        settings = Fetching(authority, issuer, folder).settings
        with TokenPool(**settings, workers=1) as pool, pool.peer() as first, pool.peer() as second:
            first.send(unknown)
            second.send(unknown[:50])
            with pool.peer() as last:  # the worker has read both when it answers this one
                assert last.ask().status == 200
            pool.daemon.signal(signal.SIGTERM)
            replies = [first.read_reply()]
            second.send(unknown[50:])
            replies.append(second.read_reply())
            assert [reply.status for reply in replies] == [UNDECIDED] * 2
            return all(pool.line_of(reply)["ms"] < WAIT for reply in replies)

    eventually(are_answered_at_once, what="an answer at once")


def test_keys_come_back(recovering):
    """A failed fetch is repeated without a request."""
    eventually(lambda: len(recovering.issuer.fetches) > 1, what="another fetch")
    eventually(lambda: recovering.judge(OLD.token()) == GOOD, what="good keys")
    check_gaps(recovering.issuer.fetches)


class Flood(threading.Thread):
    """Sends requests, each with another unknown kid, until is_over is set."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool
        self.count = 0
        self.statuses = set()
        self.is_over = False
        self.start()

    def run(self):
        with self.pool.peer() as peer:
            while not self.is_over:
                token = f"{Flood.header(self.ident, self.count)}.e30.AAAA"
                self.statuses.add(peer.ask("POST", "/api/activities", b"{}", HTTP_AUTHORIZATION=f"Bearer {token}").status)
                self.count += 1

    @staticmethod
    def header(*numbers):
        return encoded({"alg": "RS256", "kid": "-".join(map(str, numbers))})


def test_rotation_under_load(rotating):
    """The issuer begins to sign with another key: the first token by it is accepted, and no other request fails."""
    issuer = rotating.issuer
    statuses = []
    is_over = threading.Event()

    def ask(key, handle):
        with rotating.connect() as connection:
            while not is_over.is_set():
                reply = connection.ask("GET", "/api/message_groups", headers=bearer(key.token(f"mock-{handle}")))
                statuses.append(reply.status)

    def is_taken():
        """Whether a token by the new key is accepted. If not, the request must have waited for its whole time, or the fetch must
        have failed."""
        reply = rotating.ask("GET", "/api/message_groups", headers=bearer(NEW.token()))
        has_waited = rotating.line_of(reply)["ms"] >= WAIT
        assert reply.status == 200 or has_waited or "no keys from the issuer" in rotating.log.text, reply
        return reply.status == 200

    wait_for_gap(issuer)
    fetches_before = len(issuer.fetches)
    threads = [threading.Thread(target=ask, args=(OLD, handle)) for handle in ("londo", "bayko", "andrewbrown", "altbrown")]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: len(statuses) > 50, what="load")
        issuer.set_answer(key_set(OLD, NEW))
        eventually(is_taken, what="the new key")
        for _ in range(20):
            assert is_taken()
        seen = len(statuses)
        eventually(lambda: len(statuses) > seen + 100, what="load afterwards")
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}
    assert len(issuer.fetches) > fetches_before
    check_gaps(issuer.fetches)


def wait_for_gap(issuer):
    """Waits until a requested fetch would start at once."""
    time.sleep(max(0, issuer.fetches[-1] + GAP + 0.2 - time.monotonic()))


def test_a_flood_of_unknown_kids(recovering):
    """Unknown kids cause at most one fetch in ten seconds, and good tokens are accepted meanwhile."""
    issuer = recovering.issuer
    wait_for_gap(issuer)
    fetches_before = len(issuer.fetches)
    floods = [Flood(recovering) for _ in range(24)]
    try:
        while sum(flood.count for flood in floods) < FLOOD:
            assert recovering.judge(OLD.token()) == GOOD
    finally:
        for flood in floods:
            flood.is_over = True
        for flood in floods:
            flood.join()
    assert set.union(*(flood.statuses for flood in floods)) == {REFUSED}
    assert len(issuer.fetches) > fetches_before
    check_gaps(issuer.fetches)
