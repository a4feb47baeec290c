"""Every address of the database that libpq's rules give is tried, and a dead address does not keep the service from the others."""

import contextlib
import shutil
import socket
import threading
import time

import pytest

from client import Asking
from cluster import APP_PASSWORD, Cluster, Database
from places import CRUDDURD, IS_ROOT
from service import Service
from waiting import eventually, never
from wire import Wire

NAME = "database.test"
DEAD, DEAD6 = "192.0.2.2", "2001:db8::2"  # RFC 5737, RFC 3849: packets to them are dropped

pytestmark = pytest.mark.skipif(not (IS_ROOT and shutil.which("ip")), reason="only root, with iproute2, may lay a cable")


class Network(Wire):
    """A wire with addresses that drop every packet, and with resolver files that only one process sees."""

    def lay(self):
        super().lay()
        self.near_side("link", "set", "lo", "up")
        self.near_side("link", "add", "dead", "type", "veth", "peer", "name", "void")
        self.near_side("link", "set", "dead", "arp", "off")
        self.near_side("address", "add", "192.0.2.1/24", "dev", "dead")
        self.near_side("-6", "address", "add", "2001:db8::1/64", "dev", "dead", "nodad")
        self.near_side("link", "set", "void", "up")
        self.near_side("link", "set", "dead", "up")

    def command(self, folder, names="", resolver=DEAD):
        """cruddurd with these lines as its hosts file. For other names it asks a name server that does not answer."""
        hosts, configuration = folder / "hosts", folder / "resolv.conf"
        hosts.write_text(names)
        configuration.write_text(f"nameserver {resolver}\nsearch one.test two.test\n")
        binds = f"mount --bind {hosts} /etc/hosts && mount --bind {configuration} /etc/resolv.conf"
        return self.inside("unshare", "--mount", "sh", "-c", f'{binds} && exec "$@"', "sh", CRUDDURD)


READY_FOR_QUERY = b"Z\0\0\0\5I"


class Slow(threading.Thread):
    """A TCP port that forwards to a cluster. On each connection it delays, for so many seconds, the server's first bytes, or the
    server's first bytes after those in behind."""

    def __init__(self, cluster, address, seconds=0.0, behind=b""):
        super().__init__(daemon=True)
        self.target = str(cluster.sockets / ".s.PGSQL.5432")
        self.seconds, self.behind = seconds, behind
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        self.ends = []
        self.is_over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for end in [self.listener, *self.ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    @property
    def accepted(self):
        return len(self.ends) // 2

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self.target)
                self.ends += [near, far]
                threading.Thread(target=self.pass_on, args=(near, far, 0, b""), daemon=True).start()
                threading.Thread(target=self.pass_on, args=(far, near, self.seconds, self.behind), daemon=True).start()

    def pass_on(self, source, sink, seconds, behind):
        said = b""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if seconds and behind in said:
                    self.is_over.wait(seconds)
                    seconds = 0
                sink.sendall(data)
                said = (said + data)[-4096:]
            sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def network():
    with Network() as network:
        yield network


@pytest.fixture(scope="module")
def far(network):
    """PostgreSQL at the far end of the wire."""
    with Cluster(address=network.far_address) as cluster:
        yield cluster


@pytest.fixture
def start_at(far, network, tmp_path):
    """start_at({"PGHOST": …}, names="…"): a service that finds its database through the environment, without a connection string."""
    with contextlib.ExitStack() as stack:

        def start_at(environment, names="", url=None, **settings):
            database = Database(far)
            stack.callback(database.remove)
            environment = {"PGUSER": "cruddur", "PGPASSWORD": APP_PASSWORD, "PGDATABASE": database.name} | environment
            if url is not None:
                environment["CONNECTION_URL"] = url
            service = Service(
                far, database, environment=environment, launcher=lambda _: network.command(tmp_path, names),
                connection_url_file=None, is_patient=False, **{"workers": 1} | settings,
            )  # fmt: skip
            return stack.enter_context(service)

        yield start_at


def is_answered(service):
    return service.home().status == 200 and service.create("found").status == 200


def service_file(folder, **parameters):
    file = folder / "pg_service.conf"
    file.write_text("[cruddur]\n" + "".join(f"{name}={value}\n" for name, value in parameters.items()))
    return file


NAMES = f"{DEAD6} {NAME}\n{{far}} {NAME}\n"

WAYS = {
    "a name in the URL": ("postgresql://{name}/", {}),
    "hosts in the URL": ("postgresql://{dead},{far}/", {}),
    "PGHOST with a name": (None, {"PGHOST": "{name}"}),
    "PGHOST with two hosts": (None, {"PGHOST": "{dead},{far}"}),
    "PGHOSTADDR": (None, {"PGHOSTADDR": "{dead},{far}"}),
    "PGHOST and PGHOSTADDR": (None, {"PGHOST": "first.test,second.test", "PGHOSTADDR": "{dead},{far}"}),
    "PGSERVICE": (None, {"PGSERVICE": "cruddur"}),
    "a service in the URL": ("postgresql:///?service=cruddur", {}),
    "three, the last is good": (None, {"PGHOST": "{dead},192.0.2.3,{far}"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_one_dead_address(start_at, network, tmp_path, way):
    """The good address is found, and it is tried first after a session is lost."""
    words = {"name": NAME, "dead": DEAD, "far": network.far_address}
    url, environment = WAYS[way]
    environment = {name: value.format(**words) for name, value in environment.items()}
    environment["PGSERVICEFILE"] = str(service_file(tmp_path, host=f"{DEAD},{network.far_address}"))
    service = start_at(environment, NAMES.format(**words), url and url.format(**words))
    eventually(lambda: is_answered(service), what="the good address")
    failed = sessions(service, "failed")
    for _ in range(3):
        before = service.database.backends()
        service.database.terminate_sessions()
        eventually(lambda: not set(before) & set(service.database.backends()), what="the end of the sessions")
        assert is_answered(service)
    assert sessions(service, "failed") == failed


def sessions(service, event):
    """How often that event has happened to the workers' sessions. The prober's do not count: it has one with each address."""
    lines = service.get("/metrics").body.decode().splitlines()
    found = [line for line in lines if f'event="{event}"' in line and 'lane="watch"' not in line and 'lane="probe"' not in line]
    assert len(found) == 7  # reads, writes, slow reads, the hook, reads and slow reads of a replica, the purge
    return sum(int(line.split()[-1]) for line in found)


@pytest.mark.parametrize("source", ["PGPORT", "service", "URL"])
def test_the_port_of_a_name_with_two_addresses(far, start_at, network, tmp_path, source):
    with Slow(far, network.far_address) as other:
        file = service_file(tmp_path, host=NAME, **{"port": other.port} if source == "service" else {})
        environment = {"PGSERVICEFILE": str(file), "PGSERVICE": "cruddur"}
        environment |= {"PGPORT": str(other.port)} if source == "PGPORT" else {}
        url = f"postgresql://{NAME}:{other.port}/" if source == "URL" else None
        service = start_at(environment, f"127.0.0.1 {NAME}\n{network.far_address} {NAME}\n", url)
        eventually(lambda: is_answered(service), what="the database at that port")
        assert other.accepted >= 2


@pytest.mark.parametrize("source", ["PGHOST", "service", "URL"])
def test_a_resolver_that_does_not_answer(start_at, tmp_path, source):
    """While the only worker waits for the name, it answers requests that need no database."""
    file = service_file(tmp_path, host="nowhere.test")
    environment = {"PGSERVICEFILE": str(file)}
    environment |= {"PGHOST": "nowhere.test"} if source == "PGHOST" else {"PGSERVICE": "cruddur"} if source == "service" else {}
    service = start_at(environment, url="postgresql://nowhere.test/" if source == "URL" else None, feed_watch=0)
    assert service.get("/livez").status == 200
    asking = Asking(service.home)
    time.sleep(0.2)  # so that the look-up has begun
    answered = 0
    while asking.is_alive():
        assert service.get("/livez").status == 200
        answered += 1
        time.sleep(0.01)
    assert asking.reply().status == 503
    assert answered > 20  # a worker that blocks in the look-up answers two: one before it and one after it


@pytest.mark.parametrize("hosts", ["{slow}", "{dead},{slow}", "{slow},{dead}", "{slow},{slow}"])
def test_a_slow_log_in(far, start_at, network, hosts):
    """The server sends its first bytes after three seconds, which is longer than a silent address is waited for."""
    with Slow(far, network.far_address, 3) as slow:
        hosts = hosts.format(slow=network.far_address, dead=DEAD)
        service = start_at({"PGHOST": hosts, "PGPORT": str(slow.port)})
        eventually(lambda: is_answered(service), what="a slow log-in")


@pytest.mark.parametrize("hosts", ["{slow}", "{dead},{slow}", "{slow},{slow}"])
def test_a_slow_set_up(far, start_at, network, hosts):
    """The log-in is answered at once, the first statement after three seconds. The session is used."""
    with Slow(far, network.far_address, 3, READY_FOR_QUERY) as slow:
        service = start_at({"PGHOST": hosts.format(slow=network.far_address, dead=DEAD), "PGPORT": str(slow.port)})
        eventually(lambda: is_answered(service), what="a slow set-up")


def test_connect_timeout_counts(far, start_at, network):
    """It is two seconds, the least that libpq allows. A later answer is not waited for, and no other address is tried meanwhile."""
    with Slow(far, network.far_address, 3600) as slow:
        service = start_at({"PGHOST": network.far_address, "PGPORT": str(slow.port), "PGCONNECT_TIMEOUT": "2"}, feed_watch=0)
        service.home()
        eventually(lambda: service.home().status == 503 and slow.accepted >= 3, what="further attempts")


def test_a_longer_connect_timeout_counts(far, start_at, network):
    """It holds also for an address that is not the last one."""
    with Slow(far, network.far_address, 3) as slow:
        hosts = f"{network.far_address},{DEAD}"
        service = start_at({"PGHOST": hosts, "PGPORT": str(slow.port), "PGCONNECT_TIMEOUT": "60"}, feed_watch=0, primary_watch=0)
        eventually(lambda: service.home().status == 200, what="a slow log-in")
        assert slow.accepted == 1


def test_no_request_waits_for_longer_than_its_deadline(start_at):
    """No address answers. Requests fail while the addresses are still tried, each for its own time."""
    service = start_at({"PGHOST": ",".join(f"192.0.2.{number}" for number in range(2, 8))}, feed_watch=0)
    for _ in range(3):
        reply = service.home()
        assert (reply.status, reply.codes) == (503, ["database_unavailable"])
    service.daemon.wait_for_message("no answer in time")
    never(lambda: service.get("/livez").status != 200, 0.1)
