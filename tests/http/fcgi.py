"""A FastCGI client that can also send what nginx never sends (FastCGI Specification 1.0)."""

import http.client
import io
import select
import socket
import struct

from client import JSON, Reply
from waiting import PATIENCE

BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES = range(1, 10)
RESPONDER, AUTHORIZER = 1, 2
KEEP_CONNECTION = 1


def record(kind, content=b"", request=1, version=1, padding=0):
    return struct.pack("!BBHHBx", version, kind, request, len(content), padding) + content + bytes(padding)


def begin(role=RESPONDER, flags=KEEP_CONNECTION, request=1):
    return record(BEGIN_REQUEST, struct.pack("!HB5x", role, flags), request)


def length_prefix(length):
    return struct.pack("!B", length) if length < 128 else struct.pack("!I", length | 0x80000000)


def pair(name, value):
    name, value = (text if isinstance(text, bytes) else text.encode() for text in (name, value))
    return length_prefix(len(name)) + length_prefix(len(value)) + name + value


def stream(kind, content):
    """The stream as records, with the empty record that ends it."""
    parts = [content[at : at + 0xFFF8] for at in range(0, len(content), 0xFFF8)]
    return b"".join(record(kind, part) for part in [*parts, b""])


def parameters(method="GET", uri="/livez", body=b"", **more):
    """The parameters of one request, as pairs. more adds or replaces some; None leaves one out."""
    values = {"REQUEST_METHOD": method, "REQUEST_URI": uri, "REMOTE_ADDR": "127.0.0.1"}
    if body:
        values |= {"CONTENT_TYPE": JSON, "CONTENT_LENGTH": str(len(body))}
    return b"".join(pair(name, value) for name, value in (values | more).items() if value is not None)


def head(pairs):
    """A request up to its body."""
    return begin() + stream(PARAMS, pairs)


def request(method="GET", uri="/livez", body=b"", **more):
    return head(parameters(method, uri, body, **more)) + stream(STDIN, body)


def cgi_reply(output):
    """The Reply in the output of a CGI program."""
    text = io.BytesIO(output)
    headers = http.client.parse_headers(text)
    return Reply(int(headers["Status"].split()[0]), headers, text.read())


class Peer:
    def __init__(self, address, timeout=PATIENCE):
        """address is a path, or a host and a port."""
        if isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout)
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read(self, count):
        data = b""
        while len(data) < count:
            got = self.socket.recv(count - len(data))
            if not got:
                raise ConnectionError(f"closed after {len(data)} of {count} bytes")
            data += got
        return data

    def read_reply(self):
        """The answer up to END_REQUEST."""
        output = b""
        while True:
            _, kind, _, length, padding = struct.unpack("!BBHHBx", self.read(8))
            content = self.read(length)
            self.read(padding)
            if kind == END_REQUEST:
                return cgi_reply(output)
            if kind == STDOUT:
                output += content

    def has_answer(self):
        """Whether a part of the answer has come."""
        return bool(select.select([self.socket], [], [], 0)[0])

    def is_hung_up_on(self):
        """Whether the other side has closed the connection, though there may be unread bytes."""
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def ask(self, *arguments, **more):
        self.send(request(*arguments, **more))
        return self.read_reply()

    def is_closed(self):
        """Whether the other side closes the connection before the time-out."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False
