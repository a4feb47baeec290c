"""Finds what a NAME on bin/check's command line means: a stage, a file of tests, or one test, of any test program.

    http                            a stage
    test_feed.py, quickstart.bats   a file, with or without its folder
    tests/unit/test_token.c         a program of cmocka's
    test_feed.py::test_etag         a test of a file, as pytest writes it
    test_etag                       a function, in pytest's files and cmocka's
    'nothing runs'                  a part of the names of bats tests
"""

import re

from stages import ALL, ON_REQUEST, TOP

KINDS = {"http": "tests/http/test_*.py", "web": "tests/web/test_*.py", "cluster": "tests/cluster/test_*.py", "scripts": "tests/bin/*.bats", "unit": "tests/unit/test_*.c"}
TEST = {
    "http": re.compile(r"^def (test_\w+)\(", re.M),
    "web": re.compile(r"^def (test_\w+)\(", re.M),
    "cluster": re.compile(r"^def (test_\w+)\(", re.M),
    "scripts": re.compile(r"^@test (.*) \{$", re.M),
    "unit": re.compile(r"^static void (test_\w+|\w+)\(void \*\*", re.M),
}


def resolve(names):
    """{stage: arguments for its program, or None for all}; ValueError for an unknown name."""
    found = {}
    for name in names:
        if name in ALL + ON_REQUEST:
            found[name] = None
            continue
        matches = [*files_named(name), *tests_named(name)]
        if not matches:
            raise ValueError(f"no such stage, test file or test: {name}")
        for stage, argument in matches:
            if found.setdefault(stage, []) is not None:
                found[stage].append(argument)
    return found


def files():
    for stage, pattern in KINDS.items():
        for path in sorted(TOP.glob(pattern)):
            yield stage, path


def files_named(name):
    file, _, test = name.rsplit("/", 1)[-1].partition("::")
    for stage, path in files():
        if path.name == file or (path.stem == file and "." not in file):
            yield stage, argument(stage, path, test)


def argument(stage, path, test=""):
    """The file or test in the form that the stage takes, see Stages."""
    if stage in ("http", "web", "cluster"):
        return f"{path.name}::{test}" if test else path.name
    program = path.name if stage == "scripts" else path.stem
    return f"{program}:{test}" if test else program


def tests_named(name):
    for stage, path in files():
        titles = TEST[stage].findall(path.read_text())
        if stage == "scripts":
            if any(name in title for title in titles):
                yield stage, argument(stage, path, re.escape(name))
        elif name in titles:
            yield stage, argument(stage, path, name)
