"""names.py: no two files of src define functions of one name, so that a search finds the definition. main is excepted, since there are
several programs. Prints each offence as FILE:LINE."""

import collections
import re
import sys

from own_includes import SOURCE, code_of

DEFINITION = re.compile(r"^(?!typedef\b)[a-zA-Z_][^;{}()=]*?\b(\w+)\([^;{}]*\)\s*\{", re.MULTILINE)  # at the margin, as clang-format has it


def definitions():
    """{name: its places}"""
    found = collections.defaultdict(list)
    for path in sorted(SOURCE.rglob("*.c")):
        code = code_of(path)
        for definition in DEFINITION.finditer(code):
            line = code.count("\n", 0, definition.start(1)) + 1
            found[definition[1]].append(f"src/{path.relative_to(SOURCE)}:{line}")
    return found


def main():
    twice = {name: places for name, places in definitions().items() if len(places) > 1 and name != "main"}
    for name, (first, *others) in sorted(twice.items()):
        for place in others:
            print(f"{place}: {name} is also the name of a function at {first}")
    return 1 if twice else 0


if __name__ == "__main__":
    sys.exit(main())
