"""The log of a server under test."""

import json
import re

SANITIZER = re.compile(r"\w+Sanitizer\b|runtime error:")


class Log:
    def __init__(self, path):
        self.path = path

    @property
    def text(self):
        return self.path.read_text(errors="replace") if self.path.exists() else ""

    def entries(self, event=None):
        """Its lines, each of which must be a JSON object; those of one event only if it is named."""
        report = self.sanitizer_report()
        assert report is None, report
        entries = [json.loads(line) for line in self.text.splitlines()]
        return [entry for entry in entries if event in (None, entry["event"])]

    def messages(self, event):
        return [entry["message"] for entry in self.entries(event)]

    def requests(self, request_id=None):
        return [entry for entry in self.entries("request") if request_id in (None, entry["request_id"])]

    def tail(self, lines):
        return "\n".join(self.text.splitlines()[-lines:]) + "\n"

    def sanitizer_report(self):
        found = SANITIZER.search(self.text)
        return self.text[found.start() - 200 :] if found else None
