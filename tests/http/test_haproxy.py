"""HAProxy as the front server. With `option get-values` it asks for values first on each connection."""

import json
import subprocess

import pytest

from client import Client
from places import Folder, clean_environment
from ports import free_port
from service import Pool
from waiting import eventually

CONFIGURATION = """
global
    maxconn 200
defaults
    mode http
    timeout connect 60s
    timeout client 300s
    timeout server 300s
fcgi-app cruddurd
    docroot /
    option keep-conn
    {options}
frontend front
    bind 127.0.0.1:{port}
    default_backend pool
backend pool
    use-fcgi-app cruddurd
    http-request set-header X-Request-Id %[uuid()] unless {{ req.hdr(X-Request-Id) -m found }}
    server pool unix@{socket} proto fcgi
"""
# HAProxy passes REQUEST_URI on unchanged, and the client's headers as HTTP_ parameters.
ALL_OPTIONS = {"usual": "", "values": "option get-values", "multiplexed": "option get-values\n    option mpxs-conns"}


class Haproxy(Client):
    def __init__(self, folder, socket, options):
        self.file = folder / "haproxy.cfg"
        self.socket, self.options = socket, options
        self.process = None

    def __enter__(self):
        super().__init__(free_port())
        self.file.write_text(CONFIGURATION.format(port=self.port, socket=self.socket, options=self.options))
        self.process = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", self.file], env=clean_environment())
        eventually(lambda: self.process.poll() is not None or self.answers(), what="haproxy")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def answers(self):
        try:
            self.connect().close()
        except OSError:
            return False
        return True


@pytest.fixture(params=ALL_OPTIONS)
def haproxy(database, request):
    folder = Folder()
    with Pool(database, workers=2) as pool, Haproxy(folder.path, pool.socket, ALL_OPTIONS[request.param]) as haproxy:
        yield haproxy
    folder.remove()


def test_requests(haproxy):
    for number in range(20):
        body = json.dumps({"message": f"by haproxy {number}", "ttl": "1-day", "user_handle": "londo"}).encode()
        reply = haproxy.ask("POST", "/api/activities", body)
        assert (reply.status, reply.json["message"]) == (200, f"by haproxy {number}")
        reply = haproxy.get("/api/activities/home")
        assert (reply.status, reply.json[0]["message"]) == (200, f"by haproxy {number}")
    assert haproxy.get("/api/nothing").status == 404


def test_many_at_once(haproxy):
    connections = [haproxy.connect() for _ in range(50)]
    for _ in range(3):
        for connection in connections:
            connection.send(b"GET /api/activities/home HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert [connection.read_reply().status for connection in connections] == [200] * 50
    for connection in connections:
        connection.close()
