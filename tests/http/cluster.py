"""A private PostgreSQL server, and databases in it for the tests."""

import base64
import contextlib
import hashlib
import hmac
import itertools
import os
import pathlib
import pwd
import re
import signal
import subprocess
import threading

import psycopg2
import psycopg2.extensions
import time

from daemon import children_of
from places import IS_ROOT, SQL, Folder, clean_environment, postgres_program
from waiting import eventually

TEMPLATE = "cruddur_template"
OWNER_PASSWORD = "owner's secret"
APP_PASSWORD = "app-secret-5f1d"
HOOK_PASSWORD = "hook-secret-91ce"

# By mmap dynamic shared memory is in files of the data folder, so a server that was killed leaves nothing in /dev/shm.
SETTINGS = """\
listen_addresses = '{address}'
unix_socket_directories = '{sockets}'
fsync = off
dynamic_shared_memory_type = mmap
max_connections = 200
log_line_prefix = '%m [%p] %a '
"""

ACCESS = """\
local all         postgres trust
local replication postgres trust
local all         all      scram-sha-256
host  all         all      all scram-sha-256
"""


# The workers' sessions in the database that runs the query.
FROM_SESSIONS = "from pg_stat_activity where datname = current_database() and application_name like 'cruddurd worker%'"
CHANGES_FEED = re.compile(r"\b(insert|update|delete|alter|drop|create|truncate)\b.*\b(activities|users)\b", re.I | re.S)
FEED_BOUND = 0.11  # s until a write from elsewhere is seen, with the default of --feed-watch


def loopback_address(numbers=itertools.count(1)):
    """A different address for each call and each process, so that every port of it is free."""
    return f"127.{next(numbers)}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"


def make_certificate(certificate, key):
    """Makes a self-signed certificate and its key, for clients that do not verify it."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    key.chmod(0o600)


def cheap_verifier(password):
    """PostgreSQL's verifier of the password (RFC 5803), with one iteration instead of 4096, which would cost each login 3 ms."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    parts = [base64.b64encode(part).decode() for part in (salt, stored, hmac.digest(salted, b"Server Key", "sha256"))]
    return "SCRAM-SHA-256$1:{}${}:{}".format(*parts)


def copy_tree(source, target):
    """Copies a tree with owners and modes."""
    subprocess.run(["cp", "--archive", "--reflink=auto", source, target], check=True)


def rows_of(connection, statement, values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


class Kept(threading.local):
    """A connection for each thread, made anew if it was lost. It is kept because making one takes a hundred times as long as a statement."""

    connection = None

    def __init__(self, connect):
        """connect: a function that makes a connection."""
        self.connect = connect

    def run(self, statement, values):
        """Runs a statement and returns its rows."""
        self.renew_if_lost()
        return rows_of(self.connection, statement, values)

    def renew_if_lost(self):
        try:
            with self.connection.cursor() as cursor:
                cursor.execute("select 1")
        except (AttributeError, psycopg2.Error):
            self.connection = self.connect()


class Cluster:
    """A PostgreSQL server of the tests' own. Under root it runs as the user postgres, because PostgreSQL refuses to run as root.
    with Cluster() as cluster: … makes, starts and prepares it, and removes it when the block ends."""

    environment = {}  # additional environment of its processes
    locale = ("--locale=C.UTF-8",)  # options of initdb

    def __init__(self, address="", settings=""):
        """address: where it listens besides its unix socket, at the usual port. settings: further lines of postgresql.conf."""
        self.address = address
        self.settings = settings
        self.folder = Folder()
        self.sockets = self.folder.path
        self.data = self.folder.path / "data"
        self.log = self.folder.path / "log"
        self.kept = Kept(self.connect)

    def __enter__(self):
        try:
            self.make()
            self.start()
            self.prepare()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def run(self, name, *arguments, **options):
        user = "postgres" if IS_ROOT else None
        return subprocess.run(
            [postgres_program(name), *map(str, arguments)],
            user=user,
            group=user and pwd.getpwnam(user).pw_gid,
            cwd="/",
            env=clean_environment(**self.environment),
            check=True,
            stdin=subprocess.DEVNULL,
            **options,
        )

    def own(self, path=None):
        if IS_ROOT:
            postgres = pwd.getpwnam("postgres")
            os.chown(path or self.folder.path, postgres.pw_uid, postgres.pw_gid)

    def initialise(self):
        """Makes the data folder. In the folder CHECK_SHARED the first cluster of a run leaves a copy of its data for the others."""
        options = ("--no-sync", "--username=postgres", "--encoding=UTF8", *self.locale, "--auth=trust")
        is_shared = os.environ.get("CHECK_SHARED") and self.locale == Cluster.locale
        shared = pathlib.Path(os.environ["CHECK_SHARED"], "data") if is_shared else None
        if shared and shared.exists():
            copy_tree(shared, self.data)
            return
        self.run("initdb", *options, "--pgdata", self.data, stdout=subprocess.DEVNULL)
        if shared:
            mine = shared.with_name(f"data.{os.getpid()}")
            copy_tree(self.data, mine)
            with contextlib.suppress(OSError):  # another process was first
                mine.rename(shared)

    def make(self):
        self.own()
        self.initialise()
        (self.data / "pg_hba.conf").write_text(ACCESS)
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS.format(sockets=self.sockets, address=self.address) + self.settings)

    def start(self):
        self.run("pg_ctl", "--pgdata", self.data, "--log", self.log, "--wait", "--silent", "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "--pgdata", self.data, "--mode", mode, "--wait", "--silent", "stop")

    def restart(self, mode="fast"):
        self.run("pg_ctl", "--pgdata", self.data, "--log", self.log, "--mode", mode, "--wait", "--silent", "restart")

    @contextlib.contextmanager
    def away(self):
        """The server is stopped within the block, and started again in any case."""
        self.stop()
        try:
            yield
        finally:
            if not (self.data / "postmaster.pid").exists():
                self.start()

    def processes(self):
        """The process ids of the server, its first one first."""
        first = int((self.data / "postmaster.pid").read_text().split()[0])
        return [first, *(process.pid for process in children_of(first))]

    @contextlib.contextmanager
    def frozen(self):
        """All its processes are stopped within the block. The first one is stopped before the others are listed, as it starts new ones."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(frozen(self.processes()[0]))
            for pid in self.processes()[1:]:
                stack.enter_context(frozen(pid))
            yield

    def kill(self):
        """Kills all its processes at once, so that nothing is left to stop."""
        with self.frozen():
            killed = self.processes()
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
        # PostgreSQL does not start while its first process exists, even as a zombie.
        eventually(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in killed), what="the server's end")
        (self.data / "postmaster.pid").unlink()

    @contextlib.contextmanager
    def killed(self):
        """All its processes are killed. The server is started again at the end of the block."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    def remove(self):
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        self.folder.remove()

    def url(self, role, password, database, hosts=None, **parameters):
        """parameters are libpq's."""
        hosts = ",".join(map(str, hosts or [self.address or self.sockets]))
        more = "".join(f"&{name}={value}" for name, value in parameters.items())
        return f"postgresql://{role}:{password.replace(' ', '%20')}@/{database}?host={hosts}{more}"

    def connect(self, database="postgres"):
        """A connection as superuser. Every statement is a transaction of its own, which waits for no standby."""
        connection = psycopg2.connect(
            host=str(self.sockets), user="postgres", dbname=database, options="-c synchronous_commit=local -c statement_timeout=300s"
        )
        connection.autocommit = True
        return connection

    def sql(self, statement, *values, database=None):
        """Runs a statement as superuser, over the kept connection to the database postgres or a new one to another database; its rows."""
        if database is None:
            return self.kept.run(statement, values)
        with contextlib.closing(self.connect(database)) as connection:
            return rows_of(connection, statement, values)

    def psql(self, file, role, database, password=""):
        return subprocess.run(
            [postgres_program("psql"), "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "--set", "app_connections=190", "--quiet", "--file", str(file)],
            env=clean_environment(
                PGHOST=str(self.sockets), PGUSER=role, PGPASSWORD=password, PGDATABASE=database,
                CRUDDUR_OWNER_PASSWORD=OWNER_PASSWORD, CRUDDUR_APP_PASSWORD=APP_PASSWORD,
                CRUDDUR_HOOK_PASSWORD=HOOK_PASSWORD,
            ),
            check=True,
        )  # fmt: skip

    def prepare(self):
        """Makes the roles, and the database of which all others are copies."""
        self.psql(SQL / "roles.sql", "postgres", "postgres")
        self.sql(f"create database {TEMPLATE} owner cruddur_owner")
        for file in ("schema.sql", "seed.sql"):
            self.psql(SQL / file, "cruddur_owner", TEMPLATE, OWNER_PASSWORD)
        self.psql(SQL / "large_objects.sql", "postgres", TEMPLATE)
        for role, password in (("cruddur_owner", OWNER_PASSWORD), ("cruddur", APP_PASSWORD), ("cruddur_hook", HOOK_PASSWORD)):
            self.sql(f"alter role {role} password '{cheap_verifier(password)}'")


class SelfSignedCluster(Cluster):
    """A cluster with TLS and a self-signed certificate."""

    def __init__(self, address):
        super().__init__(address, settings="ssl = on\n")

    def make(self):
        super().make()
        make_certificate(self.data / "server.crt", self.data / "server.key")
        self.own(self.data / "server.crt")
        self.own(self.data / "server.key")


class Standby(Cluster):
    """A streaming replica of a cluster. It runs from its creation on, answers reads, and refuses writes with SQLSTATE 25006."""

    def __init__(self, primary):
        super().__init__()
        try:
            self.copy(primary)
        except BaseException:
            self.remove()
            raise

    def __enter__(self):
        return self

    def catch_up(self, primary):
        """Waits until it has what the primary has now."""
        ((position,),) = primary.sql("select pg_current_wal_flush_lsn()")
        eventually(lambda: self.sql("select pg_last_wal_replay_lsn() >= %s", position) == [(True,)], what="the standby")

    def promote(self):
        self.run("pg_ctl", "--pgdata", self.data, "--wait", "--silent", "promote")

    def copy(self, primary):
        self.own()
        if os.path.exists(postgres_program("pg_basebackup")):
            self.run("pg_basebackup", "--host", primary.sockets, "--username=postgres", "--no-sync", "--checkpoint=fast",
                     "--write-recovery-conf", "--pgdata", self.data)  # fmt: skip
        else:
            self.copy_files(primary)
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(f"unix_socket_directories = '{self.sockets}'\n")
        self.start()

    def copy_files(self, primary):
        """Does the work of pg_basebackup, which is not available for every version (tests/postgresql/lay-out)."""
        kept = ("--exclude=./postmaster.*", "--exclude=./pg_wal/*", "--exclude=./pg_replslot/*", "--ignore-failed-read", "--warning=no-file-changed")
        with contextlib.closing(primary.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("select pg_backup_start('standby', true)")
            self.data.mkdir(mode=0o700)
            command = 'tar --create "${@:3}" --directory "$1" . | tar --extract --directory "$2"'
            subprocess.run(["bash", "-euc", command, "copy", primary.data, self.data, *kept], check=True)
            cursor.execute("select labelfile from pg_backup_stop(false)")
            ((label,),) = cursor.fetchall()
        (self.data / "backup_label").write_text(label)
        (self.data / "standby.signal").touch()
        with (self.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = 'host={primary.sockets} user=postgres'\n")
        for file in ("backup_label", "standby.signal"):
            self.own(self.data / file)
        self.own(self.data)

    @contextlib.contextmanager
    def behind(self):
        """The standby replays nothing within the block."""
        self.sql("select pg_wal_replay_pause()")
        try:
            yield
        finally:
            self.sql("select pg_wal_replay_resume()")


class Database:
    """One test's own database, with schema and seed."""

    numbers = itertools.count(1)

    def __init__(self, cluster, template=TEMPLATE):
        self.cluster = cluster
        self.name = f"test_{next(self.numbers)}"
        self.is_there = True
        self.feed_bound = FEED_BOUND  # 0 if no service caches home
        self.kept = Kept(self.connect)
        cluster.sql(f"create database {self.name} template {template} strategy file_copy owner cruddur_owner")

    def url(self, role="cruddur", password=APP_PASSWORD, hosts=None, **parameters):
        return self.cluster.url(role, password, self.name, hosts, **parameters)

    def sql(self, statement, *values):
        """Runs a statement and returns its rows. If it changes the feed, waits until every service shows the change."""
        rows = self.run(statement, *values)
        if CHANGES_FEED.search(statement):
            time.sleep(self.feed_bound)
        return rows

    def load(self, statements, *values):
        """Inserts many rows, without triggers and the checks of foreign keys."""
        self.sql(f"set session_replication_role = replica; {statements}; reset session_replication_role", *values)

    def run(self, statement, *values):
        """Runs a statement and returns its rows, without waiting for the feed."""
        return self.kept.run(statement, values)

    def connect(self):
        return self.cluster.connect(self.name)

    def remove(self):
        if self.is_there:
            self.cluster.sql(f"drop database {self.name} with (force)")
            self.is_there = False

    def add_activities(self, count, created_at="now()", expires_at="null", message="'row ' || n", handle="londo"):
        """created_at, expires_at and message are SQL, in which n counts from 1. Returns the uuids, in the order of the feed."""
        rows = self.sql(
            f"""insert into activities (user_uuid, message, created_at, expires_at)
                select u.uuid, {message}, {created_at}, {expires_at}
                from users u, generate_series(1, {count}) n where handle = '{handle}'
                returning uuid, created_at"""
        )
        return [uuid for uuid, _ in sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)]

    def messages(self):
        """Every message and how often it is there."""
        return dict(self.sql("select message, count(*) from activities group by message"))

    def backends(self, lane=""):
        """Process ids of the workers' sessions: all, or those for "reading" or "writing"."""
        where = {"": "", "reading": "and application_name ~ '[0-9]$'", "writing": "and application_name ~ 'writing$'"}
        return [pid for (pid,) in self.sql(f"select pid {FROM_SESSIONS} {where[lane]}")]

    def terminate_sessions(self):
        """Terminates the workers' sessions."""
        self.sql(f"select pg_terminate_backend(pid) {FROM_SESSIONS}")

    @contextlib.contextmanager
    def held(self, statement):
        """Keeps the statement's locks within the block. Yields the cursor that ran it."""
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = False
            cursor.execute(statement)
            yield cursor
            connection.rollback()

    def locked(self, table="users"):
        """Every use of the table waits within the block, also a worker that prepares its statements."""
        return self.held(f"lock table {table} in access exclusive mode")

    def locked_user(self, handle="andrewbrown"):
        """Within the block creates of this user wait, and nothing else."""
        return self.held(f"select from users where handle = '{handle}' for update")

    def wait_for_waiting(self, count=1, on="Lock"):
        """Waits until so many of the workers' statements wait for that event. Returns their sessions' process ids and names."""

        def waiting():
            rows = self.sql(f"select pid, application_name {FROM_SESSIONS} and '{on}' in (wait_event_type, wait_event)")
            return len(rows) >= count and rows

        return eventually(waiting, what=f"{count} statements waiting for {on}")


@contextlib.contextmanager
def frozen(pid):
    """The process is stopped within the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
