#!/usr/bin/python3
"""Draws what tables.sql prints as an SVG: bin/db-connect -- -At --file doc/learn/tables.sql | python3 doc/learn/tables.py >tables.svg

The tables that others refer to most stand in the middle, the others left and right of them. A line goes from each foreign key to the table
that it refers to. The same tables give the same bytes."""

import collections
import json
import sys
from xml.sax.saxutils import escape

WIDTH, ROW, GAP, ACROSS = 290, 17, 26, 190  # px: of a table, of a line, below a table, between two columns of tables
MARGIN = 16
MIDDLE = 3  # tables in the middle
STYLE = """
text { font: 12px ui-monospace, monospace; fill: #1f2328; }
.name { font-weight: bold; }
.type { fill: #656d76; }
.box { fill: #ffffff; stroke: #8c959f; }
.head { fill: #eaeef2; stroke: #8c959f; }
.line { fill: none; stroke: #0969da; stroke-opacity: .55; }
.dot { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .type { fill: #9198a1; }
  .box { fill: #0d1117; stroke: #656c76; }
  .head { fill: #212830; stroke: #656c76; }
  .line { stroke: #4493f8; }
  .dot { fill: #4493f8; }
}
"""


def height(table):
    return ROW * (len(table["columns"]) + 1) + 6


def arrange(tables):
    """Three lists: left, middle, right. Sets each table's x and y."""
    referred = collections.Counter(column["refers_to"] for table in tables for column in table["columns"] if column["refers_to"])
    order = sorted(tables, key=lambda table: (-referred[table["name"]], table["name"]))
    sides = [[], order[:MIDDLE], []]
    heights = [0, 0, 0]
    for table in sorted(order[MIDDLE:], key=lambda table: (-height(table), table["name"])):
        side = 0 if heights[0] <= heights[2] else 2
        sides[side].append(table)
        heights[side] += height(table) + GAP
    for number, side in enumerate(sides):
        y = MARGIN
        for table in side:
            table["x"], table["y"] = MARGIN + number * (WIDTH + ACROSS), y
            y += height(table) + GAP
    return sides


def line_of(table, index):
    """The middle of the row of a column; index -1 is the head."""
    return table["y"] + ROW * (index + 1) + ROW // 2 + 2


def curve(table, index, target):
    """From a foreign key to the head of the table that it refers to, by the side that is nearer."""
    x, y, to_y = table["x"], line_of(table, index), line_of(target, -1)
    if table["x"] == target["x"]:
        x, to_x, bend, to_bend = x + WIDTH, x + WIDTH, x + WIDTH + 70, x + WIDTH + 70
    else:
        leftwards = target["x"] < x
        x, to_x = (x, target["x"] + WIDTH) if leftwards else (x + WIDTH, target["x"])
        bend, to_bend = (x - ACROSS // 2, to_x + ACROSS // 2) if leftwards else (x + ACROSS // 2, to_x - ACROSS // 2)
    return f'<path class="line" d="M{x} {y}C{bend} {y} {to_bend} {to_y} {to_x} {to_y}"/><circle class="dot" cx="{x}" cy="{y}" r="2.5"/>'


def box(table):
    x, y = table["x"], table["y"]
    yield f'<rect class="box" x="{x}" y="{y}" width="{WIDTH}" height="{height(table)}"/>'
    yield f'<rect class="head" x="{x}" y="{y}" width="{WIDTH}" height="{ROW + 3}"/>'
    yield f'<text class="name" x="{x + 8}" y="{y + 14}">{escape(table["name"])}</text>'
    for index, column in enumerate(table["columns"]):
        baseline = line_of(table, index) + 5
        kind = ' class="name"' if column["is_key"] else ""
        yield f'<text{kind} x="{x + 8}" y="{baseline}">{escape(column["name"])}</text>'
        yield f'<text class="type" x="{x + WIDTH - 8}" y="{baseline}" text-anchor="end">{escape(column["type"])}</text>'


def main():
    tables = json.load(sys.stdin)
    arrange(tables)
    named = {table["name"]: table for table in tables}
    width = 2 * MARGIN + 3 * WIDTH + 2 * ACROSS
    bottom = max(table["y"] + height(table) for table in tables) + MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom}" role="img" aria-labelledby="title">')
    print('<title id="title">The tables of the service, with their columns; keys are bold, lines are foreign keys</title>')
    print(f"<style>{STYLE}</style>")
    for table in tables:
        for index, column in enumerate(table["columns"]):
            if column["refers_to"]:
                print(curve(table, index, named[column["refers_to"]]))
    for table in tables:
        print("\n".join(box(table)))
    print("</svg>")


if __name__ == "__main__":
    main()
