#!/usr/bin/python3
"""Checks infra/sam/template.yaml against the properties of its types: cloudformation.py [TEMPLATE [PROPERTIES]]. cfn-lint, which does
more, is no Debian package; PROPERTIES, tests/infra/cloudformation_properties.json, is made from its schemas. An error is a property that
a type does not have, one that it requires and that is missing, a reference to something that does not exist, a parameter that is not
used, and an unknown section."""

import json
import pathlib
import re
import sys

import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = TOP / "infra/sam/template.yaml"
PROPERTIES = TOP / "tests/infra/cloudformation_properties.json"
SECTIONS = {"AWSTemplateFormatVersion", "Transform", "Description", "Parameters", "Resources", "Outputs"}
RESOURCE = {"Type", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Properties"}
PARAMETER = {"Type", "Default", "AllowedPattern", "AllowedValues", "MinValue", "MaxValue", "Description"}
PSEUDO = {"AWS::AccountId", "AWS::Partition", "AWS::Region"}
FUNCTIONS = {"Ref", "GetAtt", "Sub", "Select"}


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: !Ref x is {"Ref": "x"}."""


def short_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    return {suffix: loader.construct_sequence(node, deep=True)}


def strict_map(loader, node):
    """A map; a key that it has twice is an error."""
    keys = [key.value for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: {key} is there twice")
    return loader.construct_mapping(node, deep=True)


Loader.add_multi_constructor("!", short_form)
Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, strict_map)


def load(path):
    with open(path) as file:
        return yaml.load(file, Loader)


def function_of(value):
    return next(iter(value)) if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in FUNCTIONS else None


def references(value):
    """Every name in Ref, GetAtt and Sub, GetAtt's with its attribute."""
    function = function_of(value)
    if function == "Ref" or function == "GetAtt":
        yield value[function]
    elif function == "Sub":
        yield from re.findall(r"\$\{([^!][^}]*)\}", value[function])
    elif isinstance(value, dict):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def check_object(where, value, known):
    """Checks the properties of an object and of the objects in it."""
    if known is None or function_of(value):
        return
    if isinstance(value, list):
        for item in value:
            yield from check_object(where, item, known)
    elif isinstance(value, dict):
        for name in value.keys() - known["properties"].keys():
            yield f"{where}: no property {name}"
        for name in known["required"]:
            if name not in value:
                yield f"{where}: {name} is required"
        for name in value.keys() & known["properties"].keys():
            yield from check_object(f"{where}.{name}", value[name], known["properties"][name])


def check_reference(name, template, types):
    root, _, attribute = name.partition(".")
    resource = template["Resources"].get(root)
    if name in PSEUDO or name in template["Parameters"]:
        return
    if resource is None:
        yield f"{name}: neither a parameter nor a resource"
    elif attribute and attribute not in types.get(resource["Type"], {}).get("attributes", ()):
        yield f"{name}: {resource['Type']} has no attribute {attribute}"


def check(template, types):
    for name in template.keys() - SECTIONS:
        yield f"no section {name}"
    for name, parameter in template["Parameters"].items():
        for word in parameter.keys() - PARAMETER:
            yield f"parameter {name}: no {word}"
        if "Description" not in parameter:
            yield f"parameter {name}: Description is missing"
    for name, resource in template["Resources"].items():
        for word in resource.keys() - RESOURCE:
            yield f"{name}: no {word}"
        if resource["Type"] not in types:
            yield f"{name}: {resource['Type']} is not in the list: tests/infra/cloudformation_properties.py makes it"
        else:
            yield from check_object(name, resource.get("Properties", {}), types[resource["Type"]])
        if "DependsOn" in resource:
            yield from check_reference(resource["DependsOn"], template, types)
    used = set(references(template))
    for name in sorted(used):
        yield from check_reference(name, template, types)
    for name in template["Parameters"].keys() - used:
        yield f"parameter {name} is not used"


def main():
    path, properties = [*sys.argv[1:], TEMPLATE, PROPERTIES][:2] if len(sys.argv) != 2 else (sys.argv[1], PROPERTIES)
    types = json.loads(pathlib.Path(properties).read_text())["types"]
    errors = sorted(check(load(path), types))
    print("\n".join(errors), file=sys.stderr)
    sys.exit(bool(errors))


if __name__ == "__main__":
    main()
