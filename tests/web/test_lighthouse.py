"""Lighthouse over the page of a visitor that has not signed in, as on a phone. Accessibility and best practices must be perfect.
Performance depends on the machine's speed, so it is a figure in the log of bin/check and fails no test."""

import json
import os
import pathlib
import subprocess

import pytest

from running import TOP

PROGRAM = os.environ.get("LIGHTHOUSE") or TOP / "tests/web/lighthouse/node_modules/lighthouse/cli/index.js"
VERDICTS = ("accessibility", "best-practices")
FIGURES = ("first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift", "speed-index")
OPTIONS = (
    "--output=json", "--quiet", "--no-enable-error-reporting", f"--only-categories=performance,{','.join(VERDICTS)}",
    "--max-wait-for-load=20000",  # home's stream of events stays open, so that its network is never idle
    "--chrome-flags=--headless=new --no-sandbox --disable-dev-shm-usage --disable-gpu",
)  # fmt: skip


def report(url, folder):
    file = pathlib.Path(folder) / "report.json"
    modest = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"] if os.geteuid() == 0 else []  # see browser.py
    command = [*modest, "node", str(PROGRAM), url, *OPTIONS, f"--output-path={file}"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env=os.environ | {"CHROME_PATH": "/usr/bin/chromium"})
    return json.loads(file.read_text())


def shortcomings(found, category):
    """The audits that cost the category points, each with the first thing that it names."""
    weights = {each["id"]: each["weight"] for each in found["categories"][category]["auditRefs"]}
    failed = [audit for audit in found["audits"].values() if weights.get(audit["id"]) and audit["score"] not in (None, 1)]
    return [f"{audit['id']}: {audit['title']} {json.dumps(audit.get('details', {}).get('items', [])[:1])[:500]}" for audit in failed]


@pytest.mark.parametrize("path", ["/", "/growth"])
def test_accessibility_and_best_practices_are_perfect(quickstart, path, tmp_path, record_property):
    found = report(quickstart.url + path, tmp_path)
    scores = {name: category["score"] for name, category in found["categories"].items()}
    figures = ", ".join(f"{name} {found['audits'][name]['displayValue']}" for name in FIGURES)
    record_property(f"Lighthouse of {path}", f"performance {scores['performance']}, {figures}".replace("\u00a0", " "))
    assert {name: shortcomings(found, name) for name in VERDICTS} == {name: [] for name in VERDICTS}
    assert {name: scores[name] for name in VERDICTS} == {name: 1 for name in VERDICTS}
