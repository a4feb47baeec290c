"""Another process opened the listening socket and keeps it open. No request fails when cruddurd ends and the next one starts on it."""

import contextlib
import os
import shutil
import socket

import pytest

from client import Asking
from fcgi import request
from load import Load
from places import CRUDDURD
from service import Service
from waiting import eventually

RESTARTS = 15
LATER = 40  # answers
CONNECTIONS = 12

# Each executes cruddurd with the socket {fd}.
LAUNCHERS = {
    "fd 0": 'exec 0<&{fd}; exec "$0" "$@"',
    "systemd": 'exec 3<&{fd}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@"',
}


class Restarted(Service):
    """A service as under a supervisor: the socket stays open while cruddurd is restarted."""

    def __init__(self, cluster, way, **settings):
        super().__init__(cluster, listen=None, launcher=self.command, **settings)
        self.way = way
        self.listener = socket.socket(socket.AF_UNIX)

    def command(self, _):
        return ["bash", "-c", LAUNCHERS[self.way].format(fd=self.listener.fileno()), CRUDDURD]

    def open(self):
        self.listener.bind(str(self.socket))
        self.listener.listen(1024)
        self.process_options["pass_fds"] = [self.listener.fileno()]
        super().open()

    def end(self):
        self.daemon.stop()

    def restart(self):
        self.end()
        self.launch()

    def remove(self):
        super().remove()
        self.listener.close()


@pytest.fixture(params=LAUNCHERS)
def service(cluster, request):
    with Restarted(cluster, request.param) as service:
        yield service


def test_restarts_under_load_fail_nothing(service):
    """This includes creates, which nginx sends only once: one would fail if its kept connection were closed just then."""
    with Load(service, connections=CONNECTIONS) as load:
        for _ in range(RESTARTS):
            service.restart()
            load.wait_for_more(LATER)
    assert load.failures == []
    load.audit(service.database).check()


def test_a_kept_connection_outlives_its_server(service):
    """One is idle, one has half a request in the socket, one has half a request that was read, one gets a request while no server runs."""
    data = request("GET", "/livez")
    peers = [service.peer() for _ in range(4)]
    for peer in peers:
        assert peer.ask().status == 200
    peers[1].send(data[:20])
    peers[2].send(data[:10])
    peers[2].send(data[10:30])
    assert service.get("/livez").status == 200
    service.end()
    peers[3].send(data)
    service.launch()
    rests = [data, data[20:], data[30:], b""]
    for peer, rest in zip(peers, rests):
        peer.send(rest)
        assert peer.read_reply().status == 200
        peer.close()


def test_a_request_that_runs_is_answered_and_its_connection_stays(service):
    with service.database.locked_user():
        asking = Asking(service.create)
        service.database.wait_for_waiting()
        service.daemon.signal(15)
        service.daemon.wait_for_message("ending")
    assert asking.reply().status == 200
    service.daemon.wait()
    service.launch()
    assert service.create().status == 200


def test_nothing_is_left_where_another_server_has_the_path(service):
    """The connections of one server do not reach the other."""
    with service.peer() as peer, contextlib.closing(socket.socket(socket.AF_UNIX)) as other:
        assert peer.ask().status == 200
        os.unlink(service.socket)
        other.bind(str(service.socket))
        listen_elsewhere(other)
        service.end()
        assert peer.is_closed()
        assert other.accept()[0].recv(1) == b"", "more than a look at who is there"


def listen_elsewhere(listener):
    """Listens in another process, so that the kernel names another process than for the service's own socket."""
    pid = os.fork()
    if pid == 0:
        listener.listen(8)
        os._exit(0)
    os.waitpid(pid, 0)


def test_what_is_no_fastcgi_is_hung_up_on(service):
    """The byte of a left connection comes without a descriptor, with a pipe, with a listening socket, or with two descriptors."""
    reader, writer = os.pipe()
    for fds in ([], [reader], [service.listener.fileno()], [writer, reader]):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as peer:
            peer.connect(str(service.socket))
            socket.send_fds(peer, [b"c"], fds)
            assert peer.recv(1) == b""
    os.close(reader)
    os.close(writer)
    assert service.get("/livez").status == 200


def test_another_user_cannot_leave_a_connection(service):
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    os.chmod(service.socket, 0o666)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pid = os.fork()
        if pid == 0:
            os.seteuid(65534)
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as peer:
                peer.connect(str(service.socket))
                socket.send_fds(peer, [b"c"], [theirs.fileno()])
                peer.recv(1)
            os._exit(0)
        os.waitpid(pid, 0)
        theirs.close()
        assert ours.recv(1) == b""


def test_spawn_fcgi_again(cluster, start_pool, database):
    """If no other process has the socket, it goes away with its server, and no connection waits forever."""
    spawn_fcgi = shutil.which("spawn-fcgi")
    if spawn_fcgi is None:
        pytest.skip("spawn-fcgi is missing")
    pool = start_pool(database, listen=None, launcher=lambda pool: [spawn_fcgi, "-s", str(pool.socket), "-n", "--", CRUDDURD])
    with pool.peer() as peer:
        assert peer.ask().status == 200
        pool.daemon.stop()
        eventually(peer.is_closed)
