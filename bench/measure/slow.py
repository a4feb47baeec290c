"""Clients of nginx and peers of a pool's socket that send single bytes, stop half-way, or read nothing of a large answer."""

import contextlib
import socket
import struct
import threading

BODY = b'{"message":"slowly","ttl":"1-day","user_handle":"bench1"}'
CREATE = b"POST /api/activities HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
CREATE %= len(BODY), BODY
LARGE = "/api/activities/home?limit=200"
ASK_LARGE = f"GET {LARGE} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
TRICKLING = 8
STOPPED = 16
PAUSE_SECONDS = 0.02
BEGIN_REQUEST, PARAMS, STDIN = 1, 4, 5  # FastCGI 1.0, 8


def record(kind, content=b""):
    return struct.pack("!BBHHBx", 1, kind, 1, len(content), 0) + content


def fastcgi(method, uri, body=b""):
    values = {"REQUEST_METHOD": method, "REQUEST_URI": uri, "REMOTE_ADDR": "127.0.0.1"}
    if body:
        values |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    pairs = b"".join(bytes([len(name), len(value)]) + f"{name}{value}".encode() for name, value in values.items())
    begin = record(BEGIN_REQUEST, struct.pack("!HB5x", 1, 1))
    return begin + record(PARAMS, pairs) + record(PARAMS) + (record(STDIN, body) if body else b"") + record(STDIN)


class SlowClients(threading.Thread):
    """with SlowClients(pool): …"""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool
        self.is_over = threading.Event()
        self.sockets = []

    def client(self):
        return socket.create_connection(("127.0.0.1", self.pool.port))

    def peer(self):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(self.pool.socket))
        return peer

    def __enter__(self):
        peers_create = fastcgi("POST", "/api/activities", BODY)
        self.trickling = [(self.client, CREATE), (self.peer, peers_create)] * TRICKLING
        for _ in range(STOPPED):
            for connect, data in (
                (self.client, CREATE[:-9]),
                (self.peer, peers_create[:-9]),
                (self.client, ASK_LARGE),
                (self.peer, fastcgi("GET", LARGE)),
            ):
                self.sockets.append(connect())
                self.sockets[-1].sendall(data)
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()
        for one in self.sockets:
            one.close()

    def run(self):
        """Sends a byte on each connection at a time. A connection that has sent everything, or was closed, is made again."""
        open_now = [None] * len(self.trickling)
        while not self.is_over.wait(PAUSE_SECONDS):
            for at, (connect, data) in enumerate(self.trickling):
                if open_now[at] is None:
                    open_now[at] = (connect(), iter(data))
                one, rest = open_now[at]
                byte = next(rest, None)
                sent = False
                with contextlib.suppress(OSError):
                    sent = byte is not None and one.send(bytes([byte])) == 1
                if not sent:
                    one.close()
                    open_now[at] = None
        for pair in filter(None, open_now):
            pair[0].close()
