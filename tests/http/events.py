"""A client of the stream of home's events (HTML Standard, section 9.2), which reads one block at a time."""

import http.client
import json
import select
import struct

from client import EVENT_STREAM, request_bytes
from fcgi import END_REQUEST, STDOUT, cgi_reply, request

EVENTS = "/api/activities/home/events"


class Block(dict):
    """The fields of a block, by name. A comment's name is empty."""

    @property
    def is_comment(self):
        return set(self) == {""}

    @property
    def data(self):
        return json.loads(self["data"])

    @property
    def new(self):
        return self.data["new"]

    @property
    def etag(self):
        return self.data["etag"]


class Stream:
    """The part that HTTP and FastCGI share. read_line() returns b"" at the end."""

    def read_block(self):
        """The next block; None at the end."""
        block = Block()
        while True:
            line = self.read_line()
            if line == b"":
                assert not block, "it ended within a block"
                return None
            if line == b"\n":
                return block
            name, _, value = line.decode().rstrip("\n").partition(":")
            block[name] = value.removeprefix(" ")

    def read_event(self):
        """The next block that is not a comment; None at the end."""
        while True:
            block = self.read_block()
            if block is None or "data" in block:
                return block

    def read_to_event(self, etag):
        """All events up to the one with that etag."""
        events = [self.read_event()]
        while events[-1].etag != etag:
            events.append(self.read_event())
        return events


class HttpStream(Stream):
    """A stream through nginx."""

    def __init__(self, client, last_id=None, **headers):
        self.connection = client.connect()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.send(request_bytes("GET", EVENTS, headers={"Last-Event-ID": last_id} | headers))
        self.response = http.client.HTTPResponse(self.connection.socket)
        self.response.begin()
        self.status, self.headers = self.response.status, self.response.headers
        self.retry = None
        if self.status == 200:
            assert self.headers["Content-Type"] == EVENT_STREAM
            self.retry = int(self.read_block()["retry"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.response.close()
        self.connection.close()

    def read_line(self):
        return self.response.readline()

    def codes(self):
        return json.loads(self.response.read())


class PeerStream(Stream):
    """A stream without nginx, over a FastCGI connection that the caller closes."""

    def __init__(self, peer, last_id=None, **parameters):
        self.peer = peer
        self.rest = b""
        self.has_ended = False
        peer.send(request("GET", EVENTS, HTTP_LAST_EVENT_ID=last_id, **parameters))
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.read_output()
        head, _, self.rest = head.partition(b"\r\n\r\n")
        self.reply = cgi_reply(head + b"\r\n\r\n")
        self.headers = self.reply.headers
        if self.reply.status == 200:
            self.retry = int(self.read_block()["retry"])

    def read_output(self):
        """The content of the next record; b"" at the end of the request."""
        _, kind, _, length, padding = struct.unpack("!BBHHBx", self.peer.read(8))
        content = self.peer.read(length)
        self.peer.read(padding)
        self.has_ended = kind == END_REQUEST
        assert kind in (STDOUT, END_REQUEST)
        return b"" if self.has_ended else content

    def read_line(self):
        while b"\n" not in self.rest and not self.has_ended:
            self.rest += self.read_output()
        line, end, self.rest = self.rest.partition(b"\n")
        return line + end

    def has_something(self):
        return b"\n" in self.rest or bool(select.select([self.peer.socket], [], [], 0)[0])
