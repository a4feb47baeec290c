"""A service that follow.sh has set up by doc/production.md; the tests use it over TLS through its nginx.

PLACE in the environment is the folder of its Debian, INIT the process id of this Debian's systemd. The tests run in its network, where
every address of the loopback interface reaches nginx. nginx limits the requests of each address, so each request has another one."""

import contextlib
import itertools
import os
import pathlib
import re
import ssl
import subprocess

import psycopg2

from client import Connection
from cluster import FEED_BOUND, Database, Kept
from issuer import TokenService, bearer, key_set, service_key
from load import Load
from places import SQL, clean_environment, postgres_program
from waiting import eventually

PLACE = pathlib.Path(os.environ["PLACE"])
INIT = os.environ["INIT"]
NAME, PORT = "cruddur.example", 443
ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_example"
OWN = "127.0.0.1"  # the address that may ask for /metrics
PAUSE = 0.06  # s, between two requests of an address: slower than the limit in nginx/site.conf


def addresses():
    """Addresses of the loopback interface, without end; never OWN."""
    return (f"127.1.{number // 250 % 250}.{number % 250 + 1}" for number in itertools.count())


def inside(*command):
    """Runs the command in the Debian, as root; returns its output."""
    enter = ["nsenter", "--target", INIT, "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--root", "--wd"]
    clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"]
    return subprocess.run([*enter, *clean, *command], check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, encoding="utf-8").stdout


def property_of(unit, name):
    """The property's value as systemctl prints it."""
    return inside("systemctl", "show", f"--property={name}", "--value", unit).strip()


def master():
    """The process id of the service's master; 0 if it does not run."""
    return int(property_of("cruddurd.service", "MainPID"))


def complaints():
    """The service's warnings and errors in the journal, except those of statements, which the tests provoke, and of keys: there is no issuer."""
    lines = inside("journalctl", "--unit=cruddurd", "--output=cat", "--no-pager").splitlines()
    complaints = [line for line in lines if re.search('"level":"(warning|error)"', line)]
    return [line for line in complaints if not re.search('"event":"(keys|database)"', line)]


class TlsConnection(Connection):
    """A connection to the site by its name; its certificate is verified. Each request has these headers, unless it sets them itself."""

    context = ssl.create_default_context(cafile=PLACE / "root/ca/ca.pem")

    def __init__(self, source, headers=None):
        super().__init__(PORT, source=source)
        self.headers = {"Host": NAME} | (headers or {})
        self.socket = self.context.wrap_socket(self.socket, server_hostname=NAME)

    def ask(self, method, target, body=None, headers=None):
        return super().ask(method, target, body, self.headers | (headers or {}))


class DeployedDatabase(Database):
    """The database as a separate superuser sees it, which the service does not know."""

    def __init__(self):
        self.feed_bound = FEED_BOUND
        self.kept = Kept(self.connect)
        self.password = (PLACE / "root/inspector").read_text().strip()

    def connect(self):
        connection = psycopg2.connect(
            host="db.example", hostaddr=OWN, dbname="cruddur", user="inspector", password=self.password,
            sslmode="verify-full", sslrootcert=str(PLACE / "root/ca/ca.pem"), options="-c statement_timeout=300s",
        )  # fmt: skip
        connection.autocommit = True
        return connection

    def seed(self):
        """The users and posts that the tests know."""
        url = f"postgresql://inspector@db.example/cruddur?hostaddr={OWN}&sslmode=verify-full&sslrootcert={PLACE}/root/ca/ca.pem"
        command = [postgres_program("psql"), "--no-psqlrc", "--quiet", "--file", str(SQL / "seed.sql"), url]
        subprocess.run(command, env=clean_environment(PGPASSWORD=self.password), check=True)


class DeployedService(TokenService):
    """The service, one for all tests; this class does not start or stop it."""

    def __init__(self):
        self.key = service_key()
        self.database = DeployedDatabase()
        self.sources = addresses()

    def __enter__(self):
        self.database.seed()
        self.show_keys()
        return self

    def __exit__(self, *_):
        pass

    def show_keys(self):
        """Writes the keys as if an earlier run had fetched them: the issuer cannot be reached here."""
        file = PLACE / "var/cache/cruddur/jwks.json"
        file.write_bytes(key_set(self.key))
        os.chown(file, file.parent.stat().st_uid, file.parent.stat().st_gid)
        inside("systemctl", "restart", "cruddurd")
        eventually(lambda: self.ask_as("andrewbrown", "GET", "/api/activities/notifications").status == 200, 60, "the issuer's keys")

    def token(self, handle, **claims):
        return super().token(handle, **{"iss": ISSUER} | claims)

    def connect(self, source=None, headers=None):
        return TlsConnection(source or next(self.sources), headers)

    def ask(self, method, target, body=None, headers=None):
        with self.connect(OWN if target.startswith("/metrics") else None) as connection:
            return connection.ask(method, target, body, headers)

    def version(self):
        """The version of the program that answers."""
        reply = self.ask("GET", "/metrics")
        assert reply.status == 200, reply
        lines = reply.body.decode().splitlines()
        return next(line for line in lines if line.startswith("cruddur_build_info")).split('"')[1]


class Londo:
    """The service as Londo, the author of a load's writes. Each connection is from an address of its own."""

    def __init__(self, service):
        self.service = service

    def connect(self):
        return self.service.connect(headers=bearer(self.service.token("londo")))


@contextlib.contextmanager
def loaded(service, connections, pause, more):
    """A load, with `more` answers before the body of the `with` and after it. Failures and lost writes are checked at its end."""
    with Load(Londo(service), connections, pause=pause) as load:
        load.wait_for_more(more)
        yield load
        load.wait_for_more(more)
    print(f"{load.requests} requests, {dict(load.statuses)}")
    assert load.failures == []
    load.audit(service.database).check()
