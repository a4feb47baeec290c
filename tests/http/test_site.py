"""How the two nginx sites serve a crowd, and one client among rude ones: nginx/site.conf and quickstart.conf.in."""

import collections
import contextlib
import http.client
import re
import resource

import pytest

from client import JSON, PROBLEM, Client, request_bytes
from events import HttpStream
from front import Front, lone_front
from places import TOP
from service import Pool
from waiting import eventually

CROWD = 2000
SITE_NAME = {"Host": "cruddur.example"}


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    """As many descriptors as the system allows, for both ends of all connections of a crowd."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Site(Front):
    """nginx/site.conf without TLS and with the paths of the test's folder. It has the number of connections that its comment
    asks for, or fewer."""

    connections = None

    def configuration(self, port):
        site = (TOP / "nginx/site.conf").read_text()
        needed = re.search(r"^#     events \{ worker_connections (\d+); \}$", site, re.M)[1]
        site = re.sub(r"^server \{\n    listen 80 .*?^\}$", "", site, flags=re.M | re.S)
        site = re.sub(r"^server \{\n    listen 127\.0\.0\.1:8080;.*?^\}$", "", site, flags=re.M | re.S)
        site = re.sub(r"^ *(ssl_|listen \[::\]).*$", "", site, flags=re.M)
        site = site.replace("listen 443 ssl http2", f"listen 127.0.0.1:{port}")
        site = site.replace("/usr/local/share/cruddur/nginx/", "").replace("/var/log/nginx/", "log/")
        site = site.replace("unix:/run/cruddur/cruddur.sock", "unix:../run/web/cruddurd.sock")
        for name, replacement in self.replaced().items():
            site, count = re.subn(name, replacement, site)
            assert count, name
        return (
            "daemon off; pid tmp/nginx.pid; error_log log/nginx-error.log warn; worker_rlimit_nofile 16384;\n"
            f"events {{ worker_connections {self.connections or needed}; }}\nhttp {{\naccess_log off;\n"
            + "".join(f"{kind}_temp_path tmp/{kind};\n" for kind in ("client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
            + f"{site}\n}}\n"
        )

    def replaced(self):
        return {}


class Unforgiving(Site):
    """A site whose limit, once reached, stays reached for the whole test."""

    def replaced(self):
        return {"rate=20r/s": "rate=1r/m"}


HOSTS = {Front: {}, Site: SITE_NAME}


class BehindABalancer(Unforgiving):
    def replaced(self):
        return super().replaced() | {r"# (set_real_ip_from) \S+;": r"\1 127.0.0.1;", r"# (real_ip_\w+ .*;)": r"\1"}


@contextlib.contextmanager
def served(front_class, database):
    """nginx as front_class configures it, and a pool behind it."""
    with Pool(database) as pool:
        front = front_class(pool.path)
        try:
            client = Client(front.start())
            client.front = front
            yield client
        finally:
            front.stop()


@pytest.fixture
def site(database):
    with served(Site, database) as site:
        yield site


@pytest.fixture
def balanced(database):
    with served(BehindABalancer, database) as site:
        yield site


def ask_in_a_crowd(client, target, headers=None):
    """Sends a request on each of many connections before it reads the first answer. Returns how often each status came. Each
    refusal is in the service's form."""
    connections = [client.connect() for _ in range(CROWD)]
    for connection in connections:
        connection.send(request_bytes("GET", target, headers=headers))
    statuses = collections.Counter()
    for connection in connections:
        reply = connection.read_reply()
        statuses[reply.status] += 1
        if reply.status != 200:
            assert reply.headers["Retry-After"] == "1"
            assert reply.headers["Content-Type"] == JSON
    for connection in connections:
        connection.close()
    return statuses


def test_quickstart_answers_a_crowd(start):
    statuses = ask_in_a_crowd(start(workers=4), "/api/activities/home")
    assert statuses.total() == CROWD
    assert statuses.keys() <= {200, 503}
    assert statuses[200] > CROWD / 2


def test_the_site_answers_a_crowd(site):
    """All requests come from one address. Those beyond the burst get 429."""
    statuses = ask_in_a_crowd(site, "/api/activities/home", SITE_NAME)
    assert statuses.total() == CROWD
    assert statuses.keys() == {200, 429}


def test_no_room_in_the_pool(database):
    """Requests beyond max_conns are refused at once, while the others wait."""

    class Narrow(Front):
        def configuration(self, port):
            return super().configuration(port).replace("max_conns=2048", "max_conns=3")

    with served(Narrow, database) as front, contextlib.ExitStack() as stack:
        with database.locked("users"):
            waiting = [stack.enter_context(front.connect()) for _ in range(3)]
            body = b'{"message":"hello","ttl":"1-day","user_handle":"londo"}'
            for connection in waiting:
                connection.send(request_bytes("POST", "/api/activities", body))
            eventually(lambda: front.get("/livez").status == 503, what="no room")
            reply = front.get("/livez", Accept=PROBLEM)
            assert (reply.status, reply.codes, reply.headers["Retry-After"]) == (503, ["service_unavailable"], "1")
        assert [connection.read_reply().status for connection in waiting] == [200] * 3


def test_streams_of_one_client_have_a_limit_of_their_own(site):
    """The client's streams leave the limit of its requests unused."""
    limits = {name: int(re.search(rf"limit_conn {name} (\d+);", (TOP / "nginx" / file).read_text())[1])
              for name, file in (("cruddur_streams", "events.conf"), ("cruddur_connections", "site.conf"))}  # fmt: skip
    with contextlib.ExitStack() as stack:
        for _ in range(limits["cruddur_streams"]):
            assert stack.enter_context(HttpStream(site, **SITE_NAME)).status == 200
        refused = stack.enter_context(HttpStream(site, **SITE_NAME))
        assert (refused.status, refused.codes(), refused.headers["Retry-After"]) == (429, ["too_many_requests"], "1")
        waiting = [stack.enter_context(site.connect()) for _ in range(limits["cruddur_connections"] - 1)]
        for connection in waiting:
            connection.send(request_bytes("POST", "/api/activities", headers=SITE_NAME | {"Content-Length": "100"}))
        assert site.ask("GET", "/livez", headers=SITE_NAME).status == 200
        other = Client(site.port, source="127.0.0.7")
        assert stack.enter_context(HttpStream(other, **SITE_NAME)).read_event()


# --- one client among rude ones ---


@pytest.mark.parametrize("target", ["/readyz", "/livez"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_probes_take_no_other_method(site, method, target):
    reply = site.ask(method, target, headers=SITE_NAME)
    assert (reply.status, reply.json, reply.headers["Allow"]) == (405, ["method_not_allowed"], "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("headers", [{"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}])
def test_probes_take_no_body(site, headers):
    """The probe is refused before any of its body has come."""
    reply = site.ask("GET", "/readyz", headers=SITE_NAME | headers)
    assert (reply.status, reply.json) == (413, ["body_too_large"])
    assert site.ask("GET", "/readyz", headers=SITE_NAME | {"Content-Length": "0"}).status == 200


@pytest.mark.parametrize("target", ["/readyz", "/api/activities", "/", "/metrics"])
def test_slow_bodies_of_one_client_leave_room_for_others(database, target):
    """More connections than nginx has, all from one address, all with a body that never comes, for which nginx would wait."""

    class Small(Site):
        connections = 400

    with served(Small, database) as site, contextlib.ExitStack() as stack:
        other = Client(site.port, source="127.0.0.7")

        def is_served():
            with contextlib.suppress(OSError, http.client.HTTPException):
                return other.ask("GET", "/livez", headers=SITE_NAME).status == 200

        for _ in range(600):
            with contextlib.suppress(OSError):
                rude = stack.enter_context(site.connect())
                rude.send(request_bytes("POST", target, headers=SITE_NAME | {"Content-Length": "100"}))
        eventually(is_served, seconds=60, what="room for another client")
        assert all(is_served() for _ in range(20))


def pipelined(client, target, count, headers=SITE_NAME):
    """How often each status came for requests that are sent at once on one connection."""
    with client.connect() as connection:
        connection.send(request_bytes("GET", target, headers=headers) * (count - 1))
        connection.send(request_bytes("GET", target, headers=headers | {"Connection": "close"}))
        answers = b"".join(iter(lambda: connection.socket.recv(65536), b""))
    statuses = collections.Counter(map(int, re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)))
    assert statuses.total() == count
    return statuses


def test_pipelined_probes_are_limited(site):
    statuses = pipelined(site, "/readyz", 400)
    assert statuses.keys() == {200, 429}
    assert statuses[429] > 100
    assert '"status":429' in site.front.access_log.path.with_name("cruddur.log").read_text()


def flood(client, address):
    """The statuses of more requests than one client's burst allows."""
    return pipelined(client, "/livez", 300, SITE_NAME | {"X-Forwarded-For": address}).keys()


def test_behind_a_balancer_each_client_has_its_own_limit(balanced):
    assert flood(balanced, "192.0.2.1") == {200, 429}
    assert balanced.ask("GET", "/livez", headers=SITE_NAME | {"X-Forwarded-For": "192.0.2.2"}).status == 200


def test_an_ipv6_client_is_its_network(balanced):
    """A client with one network has 2^64 addresses. The bytes of an address may have any value, also that of a line feed or a
    NUL."""
    asked = {}
    for network in ("2001:db8:0:1", "2001:db8:a0a:a0a"):
        assert flood(balanced, f"{network}::1") == {200, 429}
    for address in ("2001:db8:0:1:ffff::2", "2001:db8:a0a:a0a:a0a::9", "2001:db8:0:2::1", "2001:db8:a0a:a0b::1"):
        asked[address] = balanced.ask("GET", "/livez", headers=SITE_NAME | {"X-Forwarded-For": address}).status
    assert list(asked.values()) == [429, 429, 200, 200]


def test_a_client_that_is_no_balancer_is_not_believed(database):
    with served(Unforgiving, database) as site:
        assert flood(site, "192.0.2.1") == {200, 429}
        assert site.ask("GET", "/livez", headers=SITE_NAME | {"X-Forwarded-For": "192.0.2.2"}).status == 429


# --- what nginx writes down, and what it sends along ---


def test_no_log_has_what_was_asked_for(site):
    """This holds for requests beyond a limit, too."""
    secret = "whatonesearches"
    target = f"/api/activities/search?term={secret}"
    assert pipelined(site, target, 200).keys() == {200, 429}
    logs = list(site.front.prefix.glob("log/*"))
    assert len(logs) >= 3
    assert not [log for log in logs if secret in log.read_text()]


@pytest.mark.parametrize("front_class", [Front, Site])
def test_no_log_has_what_was_asked_of_no_pool(front_class):
    class Kept(front_class):
        def stop(self):
            super().stop()
            texts.extend(log.read_text() for log in self.prefix.glob("log/*"))

    texts = []
    with lone_front(Kept) as poolless:
        assert poolless.ask("GET", "/api/activities/search?term=whatonesearches", headers=HOSTS[front_class]).status == 503
    assert len(texts) >= 3
    assert not [text for text in texts if "whatonesearches" in text]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.2", "127.0.0.1.evil.example", "[::1]", "x"])
@pytest.mark.parametrize("target", ["/api/activities/home", "/livez", "/metrics", "/", "/.error/generic_500"])
def test_quickstart_is_for_its_own_names(service, host, target):
    """A foreign page whose name resolves to 127.0.0.1 would have the same origin."""
    reply = service.ask("GET", target, headers={"Host": host})
    assert (reply.status, reply.json) == (404, ["not_found"]) if "error" in target else (421, ["misdirected_request"])


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost:1", "127.0.0.1", "127.0.0.1:8080", "localhost."])
def test_quickstart_has_these_names(service, host):
    assert service.ask("GET", "/livez", headers={"Host": host}).status == 200


def test_http_1_0_has_no_host(service):
    assert service.send_raw(b"GET /livez HTTP/1.0\r\n\r\n").status == 200


@pytest.mark.parametrize(
    "accept, form",
    [
        ("application/problem+json", PROBLEM),
        ("application/problem+json;q=0.1", PROBLEM),
        ("text/html, application/problem+json", PROBLEM),
        ("application/json, application/problem+json", PROBLEM),
        ("application/problem+json;q=1.0, application/json;q=0.9", PROBLEM),
        ("application/json;q=0, application/problem+json;q=0.5", PROBLEM),
        ("APPLICATION/PROBLEM+JSON ; charset=utf-8", PROBLEM),
        ("application/problem+json;q=0", JSON),
        ("application/problem+json; q=0.000", JSON),
        ("application/problem+json;charset=utf-8;q=0", JSON),
        ("application/problem+jsonx", JSON),
        ("xapplication/problem+json", JSON),
        ("application/json, application/problem+json;q=0.5", JSON),
        ("application/problem+json;q=0.5, application/json", JSON),
        ("application/problem+json;q=0.5, application/json;q=1", JSON),
        ("*/*", JSON),
    ],
)
def test_the_form_of_nginx_own_errors(service, accept, form):
    assert service.get("/nothing", Accept=accept).headers["Content-Type"] == form
