"""The whole cluster on one machine: three database hosts, two hosts that serve, and the hub between them.

Everything is in one folder and ends with its rooms. A later command finds the cluster by lab.json and by the rooms' process ids.
"""

import contextlib
import glob
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import time

import psycopg2
import psycopg2.extensions

from hosts import PORT, Host
from nodes import Node, fetch, fill, write
from places import TOP, clean_environment
from rooms import Hub, enter_network
from site_of_hosts import Keys
from waiting import eventually

NETWORK = "10.77.1"  # of the databases; each cluster has its own, isolated network
WEB = "10.77.2"  # between the hosts that serve and their clients
NODES = {"pg1": 11, "pg2": 12, "pg3": 13}
HOSTS = {"app1": 21, "app2": 22}
SESSIONS = 100  # limit of the service's login
READY = 120  # s in which a cluster must be whole again after a fault
LAG_MAX = 1 << 20  # bytes, as maximum_lag_on_failover
SYNC_ROLES = ("sync_standby",)


def libfaketime():
    return next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)


class Lab:
    def __init__(self, folder, options=None):
        """options: clocks, the path of libfaketime. None: the options of the running cluster, from its file."""
        self.folder = folder
        self.file = folder / "lab.json"
        self.options = options if options is not None else json.loads(self.file.read_text())
        self.hub = Hub(folder, "hub")
        self.nodes = {name: Node(folder, name, f"{NETWORK}.{number}", self.options) for name, number in NODES.items()}
        self.hosts = {name: Host(folder, name, f"{NETWORK}.{number}", f"{WEB}.{number}") for name, number in HOSTS.items()}
        self.keys = Keys(folder)

    @property
    def rooms(self):
        return [*self.nodes.values(), *self.hosts.values(), self.hub]

    # --- start and end ---

    def up(self):
        self.down()
        self.file.write_text(json.dumps(self.options))
        (self.folder / "log").mkdir(exist_ok=True)
        try:
            self.make_rooms()
            self.enter()
            self.start_databases()
            self.load()
            self.start_hosts()
        except BaseException:
            self.down()
            raise

    def down(self):
        """Ends everything that runs, and removes its files except the build and the logs."""
        for room in self.rooms:
            room.close()
        for name in (*NODES, *HOSTS, "rooms", "secrets"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.file.unlink(missing_ok=True)

    def is_up(self):
        return all(room.pid for room in self.rooms)

    def enter(self):
        enter_network(self.hub.pid)

    def make_rooms(self):
        for room in self.rooms:
            room.open()
        self.hub.add_network("db", f"{NETWORK}.1")
        self.hub.add_network("web", f"{WEB}.1")
        for room in (*self.nodes.values(), *self.hosts.values()):
            self.hub.plug(room, "db", room.address)
        for host in self.hosts.values():
            self.hub.plug(host, "web", host.web_address)

    def start_databases(self):
        self.make_passwords()
        names = {name: node.address for name, node in self.nodes.items()}
        for node in self.nodes.values():
            node.make(names, self.passwords(), f"{NETWORK}.0/24")
            node.start_etcd()
        eventually(lambda: all(node.etcd_is_healthy() for node in self.nodes.values()), READY, "etcd")
        for node in self.nodes.values():
            node.start_patroni()
        eventually(lambda: not self.faults_of_databases(), READY, "a cluster of three")

    def start_hosts(self):
        self.keys.make()
        for number, host in enumerate(self.hosts.values(), 1):
            host.make(self.url("cruddur"), self.url("cruddur", first=number, wants="standby"), self.keys)
            host.start_all()
        eventually(lambda: not self.faults_of_hosts(), READY, "hosts that serve")

    # --- secrets, URLs, and the database's contents ---

    def make_passwords(self):
        (self.folder / "secrets").mkdir(mode=0o700, exist_ok=True)
        for name in ("postgres", "replicator", "cruddur_owner", "cruddur", "cruddur_hook", "cruddur_reader"):
            write(self.folder / "secrets" / name, secrets.token_hex(24), "root")

    def passwords(self):
        return {path.name: path.read_text() for path in (self.folder / "secrets").iterdir()}

    def url(self, user, database="cruddur", first=0, wants="read-write"):
        """first: the number of the node whose address comes first, from 0."""
        addresses = [node.address for node in self.nodes.values()]
        hosts = ",".join(addresses[first:] + addresses[:first])
        text = fill("connection-url.in", {"USER": user, "PASSWORD": self.passwords()[user], "HOSTS": hosts})
        return text.strip().replace("/cruddur?", f"/{database}?").replace("target_session_attrs=read-write", f"target_session_attrs={wants}")

    def load(self):
        """Makes roles, schema and seed with the scripts that an operator uses."""
        self.script("postgres", "db-roles", "--passwords", self.folder / "secrets", "--app-connections", str(SESSIONS), database="postgres")
        for name in ("db-create", "db-schema-load", "db-seed"):
            self.script("cruddur_owner", name)
        self.sql("create table beats (one boolean primary key default true check (one), n bigint not null)", database="postgres")
        self.sql("insert into beats (n) values (0)", database="postgres")

    def script(self, user, name, *arguments, database="cruddur"):
        environment = clean_environment(CONNECTION_URL=self.url(user, database))
        with (self.folder / "log/scripts.log").open("ab") as log:
            subprocess.run([TOP / "bin" / name, *arguments], env=environment, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def connect(self, address=None, database="cruddur"):
        """A session as the superuser, on one node or the primary; every statement is a transaction of its own."""
        url = self.url("postgres", database)
        if address is not None:
            url = url.replace(url.split("@")[1].split("/")[0], address).replace("target_session_attrs=read-write", "target_session_attrs=any")
        connection = psycopg2.connect(url)
        connection.autocommit = True
        return connection

    def sql(self, statement, *values, address=None, database="cruddur"):
        with contextlib.closing(self.connect(address, database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    # --- the cluster's state ---

    def leader(self):
        """The node whose name is under the leader's key, read from a majority of etcd; None if there is none."""
        for node in self.nodes.values():
            with contextlib.suppress(OSError):
                status, answer = node.etcd("/v2/keys/service/cruddur/leader?quorum=true")
                if status == 200:
                    return self.nodes.get(answer["node"]["value"])
                if status == 404:
                    return None
        return None

    def members(self):
        """The members as the leader's Patroni reports them, by name; empty without an answer."""
        leader = self.leader()
        with contextlib.suppress(OSError):
            if leader is not None:
                return {member["name"]: member for member in leader.patroni("/cluster")[1].get("members", [])}
        return {}

    def standby(self):
        """The synchronous standby, or None."""
        return next((self.nodes[name] for name, member in self.members().items() if member["role"] in SYNC_ROLES), None)

    def timeline(self):
        leader = self.leader()
        return self.members().get(leader.name, {}).get("timeline") if leader is not None else None

    def faults_of_databases(self):
        """The reasons why the databases are not whole, a line each."""
        found = [f"etcd on {node.name}: no answer" for node in self.nodes.values() if not node.etcd_is_healthy()]
        members = self.members()
        leaders = [member for member in members.values() if member["role"] == "leader"]
        if len(leaders) != 1:
            return [*found, f"{len(leaders)} leaders"]
        found += [f"{name} is no member" for name in self.nodes if name not in members]
        for name, member in members.items():
            if member["state"] not in ("running", "streaming") or member.get("timeline", 0) != leaders[0].get("timeline"):
                found.append(f"{name}: {member['state']}, timeline {member.get('timeline')}")
            elif member["role"] != "leader" and not is_close(member.get("lag")):
                found.append(f"{name}: {member.get('lag')} bytes behind")
        if not any(member["role"] in SYNC_ROLES for member in members.values()):
            found.append("no synchronous standby")
        return found

    def faults_of_hosts(self):
        found = []
        for host in self.hosts.values():
            try:
                status, _ = fetch(f"http://{host.web_address}:{PORT}/readyz")
            except OSError:
                status = "no answer"
            if status != 200:
                found.append(f"{host.name}: {status}")
        return found

    def faults(self):
        return self.faults_of_databases() + self.faults_of_hosts()

    def wait_until_whole(self):
        """Returns the seconds that it took. Starts servers that have ended and that nothing else starts, as systemd would."""
        begun = time.monotonic()
        while self.start_what_ended() or (faults := self.faults()):
            if time.monotonic() > begun + READY:
                raise AssertionError(f"the cluster is not whole after {READY} s: {'; '.join(faults)}")
        return time.monotonic() - begun

    def start_what_ended(self):
        for room in (*self.nodes.values(), *self.hosts.values()):
            room.start_all()
        time.sleep(0.2)


def is_close(lag):
    """Whether a standby is up to date while there are writes: Patroni's positions are a second old. An unknown lag is text."""
    return isinstance(lag, int) and lag <= LAG_MAX


def is_possible():
    """The reason why this machine cannot run a cluster, or None."""
    if os.geteuid() != 0:
        return "it takes root: each machine of the cluster is a network namespace of its own"
    try:
        subprocess.run(["unshare", "--net", "--pid", "--mount", "--fork", "--mount-proc", "ip", "link", "add", "type", "bridge"], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        return f"this machine does not let root make network namespaces: {error.stderr.decode().strip()}"
    return None


def folder_of(text):
    return pathlib.Path(text).resolve()
