"""The service as its clients see it: several hosts, which are asked in turn; if one fails, a client asks another one."""

import collections
import http.client
import itertools
import json
import threading
import time

from cryptography.hazmat.primitives import serialization

from client import Reply, request_bytes
from hosts import PORT
from issuer import CLIENT, ISSUER, TOKEN_PERIOD, Key, bearer, good_token, key_set
from nodes import write

PATIENCE = 5  # s for an answer; more than the service's own deadline
PACE = 0.02  # s, after each acknowledged write
Attempt = collections.namedtuple("Attempt", "begun ended host status kind")  # monotonic; status 0: no answer


class Keys:
    """The issuer of the clients' tokens."""

    issuer = ISSUER
    client = CLIENT

    def __init__(self, folder):
        self.file = folder / "secrets/jwks.json"
        self.private_file = folder / "secrets/issuer-key"

    def make(self):
        key = Key("cluster")
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write(self.private_file, key.private.private_bytes(*form).decode(), "root")
        self.file.parent.chmod(0o711)
        write(self.file, key_set(key).decode(), "root", 0o644)

    def load(self):
        key = Key("cluster")
        key.private = serialization.load_pem_private_key(self.private_file.read_bytes(), None)
        return key


class Connection(http.client.HTTPConnection):
    def ask(self, method, target, body=None, headers=None):
        self.connect()
        try:
            self.sock.sendall(request_bytes(method, target, body, headers))
            response = http.client.HTTPResponse(self.sock, method=method)
            response.begin()
            return Reply(response.status, response.headers, response.read())
        finally:
            self.close()


def is_stale(reply):
    """Whether the answer is marked as stale: home's cached page, or a standby's answer, while there is no primary."""
    return "ttl=-" in (reply.headers["Cache-Status"] or "")


class Abandoned(Exception):
    """The trial is over before its writes were acknowledged."""


class Site:
    """Has ask_as(handle, …) like the tests' services. Each thread asks the hosts in turn."""

    def __init__(self, lab):
        self.hosts = {name: host.web_address for name, host in lab.hosts.items()}
        self.key = lab.keys.load()
        self.attempts = []  # of writes
        self.own = threading.local()
        self.is_abandoned = False

    def next_host(self):
        if not hasattr(self.own, "turns"):
            self.own.turns = itertools.cycle(self.hosts)
        return next(self.own.turns)

    def token(self, handle):
        return good_token(self.key, handle, time.time() // TOKEN_PERIOD)

    def ask_as(self, handle, method, target, document=None, headers=None, host=None):
        """host: the host to ask instead of the next one in turn. host_of() tells which one was asked."""
        if self.is_abandoned:
            raise Abandoned
        self.own.host = host or self.next_host()
        identity = bearer(self.token(handle)) if handle else {}
        body = None if document is None else json.dumps(document).encode()
        begun, status = time.monotonic(), 0
        try:
            reply = Connection(self.hosts[self.own.host], PORT, timeout=PATIENCE).ask(method, target, body, identity | (headers or {}))
            status = reply.status
            return reply
        finally:
            if method != "GET":
                self.attempts.append(Attempt(begun, time.monotonic(), self.own.host, status, method))
                if status == 200:
                    time.sleep(PACE)

    def host_of(self):
        """The host that this thread asked last."""
        return self.own.host

    def other_than(self, name):
        return next(host for host in self.hosts if host != name)
