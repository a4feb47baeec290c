#!/usr/bin/python3
"""Renders an OpenAPI document as one HTML page: render.py openapi.yaml >api.html. The page loads nothing, runs no script, and its
Content-Security-Policy sees to that. Of Markdown it knows paragraphs, headings (##), code and links."""

import base64
import hashlib
import html
import json
import re
import sys

import yaml

METHODS = ("get", "put", "post", "delete", "options")
PLAIN = {"X-Request-Id", "traceparent"}  # told once, in the introduction
SERVER = "http://127.0.0.1:8080"

STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1d2430; --soft: #5b6677; --line: #dfe4ea; --raised: #f5f7f9; --link: #0b5cad;
  --get: #0b6e4f; --post: #0b5cad; --put: #8a5a00; --delete: #b3261e; --options: #5b6677; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --text: #dde3ea; --soft: #97a3b3; --line: #2b333f;
  --raised: #1a2029; --link: #7db7f5; --get: #58c99b; --post: #7db7f5; --put: #e0b155; --delete: #f28b82; --options: #97a3b3; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--text); background: var(--page); display: grid;
  grid-template-columns: 19rem minmax(0, 1fr); }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.25rem; border-right: 1px solid var(--line);
  background: var(--raised); font-size: .875rem; }
nav h2 { margin: 1.1rem 0 .3rem; padding: 0; border: 0; font-size: .75rem; letter-spacing: .06em; text-transform: uppercase;
  color: var(--soft); }
nav ul { list-style: none; margin: 0; padding: 0; } nav li { padding: .1rem 0 .1rem 3.9em; text-indent: -3.9em; } nav li a { color: inherit; }
nav > a { font-weight: 700; font-size: 1.1rem; }
main { padding: 1.5rem clamp(1rem, 4vw, 3rem) 6rem; max-width: 62rem; }
h1 { margin: 0 0 .5rem; font-size: 2rem; line-height: 1.2; } h1 small { color: var(--soft); font-size: 1rem; font-weight: 400; }
h2 { margin: 3rem 0 .5rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); font-size: 1.4rem; }
h3 { margin: 1.8rem 0 .3rem; font-size: 1.1rem; } h4 { margin: 1.1rem 0 .35rem; font-size: .875rem; color: var(--soft); }
p { margin: .5rem 0; max-width: 46rem; }
code, pre { font: .875em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; } p code, td code, li code { overflow-wrap: anywhere; }
pre { margin: .4rem 0; padding: .7rem .9rem; background: var(--raised); border: 1px solid var(--line); border-radius: .4rem;
  overflow-x: auto; }
article { margin: 1.25rem 0; padding: .9rem 1.1rem 1.1rem; border: 1px solid var(--line); border-radius: .5rem; }
article h3 { margin: 0; font: 600 1rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
article h3 a { color: inherit; } .summary { font-weight: 600; margin-top: .3rem; }
.method { display: inline-block; min-width: 4.2em; font: 700 .8em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
nav .method { font-size: .7rem; min-width: 3.9em; text-indent: 0; }
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); } .delete { color: var(--delete); }
.options { color: var(--options); } .soft { color: var(--soft); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--soft); font-weight: 600; font-size: .8rem; } td p { margin: 0; }
td:first-child { white-space: nowrap; } .must { color: var(--delete); font-size: .75rem; }
details { border-bottom: 1px solid var(--line); padding: .35rem 0; } summary { cursor: pointer; }
summary::marker { color: var(--soft); } details[open] > summary { margin-bottom: .3rem; } summary p { display: inline; }
details > :not(summary) { margin-left: 1.1rem; }
.status { display: inline-block; min-width: 5em; font: 700 .85rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
.good { color: var(--get); } .bad { color: var(--delete); }
:target { outline: 2px solid var(--link); outline-offset: .4rem; border-radius: .2rem; }
@media (max-width: 60rem) { body { display: block; } nav { position: static; height: auto; max-height: 45vh; border-right: 0;
  border-bottom: 1px solid var(--line); } }
@media print { nav { display: none; } body { display: block; } }
"""


def escape(text):
    return html.escape(str(text))


def inline(text):
    """Code and links; all else is text."""
    pieces = re.split(r"(`[^`]+`|\[[^]]+\]\([^)]+\))", text)
    for index in range(1, len(pieces), 2):
        piece = pieces[index]
        label, _, target = piece[1:-1].partition("](")
        pieces[index] = f"<code>{escape(piece[1:-1])}</code>" if piece[0] == "`" else f'<a href="{escape(target)}">{escape(label)}</a>'
    return "".join(escape(piece) if index % 2 == 0 else piece for index, piece in enumerate(pieces))


def markdown(text):
    blocks = (block.strip() for block in re.split(r"\n\s*\n", text or ""))
    return "".join(
        f"<h3>{inline(block[3:])}</h3>" if block.startswith("## ") else f"<p>{inline(block)}</p>" for block in blocks if block
    )


def table(heads, rows):
    if not rows:
        return ""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def sample(value):
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


class Page:
    def __init__(self, document):
        self.document = document
        self.schemas = document["components"]["schemas"]

    def follow(self, node):
        while set(node) == {"$ref"}:
            target = self.document
            for step in node["$ref"].split("/")[1:]:
                target = target[step]
            node = target
        return node

    # --- schemas ---

    def kind(self, schema):
        """A schema in a few words, with links to those that have a name."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            return f'<a href="#schema-{name}">{name}</a>'
        for word in ("anyOf", "oneOf"):
            if all(isinstance(each, dict) and each.keys() & {"$ref", "type"} for each in schema.get(word, ())) and word in schema:
                return " or ".join(self.kind(each) for each in schema[word])
        if "enum" in schema or "const" in schema:
            values = schema.get("enum") or [schema["const"]]
            return ", ".join(f"<code>{escape(json.dumps(value, ensure_ascii=False))}</code>" for value in values)
        if schema.get("type") == "array":
            return f"array of {self.kind(schema.get('items', {}))}"
        words = schema.get("type", "anything")
        return escape(" or ".join(words) if isinstance(words, list) else schema.get("format", words))

    def limits(self, schema):
        is_text = "string" in schema.get("type", "")
        unit = " code points" if is_text else ""
        names = ("minLength", "maxLength") if is_text else ("minItems", "maxItems") if "items" in schema else ("minimum", "maximum")
        least, most = (schema.get(name) for name in names)
        said = [f"{least} to {most}{unit}"] if least is not None and most is not None else []
        said += [f"at least {least}{unit}"] if least is not None and most is None else []
        said += [f"at most {most}{unit}"] if most is not None and least is None else []
        said += [f"default {schema['default']}"] if "default" in schema else []
        said += [f"like <code>{escape(schema['pattern'])}</code>"] if "pattern" in schema else []
        return "; ".join(said)

    def meaning(self, schema, text=None):
        return "".join([markdown(text or schema.get("description")), f"<p class=soft>{limits}</p>" if (limits := self.limits(schema)) else ""])

    def members(self, schema):
        """The table of an object's members, those of an object in it too."""
        return table(["member", "type", ""], list(self.member_rows(schema)))

    def member_rows(self, schema, above=""):
        if above == "" and "$ref" in schema:
            yield from self.member_rows(self.follow({"$ref": schema["$ref"]}))
        for name, member in schema.get("properties", {}).items():
            must = ' <span class="must">required</span>' if name in schema.get("required", ()) else ""
            yield f"<code>{escape(above + name)}</code>{must}", self.kind(member), self.meaning(member)
            yield from self.member_rows(member if "$ref" not in member else {}, f"{above}{name}.")

    def example(self, schema):
        """One made of the examples of its parts; None when one of them has none."""
        if schema.get("examples"):
            return schema["examples"][0]
        if "$ref" in schema:
            return self.example(self.follow({"$ref": schema["$ref"]}))
        if schema.get("type") == "array" and schema.get("items"):
            inner = self.example(schema["items"])
            return None if inner is None else [inner]
        if "oneOf" in schema:
            return self.example(schema["oneOf"][0])
        members = {name: self.example(member) for name, member in schema.get("properties", {}).items()}
        return members if members and None not in members.values() else None

    def schema(self, name, schema):
        codes = [each for each in schema.get("oneOf", ()) if "x-status" in each]
        rows = [(f'<code id="code-{each["const"]}">{each["const"]}</code>', each["x-status"], inline(each["description"])) for each in codes]
        of = f"<p>{self.kind(schema)}</p>" if not rows and "properties" not in schema else ""
        example = sample(schema["examples"][0]) if schema.get("examples") else ""
        return (
            f'<section id="schema-{name}"><h3>{name}</h3>{of}{self.meaning(schema)}'
            f"{table(['code', 'status', ''], rows)}{self.members(schema)}{example}</section>"
        )

    # --- operations ---

    def security(self, operation):
        schemes = [name for requirement in operation.get("security", self.document["security"]) for name in requirement or [None]]
        links = [f'<a href="#security-{name}">{name}</a>' if name else "none" for name in schemes]
        told = {(None,): "", (None, "token"): "A token is not needed."}.get(tuple(schemes))
        if told is None:
            told = f"Needs a {links[0]}" + (", but in handle mode." if None in schemes else ".")
        return f"<p class=soft>{told}</p>" if told else ""

    def parameters(self, parameters):
        rows = [
            (
                f"<code>{escape(each['name'])}</code>" + (' <span class="must">required</span>' if each.get("required") else ""),
                each["in"],
                self.kind(each["schema"]),
                self.meaning(each["schema"], each.get("description")),
            )
            for each in map(self.follow, parameters)
            if each["name"] not in PLAIN
        ]
        return "<h4>Parameters</h4>" + table(["name", "in", "type", ""], rows) if rows else ""

    def curl(self, path, method, operation, parameters, body):
        """None where that would not do, as the body must be signed."""
        security = operation.get("security", [{}])
        if {"signature": []} in security or method == "options":
            return ""
        for each in map(self.follow, parameters):
            if each["in"] == "path":
                path = path.replace("{" + each["name"] + "}", each["example"])
        words = ["curl -s", f"-X {method.upper()}" if method not in ("get", "post") else "", f"{SERVER}{path}"]
        if security[0] == {"token": []}:
            words.append('\\\n  -H "Authorization: Bearer $(bin/dev-token andrewbrown)"')
        if body is not None:
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).replace("'", "'\\''")
            words.append(f"\\\n  -H 'Content-Type: application/json' \\\n  -d '{text}'")
        return f"<pre>{escape(' '.join(filter(None, words)))}</pre>"

    def request_body(self, operation):
        """What is told of it, and its first example."""
        if "requestBody" not in operation:
            return "", None
        ((media_type, content),) = operation["requestBody"]["content"].items()
        examples = [content["example"]] if "example" in content else [each["value"] for each in content["examples"].values()]
        told = f"<h4>Body, {media_type}</h4>{markdown(operation['requestBody'].get('description'))}{self.members(content['schema'])}"
        return told + "".join(map(sample, examples)), examples[0]

    def header_value(self, header):
        return f"<code>{escape(header['example'])}</code>" if "example" in header else self.kind(header["schema"])

    def response(self, status, response):
        response = self.follow(response)
        headers = [
            (f"<code>{name}</code>", self.header_value(header), markdown(header.get("description")))
            for name, header in ((name, self.follow(header)) for name, header in response.get("headers", {}).items())
            if name not in PLAIN
        ]
        content = response.get("content", {})
        codes, body = "", ""
        if "application/problem+json" in content:
            words = content["application/json"]["schema"]["items"]["enum"]
            codes = " ".join(f'<a href="#code-{word}"><code>{word}</code></a>' for word in words)
            body = sample(content["application/json"]["example"])
        elif content and "application/json" not in content:
            ((kind, text),) = content.items()
            body = f"<p><code>{escape(kind)}</code></p><pre>{escape(text['example'])}</pre>"
        elif content:
            schema = content["application/json"]["schema"]
            example = self.example(schema)
            body = f"<p>{self.kind(schema)}</p>" + (sample(example) if example is not None else "")
        look = "good" if status[0] in "23" else "bad"
        return (
            f'<details{" open" if status == "200" else ""}><summary><span class="status {look}">{status}</span>'
            f'{markdown(response["description"])} {codes}</summary>{table(["header", "value", ""], headers)}{body}</details>'
        )

    def operation(self, path, method, item):
        operation = item[method]
        name = operation["operationId"]
        parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
        told, body = self.request_body(operation)
        responses = "".join(self.response(status, response) for status, response in operation["responses"].items())
        inner = (
            f'<p class="summary">{inline(operation["summary"])}</p>{markdown(operation.get("description"))}{self.security(operation)}'
            f"{self.curl(path, method, operation, parameters, body)}{self.parameters(parameters)}{told}<h4>Answers</h4>{responses}"
        )
        heading = f'<span class="method {method}">{method.upper()}</span> <a href="#{name}">{escape(path)}</a>'
        if method == "options":  # the same everywhere
            return f'<details id="{name}"><summary>{heading}</summary>{inner}</details>'
        return f'<article id="{name}"><h3>{heading}</h3>{inner}</article>'

    # --- the page ---

    def operations(self, tag):
        """(path, method, item), OPTIONS last."""
        found = [
            (path, method, item)
            for path, item in self.document["paths"].items()
            for method in METHODS
            if method in item and tag["name"] in item[method]["tags"]
        ]
        return sorted(found, key=lambda each: each[1] == "options")

    def navigation(self):
        parts = []
        for tag in self.document["tags"]:
            links = "".join(
                f'<li><a href="#{item[method]["operationId"]}" title="{escape(path)}"><span class="method {method}">{method.upper()}</span>'
                f"{escape(item[method]['summary'])}</a></li>"
                for path, method, item in self.operations(tag)
                if method != "options"
            )
            parts.append(f'<h2><a href="#tag-{tag["name"]}">{tag["name"]}</a></h2><ul>{links}</ul>')
        schemas = "".join(f'<li><a href="#schema-{name}">{name}</a></li>' for name in sorted(self.schemas))
        return f'<nav><a href="#top">{escape(self.document["info"]["title"])}</a>{"".join(parts)}<h2>schemas</h2><ul>{schemas}</ul></nav>'

    def body(self):
        info = self.document["info"]
        tags = "".join(
            f'<section id="tag-{tag["name"]}"><h2>{tag["name"].capitalize()}</h2>{markdown(tag["description"])}'
            + "".join(self.operation(*each) for each in self.operations(tag))
            + "</section>"
            for tag in self.document["tags"]
        )
        security = "".join(
            f'<section id="security-{name}"><h3>{name}</h3>{markdown(scheme["description"])}</section>'
            for name, scheme in self.document["components"]["securitySchemes"].items()
        )
        schemas = "".join(self.schema(name, self.schemas[name]) for name in sorted(self.schemas))
        return (
            f'{self.navigation()}<main id="top"><h1>{escape(info["title"])} <small>{escape(info["version"])}</small></h1>'
            f'<p class=soft>{inline(info["summary"])}</p>{markdown(info["description"])}{tags}<h2>Who one is</h2>{security}'
            f"<h2>Schemas</h2>{schemas}</main>"
        )

    def html(self):
        digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">"
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.document['info']['title'])} API</title><style>{STYLE}</style></head>\n<body>{self.body()}</body></html>\n"
        )


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        page = Page(yaml.safe_load(file)).html()
    sys.stdout.buffer.write(page.encode())


if __name__ == "__main__":
    main()
