"""Plots as SVG: groups of horizontal bars."""

import math
from xml.sax.saxutils import escape

import settings

WIDTH, LEFT, RIGHT, BAR, GAP, TITLE = 860, 230, 130, 18, 6, 44
COLOURS = {"cruddurd": "#1b6ca8", "blocking": "#6ea8d0", "nginx": "#4c9a5b", "pgbench": "#b08a3c"}
OTHER = "#9a9a9a"


def text(x, y, words, extra=""):
    return f'<text x="{x}" y="{y}" {extra}>{escape(words)}</text>'


def group(title, bars, top, length_of):
    """bars: (label, value, colour, words). Returns (lines of SVG, the y below the group)."""
    lines = [text(12, top + 24, title, 'font-weight="bold"')]
    y = top + TITLE
    for label, value, colour, words in bars:
        length = max(1.0, length_of(value) * (WIDTH - LEFT - RIGHT))
        lines.append(text(LEFT - 8, y + BAR - 5, label, 'text-anchor="end"'))
        lines.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>')
        lines.append(text(f"{LEFT + length + 6:.1f}", y + BAR - 5, words))
        y += BAR + GAP
    return lines, y


def document(lines, height):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    head += ' font-family="sans-serif" font-size="12" fill="#222">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>', *lines, "</svg>"]) + "\n"


def rate_bars(measures, names, action):
    """The bars of the rates with 32 connections, of creates with 64; the longest first."""
    count = "c64" if action == "create" else "c32"
    bars = []
    for name in names:
        found = measures.get(f"rate/{name}/{action}/{count}") or measures.get(f"rate/{name}/{action}")
        if found and found["value"]:
            words = f"{found['value']:,.0f}/s" + (" †" if found["invalid"] else "")
            bars.append((names[name], found["value"], COLOURS.get(name, OTHER), words))
    return sorted(bars, key=lambda bar: -bar[1]), count


def rates(measures, names, what):
    lines, y = [], 0
    for action in settings.ACTIONS:
        bars, count = rate_bars(measures, names, action)
        if bars:
            longest = bars[0][1]
            more, y = group(f"{what[action]}, requests per second at {count}", bars, y, lambda value: value / longest)
            lines += more
    return document(lines, y + 12)


def wait_bars(measures, names, what):
    bars = []
    for name in ("cruddurd", "blocking"):
        for figure in ("p50", "p99", "worst"):
            found = measures.get(f"{figure}/{name}/{what}")
            if found and found["value"]:
                label = f"{names[name]}, {figure}"
                bars.append((label, found["value"], COLOURS[name], f"{found['value'] / 1000:.2f} ms"))
    return bars


def waits(measures, names):
    """The bars of p50, p99 and the longest wait at fixed rates, on a logarithmic scale from 10 µs to 1 s."""
    lines, y = [], 0
    for load, stream, rate in [(load, name, rate) for load, streams in settings.STEADY.items() for name, rate, _ in streams]:
        bars = wait_bars(measures, names, f"{stream} at {load}")
        if bars:
            title = f"{stream} at {rate}/s beside the others: wait, logarithmic"
            more, y = group(title, bars, y, lambda value: min(1.0, max(0.0, (math.log10(value) - 1) / 5)))
            lines += more
    return document(lines, y + 12)
