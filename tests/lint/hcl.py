"""Reads the part of Terraform's HCL that infra/terraform uses: blocks, arguments, and of expressions their literal type and the names
that they refer to. Anything else, such as a heredoc, is an error. Expressions are not evaluated."""

import dataclasses
import re

TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
    |(?P<newline>\n)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[A-Za-z_][\w-]*)
    |(?P<mark>\.\.\.|=>|==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,=(){}\[\]])""",
    re.VERBOSE | re.DOTALL,
)
OPENING = {"(": ")", "[": "]", "{": "}"}
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "r": "\r"}


class HclError(Exception):
    pass


@dataclasses.dataclass
class Token:
    kind: str  # newline, number, name, mark, string, end
    text: str
    line: int
    parts: list = dataclasses.field(default_factory=list)  # of a string: the tokens of each ${…}


@dataclasses.dataclass
class Block:
    kind: str
    labels: list
    line: int
    arguments: dict  # name: Expression
    blocks: list


@dataclasses.dataclass
class Expression:
    tokens: list
    line: int

    @property
    def literal(self):
        """The type of the expression if it is a literal: string, number, bool, list, map; else None."""
        first = self.tokens[0]
        if first.kind == "string" and len(self.tokens) == 1:
            return "string"
        if first.kind == "number" and len(self.tokens) == 1:
            return "number"
        if first.text in ("true", "false") and len(self.tokens) == 1:
            return "bool"
        closed = first.text in OPENING and closing(self.tokens, 0) == len(self.tokens) - 1
        return {"[": "list", "{": "map"}.get(first.text) if closed else None

    @property
    def text(self):
        """The text of a string without ${…}."""
        return self.tokens[0].text if self.literal == "string" and not self.tokens[0].parts else None

    @property
    def keys(self):
        """The keys of the expression if it is a map."""
        found, depth = [], 0
        for at, token in enumerate(self.tokens):
            depth += (token.text in OPENING and token.kind == "mark") - (token.kind == "mark" and token.text in OPENING.values())
            follows = self.tokens[at + 1].text if at + 1 < len(self.tokens) else ""
            if depth == 1 and token.kind in ("name", "string") and follows in ("=", ":"):
                found.append(token.text)
        return found


def closing(tokens, start):
    """The index of the bracket that closes the one at start."""
    stack = []
    for at in range(start, len(tokens)):
        token = tokens[at]
        if token.kind == "mark" and token.text in OPENING:
            stack.append(OPENING[token.text])
        elif token.kind == "mark" and stack and token.text == stack[-1]:
            stack.pop()
            if not stack:
                return at
    raise HclError(f"line {tokens[start].line}: {tokens[start].text} is not closed")


def tokens_of(text, line=1):
    at, tokens = 0, []
    while at < len(text):
        if text[at] == '"':
            token, at = string_of(text, at + 1, line)
            tokens.append(token)
            continue
        match = TOKEN.match(text, at)
        if not match:
            raise HclError(f"line {line}: {text[at : at + 20]!r}")
        if match.lastgroup != "space":
            tokens.append(Token(match.lastgroup, match.group(), line))
        line += match.group().count("\n")
        at = match.end()
    return tokens


def string_of(text, at, line):
    """The string whose first character is at `at`, and the index after its end."""
    value, parts = "", []
    while True:
        if at >= len(text) or text[at] == "\n":
            raise HclError(f"line {line}: a string is not closed")
        if text.startswith(("$${", "%%{"), at):
            value, at = value + text[at : at + 2][1:] + "{", at + 3
        elif text.startswith("${", at):
            end = end_of_part(text, at + 2, line)
            parts.append(tokens_of(text[at + 2 : end], line))
            at = end + 1
        elif text.startswith("%{", at):
            raise HclError(f"line {line}: a directive in a string")
        elif text[at] == '"':
            return Token("string", value, line, parts), at + 1
        elif text[at] == "\\":
            value, at = value + ESCAPES[text[at + 1]], at + 2
        else:
            value, at = value + text[at], at + 1


def end_of_part(text, at, line):
    """The index of the brace that ends ${."""
    depth = 0
    while at < len(text):
        if text[at] == '"':
            _, at = string_of(text, at + 1, line)
            continue
        if text[at] == "}" and depth == 0:
            return at
        depth += (text[at] == "{") - (text[at] == "}")
        at += 1
    raise HclError(f"line {line}: a ${{ is not closed")


def parse(text):
    """The body of a file, as a block without a kind."""
    body, at = body_of([*tokens_of(text), Token("end", "", 0)], 0, "end", Block("", [], 1, {}, []))
    return body


def body_of(tokens, at, end, block):
    while tokens[at].text != end and tokens[at].kind != end:
        token = tokens[at]
        if token.kind == "newline":
            at += 1
        elif token.kind != "name":
            raise HclError(f"line {token.line}: {token.text!r} is neither an argument nor a block")
        elif tokens[at + 1].text == "=":
            if token.text in block.arguments:
                raise HclError(f"line {token.line}: {token.text} is there twice")
            expression, at = expression_of(tokens, at + 2)
            block.arguments[token.text] = expression
        else:
            inner = Block(token.text, [], token.line, {}, [])
            at += 1
            while tokens[at].kind in ("string", "name"):
                inner.labels.append(tokens[at].text)
                at += 1
            if tokens[at].text != "{":
                raise HclError(f"line {token.line}: {token.text} has neither = nor {{")
            _, at = body_of(tokens, at + 1, "}", inner)
            block.blocks.append(inner)
    return block, at + 1


def expression_of(tokens, at):
    """The expression from `at` to the end of the line, or further while a bracket is open; and the index after it."""
    start, depth = at, 0
    while depth > 0 or tokens[at].kind not in ("newline", "end") and tokens[at].text != "}":
        if tokens[at].kind == "end":
            raise HclError(f"line {tokens[start].line}: a bracket is not closed")
        if tokens[at].kind == "mark":
            depth += (tokens[at].text in OPENING) - (tokens[at].text in OPENING.values())
        at += 1
    if at == start:
        raise HclError(f"line {tokens[start].line}: a value is missing")
    return Expression(tokens[start:at], tokens[start].line), at


def references(tokens):
    """Every (path, line) that the tokens refer to, such as (["aws_vpc", "this", "id"], 7), and every function as ("name()", line)."""
    bound = set()
    at = 0
    while at < len(tokens):
        token = tokens[at]
        for part in token.parts:
            yield from references(part)
        if token.kind == "name":
            follows = tokens[at + 1].text if at + 1 < len(tokens) else ""
            before = tokens[at - 1].text if at else ""
            if token.text == "for":
                while tokens[at + 1].text != "in":
                    at += 1
                    bound.add(tokens[at].text)
                at += 1
            elif follows == "(":
                yield [token.text + "()"], token.line
            elif follows in ("=", ":") and before in ("{", ",", "\n") or token.text in ("true", "false", "null", "if", "in"):
                pass
            elif before == ".":
                pass
            else:
                path, at = path_of(tokens, at)
                if path[0] not in bound:
                    yield path, token.line
                continue
        at += 1


def path_of(tokens, at):
    """The names of a path from `at` on, and the index after it. An index in brackets is skipped."""
    path = [tokens[at].text]
    at += 1
    while at < len(tokens) and tokens[at].text in (".", "["):
        if tokens[at].text == "[":
            if tokens[at + 1].kind not in ("number",) and tokens[at + 1].text != "*":
                return path, at  # the caller reads the names in the brackets; names after them are not checked
            at = closing(tokens, at) + 1
        else:
            path.append(tokens[at + 1].text)
            at += 2
    return path, at
