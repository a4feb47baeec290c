"""rds_server.py FOLDER: an endpoint for aws with one RDS instance and its secret, as far as the rds-* scripts go.

FOLDER/instance has the instance as JSON, by RDS's names; a test writes it, CreateDBInstance makes it. FOLDER/secret is what Secrets
Manager has. Each line "ACTION STATUS CODE" of FOLDER/errors is answered once, to the next request of that action. FOLDER/requests
gets a line for each request: its action and its parameters, sorted. Writes its port to FOLDER/port. Ends when its parent has."""

import http.server
import json
import os
import pathlib
import re
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

folder = pathlib.Path(sys.argv[1])
SECRET_ARN = "arn:aws:secretsmanager:ca-central-1:123456789012:secret:rds!db-1"
NEXT = {"creating": "available", "starting": "available", "stopping": "stopped"}


class Refusal(Exception):
    """A code of RDS's documentation and its status."""


def read(name):
    path = folder / name
    return json.loads(path.read_text()) if path.exists() else None


def write(instance):
    (folder / "instance").write_text(json.dumps(instance))


def found(parameters):
    instance = read("instance")
    if not instance or instance["DBInstanceIdentifier"] != parameters["DBInstanceIdentifier"]:
        raise Refusal("DBInstanceNotFound", 404)
    return instance


def create(parameters):
    """Refuses what RDS refuses."""
    if read("instance"):
        raise Refusal("DBInstanceAlreadyExists", 400)
    managed = parameters.get("ManageMasterUserPassword") == "true"
    if managed == ("MasterUserPassword" in parameters):
        raise Refusal("InvalidParameterCombination", 400)
    for name in ("Engine", "DBInstanceClass", "MasterUsername"):
        if not parameters.get(name):
            raise Refusal("MissingParameter", 400)
    instance = {
        name: value == "true" if value in ("true", "false") else value
        for name, value in parameters.items()
        if "." not in name and name not in ("Action", "Version", "MasterUserPassword", "ManageMasterUserPassword")
    }
    instance["DBInstanceStatus"] = "creating"
    if managed:
        instance["MasterUserSecret"] = {"SecretArn": SECRET_ARN, "SecretStatus": "active"}
    write(instance)
    return instance


def describe(parameters):
    """What was under way at the last request is done at this one."""
    instance = found(parameters)
    instance["DBInstanceStatus"] = NEXT.get(instance["DBInstanceStatus"], instance["DBInstanceStatus"])
    write(instance)
    return instance


def change(before, after):
    def act(parameters):
        instance = found(parameters)
        if instance["DBInstanceStatus"] != before:
            raise Refusal("InvalidDBInstanceState", 400)
        instance["DBInstanceStatus"] = after
        write(instance)
        return instance

    return act


ACTIONS = {
    "CreateDBInstance": create,
    "DescribeDBInstances": describe,
    "StopDBInstance": change("available", "stopping"),
    "StartDBInstance": change("stopped", "starting"),
}


def xml(value, name=None):
    """A value as RDS writes it."""
    if isinstance(value, dict):
        return "".join(f"<{key}>{xml(item, key)}</{key}>" for key, item in value.items())
    if isinstance(value, list):
        return "".join(f"<Tag>{xml(item)}</Tag>" for item in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        service = re.search(r"Credential=\w+/\d{8}/[a-z0-9-]+/([a-z]+)/aws4_request", self.headers.get("Authorization", ""))[1]
        action, parameters, answer = {"rds": self.rds, "secretsmanager": self.secret}[service](text)
        with open(folder / "requests", "a") as file:
            print(action, *(f"{name}={value}" for name, value in sorted(parameters.items())), file=file)
        try:
            self.inject(action)
            body, status = answer(parameters), 200
        except Refusal as refusal:
            code, status = refusal.args
            body = self.error(service, code)
        self.send_response(status)
        self.send_header("Content-Type", "text/xml" if service == "rds" else "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def inject(self, action):
        path = folder / "errors"
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines:
            name, status, code = line.split()
            if name == action:
                lines.remove(line)
                path.write_text("\n".join(lines))
                raise Refusal(code, int(status))

    def error(self, service, code):
        if service == "rds":
            return f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>as injected</Message></Error></ErrorResponse>"
        return json.dumps({"__type": code, "message": "as injected"})

    def rds(self, text):
        parameters = dict(urllib.parse.parse_qsl(text, strict_parsing=True))
        action = parameters.pop("Action")
        assert parameters.pop("Version") == "2014-10-31"

        def answer(parameters):
            result = f"<DBInstance>{xml(ACTIONS[action](parameters))}</DBInstance>"
            if action == "DescribeDBInstances":
                result = f"<DBInstances>{result}</DBInstances>"
            return f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"

        return action, parameters, answer

    def secret(self, text):
        action = self.headers["X-Amz-Target"].removeprefix("secretsmanager.")
        assert action == "GetSecretValue"

        def answer(parameters):
            if parameters["SecretId"] != SECRET_ARN:
                raise Refusal("ResourceNotFoundException", 400)
            return json.dumps({"ARN": SECRET_ARN, "Name": "rds!db-1", "SecretString": (folder / "secret").read_text()})

        return action, json.loads(text), answer


parent = os.getppid()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
(folder / "port.new").write_text(str(server.server_address[1]))
(folder / "port.new").rename(folder / "port")
while os.getppid() == parent:
    time.sleep(0.5)
