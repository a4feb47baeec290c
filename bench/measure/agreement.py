"""Checks that all subjects do the same work: their answers equal those of cruddurd, field by field in the same order."""

import json
import time

import settings
from bench import fetch

FLEETING = ("uuid", "created_at", "expires_at")  # fields of a create's answer that differ each time
UNKNOWN = {"blocking": ("liked", "reposted")}  # fields that an older subject does not have
READY_SECONDS = 15


def wait_ready(subject):
    deadline = time.monotonic() + READY_SECONDS
    for action in subject.actions:
        # Every subject has the constant reply, at all of its ports.
        while fetch(subject.url(action) + settings.CONSTANT_PATH)[0] != 200:
            if time.monotonic() > deadline:
                raise SystemExit(f"{subject.name} does not answer")
            time.sleep(0.05)


def fields(body, unknown=()):
    """The fields as a list of pairs, since the order matters."""
    return json.loads(body, object_pairs_hook=lambda pairs: [pair for pair in pairs if pair[0] not in unknown])


def created(body, unknown):
    return [(key, None if key in FLEETING else value) for key, value in fields(body, unknown)]


def answers(bench, subject, action, unknown):
    lines = bench.request_file(action).read_text().splitlines()[:5]
    found = []
    for line in lines:
        if action == "create":
            status, _, body = fetch(f"{subject.url(action)}/api/activities", line.encode())
            found.append((status, created(body, unknown) if status == 200 else body))
        else:
            status, headers, body = fetch(subject.url(action) + line)
            if status != 200 or headers.get_content_type() != "application/json":
                raise SystemExit(f"{subject.name} answers {line} with {status}: {body[:200]!r}")
            found.append((status, fields(body, unknown)))
    return found


def run(bench):
    subjects = [subject for subject in bench.subjects() if subject.name != "pgbench"]
    for subject in subjects:
        wait_ready(subject)
    ours = bench.subject("cruddurd")
    # Creates last: they change home.
    for action in settings.ACTIONS:
        for subject in subjects:
            unknown = UNKNOWN.get(subject.name, ())
            if action in subject.actions and answers(bench, subject, action, unknown) != answers(bench, ours, action, unknown):
                raise SystemExit(f"{subject.name} answers {action} in another way than cruddurd")
    bench.notes.append("Every subject's answers were compared with cruddurd's, field by field: no difference.")
