"""A plain HTTP/1.1 client that sends any bytes, also invalid ones."""

import http.client
import json
import re
import socket
import threading

from waiting import PATIENCE

JSON = "application/json"
PROBLEM = "application/problem+json"
EVENT_STREAM = "text/event-stream"


class Reply:
    """An answer, from HTTP, FastCGI or CGI."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def codes(self):
        """The error codes, in either form of an error's body."""
        return self.json["codes"] if isinstance(self.json, dict) else self.json

    @property
    def next_page(self):
        """The target of Link rel="next", or None."""
        link = self.headers["Link"]
        if link is None:
            return None
        target, relation = link.split(";")
        assert relation.strip() == 'rel="next"'
        return target.strip("<>")


def request_bytes(method, target, body=None, headers=None):
    """The bytes of one request. A header whose value is None is left out."""
    lines = {"Host": "localhost"}
    if body is not None:
        lines |= {"Content-Type": JSON, "Content-Length": len(body)}
    lines |= headers or {}
    text = f"{method} {target} HTTP/1.1\r\n"
    text += "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return text.encode("utf-8", "surrogateescape") + b"\r\n" + (body or b"")


def first_event(response):
    """The bytes of the stream up to the end of its first event."""
    text = b""
    while not re.search(rb"^data:[^\n]*\n\n\Z", text, re.M):
        line = response.readline()
        if not line:
            break
        text += line
    return text


class Connection:
    """A connection that is kept for several requests."""

    def __init__(self, port, timeout=PATIENCE, source=""):
        """Without a source connect() chooses the port: bind() takes milliseconds to search among the recently used ones."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout, (source, 0) if source else None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read_reply(self, method="GET"):
        """The answer; of a stream of events only the part up to the first event's end, after which the connection cannot be used again."""
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        is_stream = response.headers["Content-Type"] == EVENT_STREAM and method != "HEAD"
        return Reply(response.status, response.headers, first_event(response) if is_stream else response.read())

    def ask(self, method, target, body=None, headers=None):
        self.send(request_bytes(method, target, body, headers))
        return self.read_reply(method)


class LastingConnection(Connection):
    """A connection that is made anew when the server announces that it closes it (nginx: after 1000 requests), and after a stream."""

    def __init__(self, port):
        super().__init__(port)
        self.port = port

    def ask(self, *arguments):
        reply = super().ask(*arguments)
        if reply.headers["Connection"] == "close" or reply.headers["Content-Type"] == EVENT_STREAM:
            self.close()
            super().__init__(self.port)
        return reply


class Client:
    """Asks a server, each request over a connection of its own."""

    source = ""  # the source address; "": the usual one

    def __init__(self, port, source=""):
        self.port = port
        self.source = source

    def connect(self):
        return Connection(self.port, source=self.source)

    def send_raw(self, data, method="GET"):
        with self.connect() as connection:
            connection.send(data)
            return connection.read_reply(method)

    def ask(self, method, target, body=None, headers=None):
        with self.connect() as connection:
            return connection.ask(method, target, body, headers)

    def get(self, target, **headers):
        return self.ask("GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, target, document, headers=None):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.ask("POST", target, body, headers)

    def create(self, message="hello", ttl="1-day", user_handle="andrewbrown", **more):
        return self.post("/api/activities", {"message": message, "ttl": ttl, "user_handle": user_handle} | more)

    def home(self, query=""):
        return self.get("/api/activities/home" + query)


class Asking(threading.Thread):
    """A request that is under way while its caller goes on: Asking(service.get, "/…")."""

    def __init__(self, ask, *arguments):
        super().__init__(target=self.keep, args=(ask, *arguments))
        self.start()

    def keep(self, ask, *arguments):
        self.answer = ask(*arguments)

    def reply(self):
        self.join()
        return self.answer
