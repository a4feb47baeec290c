#!/usr/bin/python3
"""Prints tests/infra/cloudformation_properties.json from the resource schemas of cfn-lint and aws-sam-translator, for the types
and properties that infra/sam/template.yaml uses. Run it when a new type is used, with a Python that has both:

    python3 -m pip install cfn-lint && tests/infra/cloudformation_properties.py >tests/infra/cloudformation_properties.json"""

import json
import pathlib
import sys

import cfnlint
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from samtranslator.internal.schema_source import aws_serverless_function

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lint"))
import cloudformation  # noqa: E402 # below tests/lint


def resolve(schema, root):
    """The schema without $ref; if it has several forms, the one that is an object or a list."""
    while True:
        if "$ref" in schema:
            target = root
            for step in schema["$ref"].split("/")[1:]:
                target = target[step]
            schema = target
        elif "anyOf" in schema and "properties" not in schema:
            forms = [resolve(form, root) for form in schema["anyOf"]]
            schema = next((form for form in forms if "properties" in form or "items" in form), forms[0])
        else:
            return schema


def describe(schema, root, values):
    """The properties that an object may have; null for a property that the template does not use or that may have any value. values: the
    values in the template."""
    schema = resolve(schema, root)
    if "items" in schema:
        return describe(schema["items"], root, [item for value in values if isinstance(value, list) for item in value])
    if "properties" not in schema:
        return None
    below = {}
    for name, inner in schema["properties"].items():
        used = [value[name] for value in values if isinstance(value, dict) and name in value]
        below[name] = describe(inner, root, used) if used else None
    return {"properties": below, "required": schema.get("required", [])}


def attributes(schema):
    return sorted(path.removeprefix("/properties/").replace("/", ".") for path in schema.get("readOnlyProperties", []))


def main():
    template = cloudformation.load(cloudformation.TEMPLATE)
    types = {}
    for resource in template["Resources"].values():
        kind = resource["Type"]
        values = [other.get("Properties", {}) for other in template["Resources"].values() if other["Type"] == kind]
        if kind == "AWS::Serverless::Function":
            root = aws_serverless_function.Properties.schema()
            types[kind] = {**describe(root, root, values), "attributes": ["Arn"]}
        else:
            root = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
            types[kind] = {**describe(root, root, values), "attributes": attributes(root)}
    print(f'{{"source": "cfn-lint {cfnlint.version.__version__}", "types": {{')
    print(",\n".join(f'"{kind}": {json.dumps(known, separators=(",", ":"))}' for kind, known in sorted(types.items())))
    print("}}")


main()
