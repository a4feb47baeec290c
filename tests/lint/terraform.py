#!/usr/bin/python3
"""Checks Terraform's files against the arguments of the provider: terraform.py FOLDER ARGUMENTS. Terraform itself would need the
provider for that, which is no Debian package. ARGUMENTS is tests/infra/terraform_arguments.json. An error is an argument or a block that
a type does not have, one that it requires and that is missing, a literal of another type, a name that is not defined or not used, a
circle of references, and a template whose names are not those that it is given."""

import json
import pathlib
import re
import sys

import hcl

META = {"count", "for_each", "depends_on", "provider"}
META_BLOCKS = {"lifecycle": {"create_before_destroy", "prevent_destroy", "ignore_changes", "replace_triggered_by"}}
# Those of Terraform's functions that are used here.
FUNCTIONS = {
    "base64encode", "can", "cidrsubnet", "contains", "filebase64sha256", "regex", "slice", "templatefile", "tonumber", "toset", "tostring",
}  # fmt: skip
VARIABLE = {"description", "type", "default"}


class Module:
    """All files of a folder as one, which is how Terraform reads them."""

    def __init__(self, folder, types):
        self.folder, self.types, self.errors = folder, types, []
        self.definitions = {}  # "var.x", "local.x", "aws_vpc.this", "data.aws_ami.debian": (file, line, paths that it refers to)
        self.files = {}
        for path in sorted(folder.glob("*.tf")):
            try:
                self.files[path.name] = hcl.parse(path.read_text())
            except hcl.HclError as error:
                self.errors.append(f"{path.name}: {error}")
        self.kinds = {"resource": self.resource, "data": self.resource, "variable": self.variable, "output": self.output,
                      "locals": self.locals, "provider": self.provider, "terraform": self.settings}  # fmt: skip

    def error(self, file, line, text):
        self.errors.append(f"{file}:{line}: {text}")

    def check(self):
        for file, body in self.files.items():
            for block in body.blocks:
                self.define(file, block)
        for file, body in self.files.items():
            for block in body.blocks:
                check = self.kinds.get(block.kind)
                if check:
                    check(file, block)
                else:
                    self.error(file, block.line, f"{block.kind} is no block of Terraform that is used here")
        self.circles()
        self.unused()
        self.example()
        return self.errors

    # --- definitions ---

    def define(self, file, block):
        if block.kind == "locals":
            for name, expression in block.arguments.items():
                self.add(file, f"local.{name}", expression.line, references(hcl.Block("", [], 0, {name: expression}, [])))
            return
        prefix = {"resource": "", "data": "data.", "variable": "var.", "output": "output."}.get(block.kind)
        if prefix is not None:
            name = prefix + ".".join(block.labels)
            # A variable refers to itself only, in its conditions.
            self.add(file, name, block.line, () if block.kind == "variable" else references(block))

    def add(self, file, name, line, refers):
        if name in self.definitions:
            self.error(file, line, f"{name} is defined twice")
        self.definitions[name] = file, line, list(refers)

    # --- blocks ---

    def resource(self, file, block):
        name = ("data." if block.kind == "data" else "") + block.labels[0]
        if name not in self.types:
            self.error(file, block.line, f"{name} is not in the list of arguments: tests/infra/terraform_arguments.py makes it")
            return
        self.arguments(file, block, self.types[name], META, META_BLOCKS)
        self.refer(file, block, {"each"} if "for_each" in block.arguments else {"count"} if "count" in block.arguments else set())

    def provider(self, file, block):
        self.arguments(file, block, self.types[block.labels[0]], set(), {})
        self.refer(file, block, set())

    def arguments(self, file, block, known, meta, meta_blocks):
        for name, expression in block.arguments.items():
            kind = known["arguments"].get(name)
            if kind is None and name not in meta:
                self.error(file, expression.line, f"{block.kind} {' '.join(block.labels)}: no argument {name}")
            elif kind and expression.literal and not fits(expression.literal, kind):
                self.error(file, expression.line, f"{name} is a {expression.literal}, not a {kind}")
        present = set(block.arguments)
        for inner in block.blocks:
            kind = inner.labels[0] if inner.kind == "dynamic" else inner.kind
            present.add(kind)
            if kind in meta_blocks:
                for name in inner.arguments.keys() - meta_blocks[kind]:
                    self.error(file, inner.line, f"{kind}: no argument {name}")
            elif not known["blocks"].get(kind):
                where = f"{block.kind} {' '.join(block.labels)}"
                self.error(file, inner.line, f"{where}: no block {kind}, or one that is not in the list of arguments")
            else:
                content = next((at for at in inner.blocks if at.kind == "content"), None) if inner.kind == "dynamic" else inner
                self.arguments(file, content, known["blocks"][kind], set(), {})
        for name in sorted(set(known["required"]) - present):
            self.error(file, block.line, f"{block.kind} {' '.join(block.labels)}: {name} is required")

    def variable(self, file, block):
        for name in block.arguments.keys() - VARIABLE:
            self.error(file, block.line, f"variable {block.labels[0]}: no argument {name}")
        for name in ("description", "type"):
            if name not in block.arguments:
                self.error(file, block.line, f"variable {block.labels[0]}: {name} is missing")
        kind, default = block.arguments.get("type"), block.arguments.get("default")
        if kind and default and default.literal != kind.tokens[0].text:
            self.error(file, default.line, f"variable {block.labels[0]}: the default is a {default.literal}")
        self.refer(file, hcl.Block("", [], block.line, {}, block.blocks), set())

    def output(self, file, block):
        for name in {"description", "value"} - block.arguments.keys():
            self.error(file, block.line, f"output {block.labels[0]}: {name} is missing")
        self.refer(file, block, set())

    def locals(self, file, block):
        self.refer(file, block, set())

    def settings(self, file, block):
        for inner in block.blocks:
            if inner.kind != "required_providers":
                self.error(file, inner.line, f"terraform: no block {inner.kind}")

    # --- names ---

    def refer(self, file, block, bound):
        for path, line in references(block):
            self.name(file, line, path, bound | iterators(block))

    def name(self, file, line, path, bound):
        root = path[0]
        if root.endswith("()"):
            if root[:-2] not in FUNCTIONS:
                self.error(file, line, f"{root} is no function that is used here")
        elif root in bound or path == ["path", "module"]:
            pass
        elif root in ("var", "local"):
            if ".".join(path[:2]) not in self.definitions:
                self.error(file, line, f"{'.'.join(path[:2])} is not defined")
        else:
            length = 3 if root == "data" else 2
            name, rest = ".".join(path[:length]), path[length:]
            if name not in self.definitions:
                self.error(file, line, f"{name} is not defined")
            elif rest:
                self.attribute(file, line, ".".join(path[: length - 1]), rest)

    def attribute(self, file, line, kind, path):
        known = self.types.get(kind)
        if not known or path[0] in known["arguments"]:
            return
        if path[0] in known["readable"]:
            members = known["readable"][path[0]]
            if len(path) > 1 and path[1] not in members:
                self.error(file, line, f"{kind}: {path[0]} has no {path[1]}")
        elif path[0] not in known["blocks"]:
            self.error(file, line, f"{kind} has no attribute {path[0]}")

    def circles(self):
        done, under_way = set(), []

        def visit(name):
            if name in under_way:
                file, line, _ = self.definitions[name]
                self.error(file, line, f"a circle: {' → '.join([*under_way[under_way.index(name) :], name])}")
            elif name in self.definitions and name not in done:
                under_way.append(name)
                for path, _ in self.definitions[name][2]:
                    visit(".".join(path[: 3 if path[0] == "data" else 2]))
                done.add(under_way.pop())

        for name in list(self.definitions):
            visit(name)

    def unused(self):
        used = {".".join(path[:2]) for _, _, refers in self.definitions.values() for path, _ in refers}
        providers = [block for body in self.files.values() for block in body.blocks if block.kind == "provider"]
        used |= {".".join(path[:2]) for block in providers for path, _ in references(block)}
        for name, (file, line, _) in self.definitions.items():
            if name.startswith(("var.", "local.")) and name not in used:
                self.error(file, line, f"{name} is not used")

    def example(self):
        """terraform.tfvars.example sets exactly the variables that have no default."""
        path = self.folder / "terraform.tfvars.example"
        variables = [block for body in self.files.values() for block in body.blocks if block.kind == "variable"]
        needed = {block.labels[0] for block in variables if "default" not in block.arguments}
        given = set(hcl.parse(path.read_text()).arguments) if path.exists() else set()
        if path.exists() or needed:
            for name in sorted(given ^ needed):
                self.error(path.name, 0, f"{name} is {'missing' if name in needed else 'no variable without a default'}")
        for file, body in self.files.items():
            for expression in expressions(hcl.Block("", [], 0, body.arguments, body.blocks)):
                self.template(file, expression)

    def template(self, file, expression):
        """templatefile("${path.module}/NAME", {…}): the names that the file uses are the keys of the map."""
        for at, token in enumerate(expression.tokens):
            if token.text == "templatefile":
                path = self.folder / expression.tokens[at + 2].text.lstrip("/")
                taken = set(re.findall(r"(?<!\$)\$\{(\w+)\}", path.read_text()))
                given = set(hcl.Expression(expression.tokens[at + 4 :], token.line).keys)
                for name in sorted(taken ^ given):
                    self.error(file, token.line, f"{path.name} {'takes' if name in taken else 'does not take'} {name}")


def fits(literal, kind):
    """Whether Terraform accepts the literal. It converts a number or a bool to a string. List and map are not told apart here."""
    return literal == kind or kind == "string" and literal in ("number", "bool") or {literal, kind} == {"list", "map"}


def expressions(block):
    yield from block.arguments.values()
    for inner in block.blocks:
        yield from expressions(inner)


def references(block):
    """Everything that a block refers to, except in the types of variables, and its own arguments in lifecycle."""
    for name, expression in block.arguments.items():
        if not (block.kind == "variable" and name == "type") and name not in ("ignore_changes",):
            yield from hcl.references(expression.tokens)
    for inner in block.blocks:
        yield from references(inner)


def iterators(block):
    """The names that dynamic blocks bind."""
    names = {inner.labels[0] for inner in block.blocks if inner.kind == "dynamic"}
    return names.union(*(iterators(inner) for inner in block.blocks))


def main():
    types = json.loads(pathlib.Path(sys.argv[2]).read_text())["types"]
    errors = Module(pathlib.Path(sys.argv[1]), types).check()
    print("\n".join(errors), file=sys.stderr)
    sys.exit(bool(errors))


if __name__ == "__main__":
    main()
