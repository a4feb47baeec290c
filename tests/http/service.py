"""The whole service: nginx, the pool of workers, and a database of its own."""

import os

from client import Asking, Client
from cluster import Database
from daemon import Daemon, options_of
from fcgi import Peer
from front import Front
from places import CRUDDURD, SQL, Folder
from waiting import PATIENCE, eventually

LIVE = []  # for the report of a failed test
LOG_LINES = 80

# Deadlines that no machine is too slow for. A test of a deadline sets its own, or uses the shipped ones with is_patient=False.
PATIENT = {
    "statement_timeout": 50000,
    "slow_timeout": 50000,
    "deadline": 60000,
    "stuck_timeout": 600000,
    "request_timeout": 60000,
    "drain_timeout": 600000,
}


class Pool:
    """cruddurd with a private folder and, unless a setting differs, a socket in it. Use it in `with`."""

    def __init__(self, database=None, environment=None, launcher=None, socket=None, pass_fds=(), is_patient=True, **settings):
        """launcher(self) returns the command that runs cruddurd; socket is the path where it listens if another process opens the socket;
        settings are its options, None leaves out a default one; is_patient: see PATIENT."""
        self.database = database
        self.socket = socket
        self.process_options = {"environment": environment, "pass_fds": pass_fds}
        self.launcher = launcher
        self.is_patient = is_patient
        self.settings = settings
        self.daemon = None

    def __enter__(self):
        self.folder = Folder()
        self.path = self.folder.path
        self.socket = self.socket or self.path / "run/web/cruddurd.sock"
        (self.path / "run/web").mkdir(parents=True)
        self.url_file = self.path / "url"
        LIVE.append(self)
        try:
            self.open()
        except BaseException:
            self.give_up()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.daemon.stop()
        except BaseException:
            self.give_up()
            raise
        self.remove()

    def give_up(self):
        print(self.logs())
        self.remove()

    def open(self):
        if self.database is not None:
            self.write_url(self.database.url())
        self.launch()
        eventually(self.is_listening, what="a listening cruddurd")

    def launch(self):
        """Starts cruddurd. May be called again when it has ended."""
        program = self.launcher(self) if self.launcher else [CRUDDURD]
        self.daemon = Daemon(self.path, [*program, *self.arguments()], **self.process_options)

    def arguments(self):
        defaults = {
            "listen": f"unix:{self.socket}",
            "sql_dir": SQL,
            "workers": 2,
            "identity": "handle",
            "log_level": "debug",
            "purge_interval": 0,
            "posts_per_hour": 0,
            "messages_per_hour": 0,
            "reports_per_hour": 0,
            "repeat_window": 0,
            "connection_url_file": self.url_file if self.database is not None else None,
        }
        defaults |= PATIENT if self.is_patient else {}
        return options_of(defaults | self.settings)

    def remove(self):
        LIVE.remove(self)
        if self.daemon is not None:
            self.daemon.kill()
        self.folder.remove()

    def write_url(self, url):
        with open(os.open(self.url_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(url)

    @property
    def log(self):
        return self.daemon.log

    def line_of(self, reply):
        """The log's line about the request that reply answers. It is written after the answer."""
        request_id = reply.headers["X-Request-Id"]
        (line,) = eventually(lambda: self.log.requests(request_id), what=f"the line of {request_id}")
        return line

    def logs(self):
        """The logs that are shown for a failed test."""
        return f"--- cruddurd\n{self.log.tail(LOG_LINES)}" if self.daemon is not None else ""

    def peer(self, **more):
        """A FastCGI connection to the daemon, without nginx."""
        return Peer(self.address(), **more)

    def address(self):
        """The address of the listening socket."""
        listen = self.settings.get("listen") or f"unix:{self.socket}"
        if listen.startswith("unix:"):
            return listen[5:]
        host, _, port = listen[4:].rpartition(":")
        return host.strip("[]"), int(port)

    def is_listening(self):
        """Whether the daemon accepts connections, or has already ended."""
        try:
            self.peer().close()
        except OSError:
            return self.daemon.process.poll() is not None
        return True

    def wait_for_workers(self, count=2, other_than=()):
        """Waits until there are so many workers, none of them one of other_than. Returns their process ids."""

        def workers():
            pids = self.daemon.workers()
            return len(pids) == count and not set(pids) & set(other_than) and pids

        return eventually(workers, what=f"{count} workers")


class Service(Pool, Client):
    """A pool with nginx in front of it: service.get(…) and so on send requests to nginx."""

    def __init__(self, cluster, database=None, front_timeout=PATIENCE, **settings):
        """It has its own database, unless one is given. front_timeout: see Front."""
        super().__init__(database, **settings)
        self.cluster = cluster
        self.front_timeout = front_timeout if self.is_patient else None
        self.owns_database = database is None
        self.front = None

    def open(self):
        self.database = self.database or Database(self.cluster)
        self.front = Front(self.path, self.front_timeout)
        self.port = self.front.start()
        super().open()

    def remove(self):
        if self.front is not None:
            self.front.stop()
        super().remove()
        if self.owns_database and self.database is not None:
            self.database.remove()

    def ask_many(self, workers):
        """Sends so many reads and creates at once that each of the workers gets some."""
        askings = [Asking(ask) for ask in (self.home, self.create) * 2 * workers]
        for asking in askings:
            asking.reply()

    def wait_for_sessions(self, count):
        """Waits until so many workers have their read and write sessions. A worker makes them at its first read and its first create."""

        def are_there():
            self.ask_many(count)
            return all(len(self.database.backends(lane)) >= count for lane in ("reading", "writing"))

        eventually(are_there, what=f"the sessions of {count} workers")

    def logs(self):
        return super().logs() + f"--- nginx\n{self.front.error_log.tail(LOG_LINES)}" if self.front is not None else ""
