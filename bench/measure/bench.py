"""The parts that all phases share: the command line, the subjects, and the file to which a phase writes its measures."""

import argparse
import json
import pathlib
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the environment names


@dataclass
class Subject:
    name: str
    port: int
    actions: list
    other_ports: dict  # action -> port

    def port_of(self, action):
        return self.other_ports.get(action, self.port)

    def url(self, action):
        return f"http://127.0.0.1:{self.port_of(action)}"


@dataclass
class Bench:
    arguments: argparse.Namespace
    measures: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)

    def __getattr__(self, name):
        return getattr(self.arguments, name)

    def subjects(self):
        """The subjects that take part, from the file that bin/bench wrote."""
        found = []
        for line in (self.dir / "subjects").read_text().splitlines():
            name, port, actions, others = line.split("\t")
            other_ports = dict(pair.split("=") for pair in others.split())
            found.append(
                Subject(name, int(port), actions.split(","), {key: int(value) for key, value in other_ports.items()})
            )
        return found

    def subject(self, name):
        return next((subject for subject in self.subjects() if subject.name == name), None)

    def left_out(self):
        lines = (self.dir / "left-out").read_text().splitlines()
        return dict(line.split("\t", 1) for line in lines)

    def request_file(self, action):
        return self.dir / "requests" / action

    def record(self, key, value, runs=None, invalid=None, **machine):
        """Records a measure; invalid is the reason why it cannot count.

        machine: the load of the machine meanwhile: busy, the share of it that other processes used, and stall, the milliseconds of the value
        that they may have caused; None: not known.
        """
        self.measures[key] = {"value": value, "runs": runs if runs is not None else [value], "invalid": invalid} | machine

    def miss(self, key, reason, state="not met"):
        """Records that a measure could not be taken, and the state of its target: without a value the target does not hold."""
        self.measures[key] = {"value": None, "runs": [], "invalid": None, "missing": reason, "state": state}

    def save(self, phase):
        path = self.dir / "phases" / f"{phase}.json"
        path.write_text(json.dumps({"measures": self.measures, "notes": self.notes}))

    def psql(self):
        """The command line and the environment of a psql as the superuser."""
        command = ["psql", "--no-psqlrc", "-qtA", "-v", "ON_ERROR_STOP=1", "-h", f"{self.sockets}/db", "-U", "postgres"]
        environment = {"PGPASSFILE": str(self.dir / "secrets/pgpass"), "PATH": "/usr/local/bin:/usr/bin:/bin"}
        return [*command, "-d", "cruddur"], environment

    def sql(self, statement):
        """Runs a statement and returns psql's output."""
        command, environment = self.psql()
        return subprocess.run(
            [*command, "-c", statement], env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()


def parse():
    parser = argparse.ArgumentParser()
    for name in ("dir", "sockets", "results", "pgbench"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    for name in ("rows", "small-rows", "rounds", "requests", "small-port", "eight-port"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    for name in ("quick", "web-user", "log-level", "faults"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("phases", nargs="+")
    arguments = parser.parse_args()
    arguments.quick = arguments.quick == "yes"
    return arguments


def fetch(url, body=None):
    """(status, headers, bytes)"""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with DIRECT.open(request, timeout=10) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()
    except OSError:
        return 0, {}, b""
