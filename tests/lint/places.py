"""places.py: the files and names that the pages for learners mention exist.

In doc/learn and doc/seeds.md every link leads to a file of the checkout. Under "In the code" of a page each line is a link and texts in
`backquotes` that the linked file contains. In doc/seeds.md a text in backquotes that begins like a path of the checkout is one, and a test
in parentheses after a file of tests is in that file. Prints each offence as FILE:LINE."""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`([^`]+)`")
PLACES = {path.name for path in TOP.iterdir() if not path.name.startswith(".git")}
ENTRY = re.compile(r"- \[([^\]]+)\]\(([^)]+)\): (.+)$")


def broken_links(path, line):
    for target in LINK.findall(line):
        if not target.startswith(("http://", "https://")) and not (path.parent / target).exists():
            yield f"there is no {target}"


def broken_entry(path, line):
    """A line under "In the code"."""
    entry = ENTRY.match(line)
    if entry is None:
        yield "not a link, a colon and what is there"
        return
    name, target, text = entry.groups()
    file = path.parent / target
    if file.resolve() != (TOP / name).resolve():
        yield f"{name} is not what {target} leads to"
    elif file.is_file():
        content = file.read_text()
        for symbol in CODE.findall(text):
            if symbol not in content:
                yield f"{name} has no {symbol}"


def broken_names(line):
    """The files and make targets that doc/seeds.md names."""
    for text in CODE.findall(line):
        name = text.split()[0]
        if name == "make":
            target = text.split()[1]
            if not re.search(rf"^{re.escape(target)}:|^\.PHONY:.*\b{re.escape(target)}\b", (TOP / "Makefile.am").read_text(), re.M):
                yield f"there is no make {target}"
        elif name.split("/")[0] in PLACES and not (TOP / name).exists():
            yield f"there is no {name}"


def offences(path):
    in_code = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("## "):
            in_code = line == "## In the code"
        found = list(broken_links(path, line))
        if in_code and line and not line.startswith("## "):
            found += broken_entry(path, line)
        if path.name == "seeds.md":
            found += broken_names(line)
        for text in found:
            yield f"{path.relative_to(TOP)}:{number}: {text}"


def main():
    pages = sorted((TOP / "doc/learn").glob("*.md")) + sorted((TOP / "doc").glob("seeds.md"))
    found = [offence for page in pages for offence in offences(page)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
