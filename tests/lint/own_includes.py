"""own_includes.py: each file of src includes the headers of the functions, constants, macros and typedefs that it uses.

A file need not include what its own header includes, nor what a header in EXPORTS includes. The own header is x.h for x.c, and
x_private.h for the files that make x together. Struct tags do not count, as a forward declaration is enough for a pointer; nor does a function's name
without a call in a file that has a variable or a member of that name. Prints each offence as FILE:LINE."""

import itertools
import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src"

# Headers whose includes their users may rely on: those of handlers, and of definitions of statements.
EXPORTS = ("api/endpoint.h", "db/statement.h")

COMMENT_OR_TEXT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
INCLUDE = re.compile(r'^#\s*include "([^"]+)"', re.MULTILINE)
DIRECTIVE = re.compile(r"^#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
MACRO = re.compile(r"^#define (\w+)", re.MULTILINE)
ENUMERATION = re.compile(r"\benum\b[^;{}()]*\{([^}]*)\}")
TYPEDEF = re.compile(r"^typedef\b[^;{]*?\b(\w+)(?:\([^;]*\))?;", re.MULTILINE)
VARIABLE = re.compile(r"^extern\b[^;()]*?\b(\w+)(?:\[[^]]*\])?;", re.MULTILINE)
FUNCTION = re.compile(r"^(?!typedef\b)[a-zA-Z_][^;{}()=]*?\b(\w+)\([^;{}]*\)[^;{}]*[;{]", re.MULTILINE)  # at the margin, as clang-format has it
USE = re.compile(r"(?P<before>\.|->|\b(?:struct|union|enum)\s+|\b\w+\s+\**|)(?<!\w)(?P<name>[A-Za-z_]\w*)(?P<call>\(?)")
EXPRESSION = re.compile(r"(?:return|else|case|sizeof)\s+\**$")


def code_of(path):
    """The text without comments and literals, line for line."""
    return COMMENT_OR_TEXT.sub(lambda found: "\n" * found[0].count("\n") if found[0][0] == "/" else '""', path.read_text())


def includes_of(path):
    return {name for name in INCLUDE.findall(path.read_text()) if (SOURCE / name).exists()}


def declared(path):
    """The functions of a header, and its constants, macros, variables and typedefs."""
    code = code_of(path)
    others = {*MACRO.findall(code), *TYPEDEF.findall(code), *VARIABLE.findall(code)} - {f"CRUDDUR_{guard_of(path)}"}
    code = re.sub(r"__attribute__\(\(\w+(?:\([^()]*\))?\)\)", "", DIRECTIVE.sub("", code))
    for body in ENUMERATION.findall(code):
        others.update(item.split()[0] for item in body.split(",") if item.strip())
    return set(FUNCTION.findall(code)), others


def guard_of(path):
    return re.sub(r"\W", "_", str(path.relative_to(SOURCE))).upper()


def visible(path):
    """The headers whose names a file may use."""
    name = str(path.relative_to(SOURCE))
    headers = includes_of(path) | {name}
    for header in list(headers):
        if header == name.removesuffix(".c") + ".h" or (name.endswith(".c") and header.endswith("_private.h")):
            headers |= includes_of(SOURCE / header)
    for header in EXPORTS:
        if header in headers:
            headers |= includes_of(SOURCE / header)
    return headers


def uses(code):
    """(line, name, whether it is called) of all names that are used, and the names that are declared."""
    found, local = [], set()
    for number, line in enumerate(DIRECTIVE.sub(lambda found: "" if "include" in found[0] else found[0], code).split("\n"), 1):
        at = 0
        while match := USE.search(line, at):
            at = match.start("name") + len(match["name"])
            if match["before"].startswith((".", "->", "struct", "union", "enum")):
                continue
            if match["before"] and not EXPRESSION.match(match["before"]) and not match["call"]:
                local.add(match["name"])
            found.append((number, match["name"], bool(match["call"])))
    return found, local


def offences(path, functions, homes):
    headers = visible(path)
    found, local = uses(code_of(path))
    missing = [
        (number, name)
        for number, name, is_called in found
        if name in homes and not homes[name] & headers and (name not in functions or is_called or name not in local)
    ]
    for name, group in itertools.groupby(sorted(missing, key=lambda pair: pair[1]), key=lambda pair: pair[1]):
        yield next(group)[0], name


def main():
    functions, homes, count = set(), {}, 0
    for path in SOURCE.rglob("*.h"):
        own, others = declared(path)
        functions |= own
        for name in own | others:
            homes.setdefault(name, set()).add(str(path.relative_to(SOURCE)))
    for path in sorted(SOURCE.rglob("*.[ch]")):
        for number, name in offences(path, functions, homes):
            print(f"{path.relative_to(SOURCE.parent)}:{number}: {name} needs {' or '.join(sorted(homes[name]))}", file=sys.stderr)
            count += 1
    sys.exit(count > 0)


if __name__ == "__main__":
    main()
