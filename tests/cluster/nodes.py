"""A database host: etcd, Patroni and the PostgreSQL that Patroni runs, from the files of infra/ha."""

import json
import pathlib
import re
import shutil
import urllib.error
import urllib.request

from places import TOP, postgres_program
from rooms import Room
from waiting import eventually

FILES = TOP / "infra/ha"
DATA_SIZE = "1g"  # of the file system for PostgreSQL's data, in memory
WAL_SIZE = "128MB"
ETCD_SIZE = "300m"
ANSWER = 2  # s for an answer of Patroni or etcd
PLACE = re.compile(r"@([A-Z_]+)@")
SECRET = 0o600
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the environment names


def fill(name, values):
    """A file of infra/ha with its names between @ replaced."""
    return PLACE.sub(lambda match: str(values[match[1]]), (FILES / name).read_text())


def write(path, text, user, mode=SECRET):
    path.touch(mode=SECRET)
    path.write_text(text)
    path.chmod(mode)
    shutil.chown(path, user, user)


def fetch(url, document=None, seconds=ANSWER):
    """(status, JSON) of any answer of the server; OSError without one."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with DIRECT.open(request, timeout=seconds) as reply:
            status, text = reply.status, reply.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, {"text": text.decode(errors="replace")}


class Node(Room):
    USER = "postgres"

    def __init__(self, folder, name, address, options):
        """options: see Lab."""
        super().__init__(folder, name)
        self.address = address
        self.options = options
        self.place = folder / name
        self.data = self.place / "data/pgdata"

    def make(self, names, passwords, network):
        """Makes the node's folders and files. names: name → address of all nodes."""
        for folder, size in (("data", DATA_SIZE), ("etcd", ETCD_SIZE)):
            (self.place / folder).mkdir(parents=True)
            shutil.chown(self.place / folder, self.USER, self.USER)
            self.run("mount", "-t", "tmpfs", "-o", f"size={size},mode=700,uid={self.USER}", "tmpfs", self.place / folder)
        shutil.chown(self.place, self.USER, self.USER)
        values = {
            "NAME": self.name, "ADDRESS": self.address, "NETWORK": network, "FOLDER": self.place, "DATA": self.data, "PROGRAMS": self.programs(),
            "ETCD": ",".join(f"{address}:2379" for address in names.values()), "WAL": WAL_SIZE, "WATCHDOG": "off",
            "POSTGRES_PASSWORD": passwords["postgres"], "REPLICATOR_PASSWORD": passwords["replicator"],
        }  # fmt: skip
        write(self.place / "patroni.yml", fill("patroni.yml.in", values), self.USER)
        members = ",".join(f"{name}=http://{address}:2380" for name, address in names.items())
        write(self.place / "etcd.conf", fill("etcd.conf.in", values | {"FOLDER": self.place / "etcd/member.etcd", "MEMBERS": members}), self.USER)

    def programs(self):
        """The folder with PostgreSQL's programs. For clocks that can be set, postgres is started through libfaketime."""
        real = pathlib.Path(postgres_program("postgres")).parent
        if not self.options.get("clocks"):
            return real
        folder = self.place / "bin"
        folder.mkdir()
        for program in real.iterdir():
            (folder / program.name).symlink_to(program)
        (folder / "postgres").unlink()
        settings = f"LD_PRELOAD={self.options['clocks']} FAKETIME_TIMESTAMP_FILE={self.place}/clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1"
        write(folder / "postgres", f'#!/bin/sh\nexec env {settings} {real}/postgres "$@"\n', self.USER, 0o755)
        self.set_clock(0)
        return folder

    def set_clock(self, seconds):
        """Sets PostgreSQL's clock that far ahead of this machine's."""
        write(self.place / "clock.new", f"{seconds:+d}\n", self.USER, 0o644)
        (self.place / "clock.new").rename(self.place / "clock")

    # --- its servers ---

    def start_etcd(self):
        lines = (self.place / "etcd.conf").read_text().splitlines()
        settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        self.start("etcd", self.USER, ["etcd", "--logger=zap", "--log-outputs=stderr"], self.place, settings)

    def start_patroni(self):
        self.start("patroni", self.USER, ["patroni", self.place / "patroni.yml"], self.place)

    def start_all(self):
        """Starts those of the servers that do not run."""
        for name, start in (("etcd", self.start_etcd), ("patroni", self.start_patroni)):
            if not self.pids(name):
                start()

    # --- their answers ---

    def patroni(self, path, document=None, seconds=ANSWER):
        return fetch(f"http://{self.address}:8008{path}", document, seconds)

    def etcd(self, path):
        return fetch(f"http://{self.address}:2379{path}")

    def etcd_is_healthy(self):
        try:
            return self.etcd("/health")[1].get("health") == "true"
        except OSError:
            return False

    def free_bytes(self):
        line = self.run("df", "--output=avail", "--block-size=1", self.place / "data").split()
        return int(line[-1])

    def fill_disk(self):
        """Fills the file system of the data, so that no byte is free."""
        path = self.place / "data/ballast"
        self.run("bash", "-c", f"cat /dev/zero >{path} 2>/dev/null || true")
        eventually(lambda: self.free_bytes() < 65536, 10, "a full disk")

    def empty_disk(self):
        self.run("rm", "-f", self.place / "data/ballast")
