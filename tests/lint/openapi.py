#!/usr/bin/python3
"""Lints an OpenAPI 3.1 document: openapi.py FILE VERSION. Its structure follows the OpenAPI Initiative's JSON Schema as Debian packages
it, which is that of 3.0, with the changes of 3.1. Its schemas are JSON Schema 2020-12, and its examples fit them. References resolve,
everything is used, every operation is well-formed, and its version is VERSION."""

import collections
import json
import re
import sys
import warnings

import yaml
from jsonschema import Draft4Validator, Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

OAS_30 = "/usr/share/openapi-specification/schemas/v3.0/schema.json"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
# The keywords that the document uses. JSON Schema has many more, and takes a misspelt one for an annotation.
LISTS_OF_SCHEMAS = {"allOf", "anyOf", "oneOf"}
SCHEMAS = {"items", "additionalProperties", "unevaluatedProperties", "not"}
KEYWORDS = LISTS_OF_SCHEMAS | SCHEMAS | {
    "$ref", "const", "default", "description", "enum", "examples", "format", "maxItems", "maxLength", "maximum", "minItems",
    "minLength", "minimum", "pattern", "properties", "required", "type", "uniqueItems",
}  # fmt: skip
TEMPLATE = re.compile(r"\{(\w+)\}")


def structure():
    """The schema of a document without the schemas in it. OpenAPI 3.1.0, appendix A, has the changes."""
    with open(OAS_30) as file:
        schema = json.load(file)
    definitions = schema["definitions"]
    schema["properties"]["openapi"]["pattern"] = r"^3\.1\.\d+$"
    definitions["Schema"] = {"type": ["object", "boolean"], "not": {"required": ["$ref"]}}  # that would be a Reference
    definitions["Info"]["properties"]["summary"] = {"type": "string"}
    definitions["License"]["properties"]["identifier"] = {"type": "string"}
    return schema


def pointer(path):
    return "#/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)


def walk(node, path=()):
    """Every object and array, with its path."""
    yield path, node
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, value in steps:
        yield from walk(value, (*path, step))


def parts(schema, path):
    """A schema and all those in it, with their paths."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for word, value in schema.items():
        inner = value.items() if word == "properties" else enumerate(value) if word in LISTS_OF_SCHEMAS else ()
        if word in SCHEMAS:
            yield from parts(value, (*path, word))
        for step, one in inner:
            yield from parts(one, (*path, word, step))


class Lint:
    def __init__(self, document, version):
        self.document = document
        self.version = version
        self.findings = []

    def find(self, path, message):
        self.findings.append(f"{pointer(path)}: {message}")

    def run(self):
        self.check_references()
        if not self.findings:  # the checks below follow references
            self.check_structure()
            self.check_schemas()
            self.check_operations()
            self.check_info()
        return self.findings

    def resolve(self, node):
        while isinstance(node, dict) and set(node) == {"$ref"}:
            target = self.document
            for step in node["$ref"].split("/")[1:]:
                target = target[step]
            node = target
        return node

    def check_references(self):
        used = collections.Counter()
        for path, node in walk(self.document):
            target = node.get("$ref") if isinstance(node, dict) else None
            if target is None:
                continue
            used[target] += 1
            try:
                self.resolve({"$ref": target})
            except (KeyError, TypeError):
                self.find(path, f"{target} is not there")
        for kind, components in self.document["components"].items():
            for name in components:
                if kind != "securitySchemes" and not used[f"#/components/{kind}/{name}"]:
                    self.find(("components", kind, name), "is not used")

    def check_structure(self):
        for error in Draft4Validator(structure()).iter_errors(self.document):
            error = best_match([error])  # if alternatives failed, the error within them
            self.find(error.absolute_path, error.message[:200])

    def places(self):
        """Whatever has a schema and may have examples of it: parameters, headers, media types."""
        for path, node in walk({part: self.document[part] for part in ("paths", "components")}):
            if isinstance(node, dict) and "schema" in node and not set(path) & {"schemas", "example", "examples"}:
                yield path, node

    def check_schemas(self):
        before = len(self.findings)
        for name, schema in self.document["components"]["schemas"].items():
            self.check_schema(("components", "schemas", name), schema)
        for path, node in self.places():
            self.check_schema((*path, "schema"), node["schema"])
        if len(self.findings) == before:  # examples can be checked only against valid schemas
            self.check_examples()

    def check_schema(self, path, schema):
        for error in Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema):
            self.find((*path, *error.absolute_path), error.message)
        for inner, part in parts(schema, path):
            for word in part.keys() - KEYWORDS:
                if not word.startswith("x-"):
                    self.find(inner, f"{word} is no keyword")

    def check_examples(self):
        for path, node in self.places():
            if "example" in node:
                self.check_value((*path, "example"), node["schema"], node["example"])
            for name, example in node.get("examples", {}).items():
                self.check_value((*path, "examples", name), node["schema"], example["value"])
        for name, schema in self.document["components"]["schemas"].items():
            for value in schema.get("examples", []):
                self.check_value(("components", "schemas", name, "examples"), schema, value)

    def check_value(self, path, schema, value):
        # With the components beside it a schema's references resolve within itself.
        whole = schema | {"components": self.document["components"]}
        for error in Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value):
            self.find(path, error.message)

    def check_operations(self):
        names = collections.Counter()
        tags = {tag["name"] for tag in self.document["tags"]}
        for path, item in self.document["paths"].items():
            for method in METHODS & item.keys():
                operation = item[method]
                names[operation.get("operationId")] += 1
                at = ("paths", path, method)
                self.check_parameters(at, path, [*item.get("parameters", []), *operation.get("parameters", [])])
                if "operationId" not in operation or "summary" not in operation:
                    self.find(at, "has no operationId or no summary")
                if not operation.get("tags") or not set(operation["tags"]) <= tags:
                    self.find(at, "has no tag, or one that is not declared")
                self.check_security(at, operation)
        for name, count in names.items():
            if count > 1:
                self.find(("paths",), f"operationId {name} is there {count} times")

    def check_parameters(self, at, path, parameters):
        parameters = [self.resolve(parameter) for parameter in parameters]
        places = [(parameter["name"], parameter["in"]) for parameter in parameters]
        if sorted(TEMPLATE.findall(path)) != sorted(name for name, place in places if place == "path"):
            self.find(at, "its path parameters are not those of the path")
        if len(set(places)) != len(places):
            self.find(at, "has a parameter twice")

    def check_security(self, at, operation):
        for requirement in operation.get("security", []):
            for name in requirement:
                if name not in self.document["components"]["securitySchemes"]:
                    self.find(at, f"security scheme {name} is not there")

    def check_info(self):
        if self.document["info"]["version"] != self.version:
            self.find(("info", "version"), f"is not {self.version}")


def main():
    warnings.simplefilter("ignore", DeprecationWarning)
    name, version = sys.argv[1:]
    with open(name, encoding="utf-8") as file:
        findings = Lint(yaml.safe_load(file), version).run()
    for finding in findings:
        print(f"{name}: {finding}")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
