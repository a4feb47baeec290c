"""Measures whether a page costs the same in a large table as in a small one: p50 of single requests, with the tables in turn."""

import re
import time

import generators
import settings
from bench import fetch

HOME = "/api/activities/home"
WALK = 200  # rows of each page on the way


def middle_page(port, rows):
    """The path of a page in the middle of the list, found by following the cursors."""
    base = f"http://127.0.0.1:{port}"
    path = f"{HOME}?limit={WALK}"
    for _ in range(max(1, int(rows * 0.8) // WALK // 2)):
        _, headers, _ = fetch(base + path)
        path = re.search(r"<([^>]*)>", headers["Link"])[1]
    return re.sub(r"limit=\d+", f"limit={settings.DEEP_LIMIT}", path)


def run(bench):
    large = bench.subject("cruddurd").port_of("home")
    ports = {"large": (large, bench.rows), "small": (bench.small_port, bench.small_rows)}
    if bench.rows != 1_000_000:
        bench.notes.append(f"The large table has {bench.rows} rows here, not the target's 1000000 (--rows 1000000).")
    for name in ("page 1", "keyset page", "search"):
        runs = {"large": [], "small": []}
        files = {}
        for table, (port, rows) in ports.items():
            path = {"page 1": settings.HOME_PATH, "search": settings.SEARCH_PATH}.get(name) or middle_page(port, rows)
            status, _, _ = fetch(f"http://127.0.0.1:{port}{path}")
            if status != 200:
                bench.miss(f"latency/{table}/{name}", f"{path.partition('?')[0]} answers {status}")
                continue
            files[table] = bench.request_file(f"{name} {table}".replace(" ", "-"))
            files[table].write_text(path + "\n")
        for _ in range(bench.rounds if len(files) == 2 else 0):
            for table, (port, _) in ports.items():
                runs[table].append(generators.wrk(f"http://127.0.0.1:{port}", files[table], 1, bench.seconds))
                time.sleep(settings.PAUSE_SECONDS)
        for table, found in runs.items():
            if found:
                values = [figures["p50_us"] for figures in found]
                invalid = generators.invalid_of(found)
                bench.record(f"latency/{table}/{name}", generators.median_of(found, "p50_us"), values, invalid)
