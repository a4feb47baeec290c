"""An OpenTelemetry collector of the tests' own: takes OTLP/HTTP in JSON, checks its form, and keeps the spans."""

import collections
import contextlib
import http.server
import json
import pathlib
import re
import ssl
import threading
import time

from places import CRUDDURD

EXPORTER = str(pathlib.Path(CRUDDURD).parent / "cruddur-export-spans")
SERVER, CLIENT = 2, 3  # SpanKind
ERROR = 2  # StatusCode
HAS_IS_REMOTE, IS_REMOTE = 0x100, 0x200  # SpanFlags
SPAN_FIELDS = {"traceId", "spanId", "parentSpanId", "flags", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "status"}

Span = collections.namedtuple("Span", "trace id parent flags name kind start end attributes status resource")


def attributes_of(listed):
    """{name: value}, each value with its type in the JSON. A name may occur only once."""
    found = {}
    for attribute in listed:
        assert attribute.keys() == {"key", "value"} and attribute["key"] not in found, attribute
        ((kind, value),) = attribute["value"].items()
        if kind == "intValue":  # a 64-bit integer is a string in protobuf's JSON
            assert re.fullmatch(r"-?[0-9]+", value), attribute
            value = int(value)
        else:
            assert kind == "stringValue" and isinstance(value, str) and value, attribute
        found[attribute["key"]] = value
    return found


def hex_id(text, size):
    assert re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text) and set(text) != {"0"}, text
    return text


def nanoseconds(text):
    assert re.fullmatch(r"[0-9]{19}", text), text
    return int(text)


def span_of(document, resource):
    assert document.keys() <= SPAN_FIELDS, document
    span = Span(
        hex_id(document["traceId"], 16), hex_id(document["spanId"], 8),
        hex_id(document["parentSpanId"], 8) if "parentSpanId" in document else None, document["flags"], document["name"],
        document["kind"], nanoseconds(document["startTimeUnixNano"]), nanoseconds(document["endTimeUnixNano"]),
        attributes_of(document["attributes"]), document["status"].get("code", 0), resource,
    )  # fmt: skip
    assert span.start <= span.end and span.name and span.kind in (SERVER, CLIENT), document
    return span


def spans_of(body):
    """The spans of one request's body."""
    ((scope_spans,),) = ([entry["scopeSpans"] for entry in json.loads(body)["resourceSpans"]],)
    (resource,) = [attributes_of(entry["resource"]["attributes"]) for entry in json.loads(body)["resourceSpans"]]
    (spans,) = [entry["spans"] for entry in scope_spans]
    assert [entry["scope"]["name"] for entry in scope_spans] == ["cruddurd"]
    return [span_of(document, resource) for document in spans]


class Collector:
    """Answers each request with set_answer's status, body and headers. While self.gate is not set, it sends no answer."""

    def __init__(self, certificate=None):
        """certificate: a file with key and certificate, for https."""
        self.bodies, self.headers, self.times = [], [], []
        self.parsed = []  # the spans of each body that has been parsed so far
        self.gate = threading.Event()
        self.gate.set()
        self.set_answer(200)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Closes the port."""
        if self.thread is not None:
            self.gate.set()
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()
            self.thread = None

    def set_answer(self, status, body=b"{}", **headers):
        self.answer = (status, body, headers)

    def handler(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.times.append(time.monotonic())
                outer.gate.wait()
                status, answer, headers = outer.answer
                if status == 200:
                    outer.bodies.append(body)
                outer.headers.append((self.path, dict(self.headers.items())))
                with contextlib.suppress(OSError):  # the exporter may have ended
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(answer)))
                    for name, value in headers.items():
                        self.send_header(name.replace("_", "-"), value)
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, *_):
                pass

        return Handler

    @property
    def spans(self):
        """All spans that were accepted. Only one thread may use this."""
        self.parsed += [spans_of(body) for body in self.bodies[len(self.parsed) :]]
        return [span for spans in self.parsed for span in spans]

    def requests(self):
        return [span for span in self.spans if span.kind == SERVER]

    def statements(self):
        return [span for span in self.spans if span.kind == CLIENT]
