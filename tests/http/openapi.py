"""doc/openapi.yaml as the tests read it: operations with their references followed, and checks of answers."""

import functools

import yaml
from jsonschema import Draft202012Validator, FormatChecker

from client import JSON, PROBLEM
from places import TOP

FILE = TOP / "doc/openapi.yaml"
METHODS = ("get", "put", "post", "delete", "options")
TRANSPORT = {"Status", "Date", "Server", "Connection", "Content-Type", "Content-Length", "Transfer-Encoding"}


class Document:
    def __init__(self, file=FILE):
        self.tree = yaml.load(file.read_text(), yaml.CSafeLoader)
        self.validators = {}  # id of a schema → the schema, which keeps the id valid, and its validator
        self.paths = list(self.tree["paths"])
        # The status of an answer by its first code.
        self.statuses = {code["const"]: code["x-status"] for code in self.schema("Code")["oneOf"]}
        self.operations = [
            Operation(self, path, method, item)
            for path, item in self.tree["paths"].items()
            for method in METHODS
            if method in item
        ]

    @classmethod
    @functools.cache
    def shared(cls):
        """The document that all files of tests in this process share."""
        return cls()

    def schema(self, name):
        return self.tree["components"]["schemas"][name]

    def follow(self, node):
        """The target of a reference; any other node unchanged."""
        while set(node) == {"$ref"}:
            target = self.tree
            for step in node["$ref"].split("/")[1:]:
                target = target[step]
            node = target
        return node

    def check(self, schema, value):
        """Checks that the value matches the schema."""
        if id(schema) not in self.validators:
            whole = schema | {"components": self.tree["components"]}  # its references lead there
            self.validators[id(schema)] = schema, Draft202012Validator(whole, format_checker=FormatChecker())
        errors = self.validators[id(schema)][1].iter_errors(value)
        assert not (found := [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]), found

    def operation(self, name):
        (found,) = [operation for operation in self.operations if operation.id == name]
        return found

    def methods(self, path):
        """The methods that OPTIONS lists for the path."""
        methods = {operation.method for operation in self.operations if operation.path == path}
        return methods | ({"HEAD"} if "GET" in methods else set())


class Operation:
    def __init__(self, document, path, method, item):
        operation = item[method]
        self.document = document
        self.path = path
        self.method = method.upper()
        self.id = operation["operationId"]
        self.parameters = [
            document.follow(parameter) for parameter in [*item.get("parameters", []), *operation.get("parameters", [])]
        ]
        self.responses = {status: document.follow(response) for status, response in operation["responses"].items()}
        self.media_type = operation.get("requestBody", {}).get("content", {}).get(JSON)
        security = operation.get("security", [{}])
        self.is_signed = {"signature": []} in security
        self.wants_token = {"token": []} in security[:1]

    def examples(self, place, is_required=False):
        """{name: example} of the parameters in that place; all, or only those that a request must have."""
        return {
            each["name"]: each["example"]
            for each in self.parameters
            if each["in"] == place and (not is_required or each.get("required"))
        }

    def body_example(self):
        """The first example of the body; None for an operation without a body."""
        if self.media_type is None:
            return None
        return self.media_type.get("example") or next(iter(self.media_type["examples"].values()))["value"]

    def codes(self, status):
        """The codes that an answer with this status (or "default") may have."""
        content = self.responses[status].get("content", {})
        return content[JSON]["schema"]["items"]["enum"] if PROBLEM in content else []

    def failures(self):
        """All documented failures, as (status, code)."""
        return [
            (status, code)
            for status in self.responses
            for code in self.codes(status)
            if status != "default" or str(self.document.statuses[code]) not in self.responses
        ]

    def check(self, reply, status):
        """Checks that the answer is the one documented for this status (or "default")."""
        response = self.responses[status]
        content = response.get("content", {})
        if content:
            assert reply.headers["Content-Type"] in content
            document = reply.body.decode() if reply.headers["Content-Type"].startswith("text/") else reply.json
            self.document.check(content[reply.headers["Content-Type"]]["schema"], document)
            if reply.headers["Content-Type"] == PROBLEM:
                self.document.check(content[JSON]["schema"], document["codes"])
                assert document["status"] == reply.status
                assert document["request_id"] == reply.headers["X-Request-Id"]
        else:
            assert reply.body == b""
            assert "Content-Type" not in reply.headers
        self.check_headers(reply, response["headers"])

    def check_headers(self, reply, headers):
        headers = {name: self.document.follow(header) for name, header in headers.items()}
        for name, header in headers.items():
            value = reply.headers[name]
            if value is not None:
                is_number = header["schema"].get("type") == "integer"
                self.document.check(header["schema"], int(value) if is_number else value)
            assert value is not None or not header.get("required"), f"{name} is missing"
        # Headers that every answer may have are documented once, in the description.
        description = self.document.tree["info"]["description"]
        for name in set(reply.headers) - headers.keys() - TRANSPORT:
            assert f"`{name}" in description, f"{name} is not documented"
