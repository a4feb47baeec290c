"""The parts of AWS that the Lambda function uses, of the Runtime API and of Secrets Manager, with faults on demand."""

import collections
import contextlib
import hashlib
import hmac
import http.server
import itertools
import json
import pathlib
import queue
import ssl
import sys
import threading
import time
import urllib.parse

from daemon import Daemon
from places import CRUDDURD, SQL, Folder, clean_environment
from waiting import PATIENCE, eventually

FUNCTION = str(pathlib.Path(CRUDDURD).parent / "cruddur-confirm")
API = "/2018-06-01/runtime"
CUT, LOST, HALF = "cut", "lost", "half"  # faults besides a status
ALWAYS = 8  # times: more than the function's attempts and curl's own one on a kept connection together

Answer = collections.namedtuple("Answer", "kind body error_type")


class Server:
    """An HTTP/1.1 server on a port of its own."""

    def __init__(self, handler, certificate=None):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.address = "127.0.0.1:%d" % self.http.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body go out together

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, body=b"", headers=None, sent=None):
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json", "Content-Length": len(body)} | (headers or {})).items():
            if value is not None:
                self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body[:sent])
        self.wfile.flush()

    def cut(self):
        self.close_connection = True


class Invocation:
    """An event for the function, and its answer."""

    def __init__(self, request_id, event, headers):
        self.request_id = request_id
        self.event = event
        self.headers = headers
        self.answers = []
        self.has_answer = threading.Event()

    def take(self, answer):
        self.answers.append(answer)
        self.has_answer.set()

    def answer(self):
        assert self.has_answer.wait(PATIENCE), "no answer"
        return self.answers[0]


class RuntimeApi:
    """Lambda's Runtime API: invoke() gives the function an event. faults["next"], faults["response"], faults["error"] and faults["init"]
    are the faults of the next requests of that kind: a status, CUT (no answer, but the request takes effect), LOST (no answer, and the
    request has no effect) or HALF (a part of the answer)."""

    def __init__(self):
        self.waiting = queue.Queue()
        self.invocations = {}
        self.faults = collections.defaultdict(collections.deque)
        self.requests = []
        self.init_errors = []
        self.numbers = itertools.count(1)
        self.has_asked = threading.Event()
        self.is_over = False
        outer = self

        class RuntimeHandler(Handler):
            def do_GET(self):
                outer.next(self)

            def do_POST(self):
                outer.post(self, self.body())

        self.server = Server(RuntimeHandler)
        self.address = self.server.address

    def stop(self):
        self.end()
        self.server.stop()

    def end(self):
        """Makes the function end as soon as it asks for an event."""
        self.is_over = True

    def invoke(self, event, seconds=PATIENCE, **headers):
        """seconds: until the deadline; None: the event has none. headers: further ones of the Runtime API, or other values."""
        request_id = "8476a536-e9f4-11e8-9739-%012d" % next(self.numbers)
        deadline = None if seconds is None else int((time.time() + seconds) * 1000)
        all_headers = {"Lambda-Runtime-Aws-Request-Id": request_id, "Lambda-Runtime-Deadline-Ms": deadline} | headers
        event = event if isinstance(event, bytes) else json.dumps(event).encode()
        invocation = self.invocations[request_id] = Invocation(request_id, event, all_headers)
        self.waiting.put(invocation)
        return invocation

    def fault_of(self, kind):
        return self.faults[kind].popleft() if self.faults[kind] else None

    def next(self, handler):
        self.requests.append("next")
        fault = self.fault_of("next")
        self.has_asked.set()
        if fault in (CUT, LOST):
            return handler.cut()
        if isinstance(fault, int):
            return handler.answer(fault, b'{"errorType":"injected"}')
        while not self.is_over:
            with contextlib.suppress(queue.Empty):
                invocation = self.waiting.get(timeout=0.02)
                break
        else:
            return handler.answer(500, b'{"errorType":"over"}')
        if fault == HALF:
            self.waiting.put(invocation)
            handler.answer(200, invocation.event, invocation.headers, sent=len(invocation.event) // 2)
            return handler.cut()
        handler.answer(200, invocation.event, invocation.headers)

    def post(self, handler, body):
        assert handler.path.startswith(API), handler.path
        *_, request_id, kind = handler.path.split("/")
        kind = "init" if request_id == "init" else kind
        self.requests.append(kind)
        fault = self.fault_of(kind)
        if fault == LOST:
            return handler.cut()
        if isinstance(fault, int):
            return handler.answer(fault, b'{"errorType":"injected"}')
        answer = Answer(kind, body, handler.headers["Lambda-Runtime-Function-Error-Type"])
        if kind == "init":
            self.init_errors.append(answer)
        elif self.invocations[request_id].answers:
            return handler.answer(400, b'{"errorType":"InvalidStateTransition"}')
        else:
            self.invocations[request_id].take(answer)
        if fault == CUT:
            return handler.cut()
        handler.answer(202, b'{"status":"OK"}')


class Function:
    """The program, with a Runtime API of its own unless one is given. environment: a variable that is None is left out."""

    def __init__(self, environment, api=None, command=(FUNCTION,)):
        self.folder = Folder()
        self.api = api or RuntimeApi()
        self.owns_api = api is None
        self.command = list(command)
        defaults = {"AWS_LAMBDA_RUNTIME_API": self.api.address, "CRUDDUR_SQL_DIR": str(SQL), "CRUDDUR_DEADLINE": "60000"}
        self.environment = {name: str(value) for name, value in (defaults | environment).items() if value is not None}

    def __enter__(self):
        self.process = Daemon(self.folder.path, self.command, self.environment)
        return self

    def __exit__(self, *_):
        try:
            self.api.end()
            assert self.process.wait() == 1
            self.process.check_clean()
        except BaseException:
            print(self.log.tail(40))
            raise
        finally:
            self.process.kill()
            if self.owns_api:
                self.api.stop()
            self.folder.remove()

    @property
    def log(self):
        return self.process.log

    def invoke(self, event, *arguments, **more):
        """Invokes the function with the event and returns the answer."""
        return self.api.invoke(event, *arguments, **more).answer()

    def fails(self, event, *arguments, **more):
        """The errorType of the answer, which must be an error."""
        answer = self.invoke(event, *arguments, **more)
        assert answer.kind == "error", answer
        document = json.loads(answer.body)
        word = document["errorType"]
        assert document == {"errorMessage": word, "errorType": word, "stackTrace": []}
        assert answer.error_type == f"Function.{word}"
        return word

    def line_of(self, invocation):
        """The one log line about the invocation, which may come a moment after the answer."""

        def found():
            return [line for line in self.log.entries("invocation") if line["request_id"] == invocation.request_id]

        (line,) = eventually(found, what="a line about the invocation")
        return line


def digest(text):
    return hashlib.sha256(text).hexdigest()


def signing_key(secret_key, *parts):
    key = b"AWS4" + secret_key.encode()
    for part in (*parts, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signature_of(secret_key, method, path, headers, signed_headers, body, region, service):
    """The signature, computed by AWS's description of Signature Version 4."""
    canonical_headers = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed_headers.split(";"))
    url = urllib.parse.urlsplit(path)
    canonical = "\n".join([method, url.path or "/", url.query, canonical_headers, signed_headers, digest(body)])
    at = headers["x-amz-date"]
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, digest(canonical.encode())])
    return hmac.new(signing_key(secret_key, at[:8], region, service), text.encode(), "sha256").hexdigest()


class SecretsManager:
    """GetSecretValue of one secret, for requests that are signed with the credentials. faults as in RuntimeApi."""

    REGION = "eu-central-1"
    ARN = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:cruddur/hook-AbCdEf"
    CREDENTIALS = {"AWS_ACCESS_KEY_ID": "ASIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalr/K7+EXAMPLE:KEY", "AWS_SESSION_TOKEN": "IQoJb3+/token=="}
    MUST_SIGN = {"host", "x-amz-date", "x-amz-target", "x-amz-security-token"}

    def __init__(self, value, certificate=None):
        self.value = value
        self.faults = collections.deque()
        self.fetches = 0
        outer = self

        class SecretsHandler(Handler):
            def do_POST(self):
                outer.get_value(self, self.body())

        self.server = Server(SecretsHandler, certificate)
        self.url = f"http{'s' if certificate else ''}://{self.server.address}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()

    def environment(self, **more):
        return self.CREDENTIALS | {"DATABASE_SECRET_ARN": self.ARN, "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.url, "CONNECTION_URL": None} | more

    def is_signed(self, handler, body):
        scheme, _, rest = handler.headers["Authorization"].partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        day = headers["x-amz-date"][:8]
        expected = signature_of(
            self.CREDENTIALS["AWS_SECRET_ACCESS_KEY"], handler.command, handler.path, headers, parts["SignedHeaders"], body,
            self.REGION, "secretsmanager",
        )  # fmt: skip
        return (
            scheme == "AWS4-HMAC-SHA256"
            and parts["Credential"] == f"{self.CREDENTIALS['AWS_ACCESS_KEY_ID']}/{day}/{self.REGION}/secretsmanager/aws4_request"
            and self.MUST_SIGN <= set(parts["SignedHeaders"].split(";"))
            and headers["x-amz-security-token"] == self.CREDENTIALS["AWS_SESSION_TOKEN"]
            and hmac.compare_digest(parts["Signature"], expected)
        )

    def get_value(self, handler, body):
        self.fetches += 1
        fault = self.faults.popleft() if self.faults else None
        if fault in (CUT, LOST):
            return handler.cut()
        if isinstance(fault, int):
            return handler.answer(fault, b'{"__type":"Injected"}')
        if isinstance(fault, bytes):
            return handler.answer(200, fault)
        if not self.is_signed(handler, body):
            return handler.answer(400, b'{"__type":"InvalidSignatureException","message":"no"}')
        if handler.headers["X-Amz-Target"] != "secretsmanager.GetSecretValue" or json.loads(body) != {"SecretId": self.ARN}:
            return handler.answer(400, b'{"__type":"ResourceNotFoundException","Message":"no"}')
        value = self.value if isinstance(self.value, str) else json.dumps(self.value)
        handler.answer(200, json.dumps({"ARN": self.ARN, "Name": "cruddur/hook", "SecretString": value, "VersionStages": ["AWSCURRENT"]}).encode())


def main():
    """A Runtime API that prints its address, gives the function the event of standard input, prints the answer and ends it."""
    api = RuntimeApi()
    print(api.address, flush=True)
    answer = api.invoke(sys.stdin.buffer.read()).answer()
    print(answer.kind, answer.body.decode(), flush=True)
    api.end()
    time.sleep(0.2)
    api.stop()


if __name__ == "__main__":
    main()
