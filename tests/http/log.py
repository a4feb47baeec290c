"""The log of a server under test."""

import json
import os
import re
import threading

SANITIZER = re.compile(r"\w+Sanitizer\b|runtime error:")


class Log:
    """Complete lines never change, so each is read, searched for reports and parsed only once. Several threads may use a Log."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.forget()

    def forget(self):
        self.file = None  # path, device and inode of the file that the other fields belong to
        self.size = 0  # bytes of the complete lines that were read
        self.lines = ""  # their text
        self.judged = 0  # up to this index they have no sanitizer report
        self.parsed = []  # their entries
        self.parsed_to = 0

    @property
    def text(self):
        with self.lock:
            rest = self.read_on()
            return self.lines + rest

    def read_on(self):
        """Reads the new complete lines, and returns the incomplete one after them."""
        try:
            file = self.path.open("rb", buffering=0)
        except FileNotFoundError:
            self.forget()
            return ""
        with file:
            status = os.fstat(file.fileno())
            if self.file != (self.path, status.st_dev, status.st_ino) or status.st_size < self.size:
                self.forget()
                self.file = (self.path, status.st_dev, status.st_ino)
            file.seek(self.size)
            lines, end, rest = file.readall().rpartition(b"\n")
        self.size += len(lines + end)
        self.lines += (lines + end).decode(errors="replace")
        return rest.decode(errors="replace")

    def entries(self, event=None):
        """The lines, each of which must be a JSON object; only those of the event if one is named."""
        report = self.sanitizer_report()
        assert report is None, report
        with self.lock:
            rest = self.read_on()
            self.parsed += [json.loads(line) for line in self.lines[self.parsed_to :].splitlines()]
            self.parsed_to = len(self.lines)
            entries = self.parsed + [json.loads(line) for line in rest.splitlines()]
        return [entry for entry in entries if event in (None, entry["event"])]

    def messages(self, event):
        return [entry["message"] for entry in self.entries(event)]

    def requests(self, request_id=None):
        return [entry for entry in self.entries("request") if request_id in (None, entry["request_id"])]

    def tail(self, lines):
        return "\n".join(self.text.splitlines()[-lines:]) + "\n"

    def sanitizer_report(self):
        with self.lock:
            rest = self.read_on()
            text = self.lines + rest
            found = SANITIZER.search(text, self.judged)
            self.judged = len(self.lines) if found is None else self.judged
        return text[max(0, found.start() - 200) :] if found else None
