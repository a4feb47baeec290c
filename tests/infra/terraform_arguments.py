#!/usr/bin/python3
"""terraform_arguments.py FOLDER: prints tests/infra/terraform_arguments.json. FOLDER is the unpacked npm package @cdktf/provider-aws, whose
declarations are made from the schema of the provider. For each type that infra/terraform uses the list has the arguments with their types,
which of them are required, and the attributes that can be read. It has only those nested blocks that are used. Run this when a new type is
used, or for a newer provider:

    npm pack @cdktf/provider-aws && tar xzf cdktf-provider-aws-*.tgz
    tests/infra/terraform_arguments.py package >tests/infra/terraform_arguments.json"""

import json
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/lint"))
import hcl  # noqa: E402 # below tests/lint

MEMBER = re.compile(r"#(\w+) \w+#\w+\}(?:(?!\*/).)*?\*/\s+readonly (\w+)(\??): ([^;]+?(?:\{[^}]*\})?);", re.DOTALL)
TYPES = [(r"^string$", "string"), (r"^number$", "number"), (r"^boolean", "bool"), (r"^(string|number)\[\]", "list"), (r"^\{", "map")]


def snake(name):
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def members(source, interface):
    """The name, requirement and type of each member of an interface."""
    body = re.search(rf"export interface {interface} (?:extends \S+ )?\{{\n(.*?)\n\}}", source, re.DOTALL)
    for name, _, optional, kind in MEMBER.findall(body[1] if body else ""):
        yield name, not optional, kind.strip()


def describe(source, interface, used):
    """The arguments of a block. used: the blocks of this kind that infra/terraform has."""
    known = {"arguments": {}, "required": [], "blocks": {}}
    for name, required, kind in members(source, interface):
        simple = next((word for pattern, word in TYPES if re.match(pattern, kind)), None)
        if required:
            known["required"].append(name)
        if simple:
            known["arguments"][name] = simple
            continue
        inner = [block for parent in used for block in nested(parent) if block[0] == name]
        interface_of = re.match(r"(\w+)", kind)[1]
        known["blocks"][name] = describe(source, interface_of, [block for _, block in inner]) if inner else None
    return known


def nested(block):
    """The blocks in a block; a dynamic block counts as the block that it makes."""
    for inner in block.blocks:
        if inner.kind == "dynamic":
            yield inner.labels[0], next(content for content in inner.blocks if content.kind == "content")
        else:
            yield inner.kind, inner


def readable(source, name):
    """The attributes of a resource that can be read besides its arguments, with the members of those that only AWS sets."""
    found = {}
    body = re.search(rf"export declare class {name} extends cdktf\.Terraform(?:Resource|DataSource) \{{\n(.*?)\n\}}", source, re.DOTALL)[1]
    for getter, kind in re.findall(r"get (\w+)\(\): (\w+)", body):
        if not getter.endswith("Input"):
            inner = re.search(rf"export declare class {kind.removesuffix('List')}OutputReference .*?\n\}}", source, re.DOTALL)
            names = {snake(member) for member in re.findall(r"get (\w+)\(\)", inner[0])} - {"internal_value"} if inner else ()
            found[snake(getter)] = sorted(name for name in names if not name.endswith("_input"))
    return found


def main():
    package = pathlib.Path(sys.argv[1])
    version = json.loads((package / "package.json").read_text())["cdktf"]["provider"]["version"]
    used = {}
    for path in sorted((TOP / "infra/terraform").glob("*.tf")):
        for block in hcl.parse(path.read_text()).blocks:
            if block.kind in ("resource", "data", "provider"):
                used.setdefault(("data." if block.kind == "data" else "") + block.labels[0], []).append(block)
    result = {}
    for name, blocks in sorted(used.items()):
        words = name.removeprefix("data.").removeprefix("aws_").split("_")
        folder = "provider" if name == "aws" else ("data-aws-" if name.startswith("data.") else "") + "-".join(words)
        source = (package / "lib" / folder / "index.d.ts").read_text()
        title = re.search(r"export interface (\w+)Config (?:extends|\{)", source)[1]
        result[name] = describe(source, f"{title}Config", blocks)
        taken = {*result[name]["arguments"], *result[name]["blocks"]}
        result[name]["readable"] = {} if name == "aws" else {
            word: inner for word, inner in readable(source, title).items() if word not in taken
        }
    print(f'{{"provider": "hashicorp/aws {version}", "types": {{')
    print(",\n".join(f'"{name}": {json.dumps(known, separators=(",", ":"))}' for name, known in result.items()))
    print("}}")


main()
