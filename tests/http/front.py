"""nginx as bin/quickstart configures it, in front of a cruddurd under test."""

import contextlib
import getpass
import re
import socket
import subprocess

from client import Client
from log import Log
from places import IS_ROOT, TOP, Folder, clean_environment, nginx_program
from ports import free_port
from waiting import PATIENCE, eventually

ATTEMPTS = 5
TIMEOUT = re.compile(r"(?<!lingering)(_timeout) \d+s;")


class Front:
    """Lives in folder/nginx and expects the pool's socket at folder/run/web/cruddurd.sock."""

    def __init__(self, folder, timeout=PATIENCE):
        """timeout: the seconds of every time-out; no machine is too slow for PATIENCE. None: the shipped ones."""
        self.prefix = folder / "nginx"
        self.error_log = Log(self.prefix / "log/nginx-error.log")
        self.access_log = Log(self.prefix / "log/nginx-access.log")
        for name in ("tmp", "log"):
            (self.prefix / name).mkdir(parents=True)
        for name in ("cruddur.conf", "docs.conf", "events.conf", "metrics.conf", "web.conf"):
            text = (TOP / "nginx" / name).read_text()
            (self.prefix / name).write_text(TIMEOUT.sub(rf"\1 {timeout}s;", text) if timeout else text)
        self.process = None

    def start(self):
        """Starts nginx on a free port of the loopback interface, and returns the port."""
        for _ in range(ATTEMPTS):  # another process may take the port first
            port = free_port()
            (self.prefix / "nginx.conf").write_text(self.configuration(port))
            with (self.prefix / "log/start.log").open("ab") as log:
                self.process = subprocess.Popen(self.command(), cwd=self.prefix, env=clean_environment(), stderr=log)
            eventually(lambda: self.process.poll() is not None or self.answers(port), what="nginx")
            if self.process.poll() is None:
                return port
        raise AssertionError((self.prefix / "log/start.log").read_text())

    def configuration(self, port):
        return (TOP / "nginx/quickstart.conf.in").read_text().replace("@PORT@", str(port)).replace("@HOST@", "")

    def command(self):
        # Under root nginx's workers would run as a user that may not connect to the pool's socket.
        user = ["-g", f"user {getpass.getuser()};"] if IS_ROOT else []
        return [nginx_program(), "-p", f"{self.prefix}/", "-c", "nginx.conf", "-e", "stderr", *user]

    def answers(self, port):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


@contextlib.contextmanager
def lone_front(front_class):
    """nginx with no pool behind it."""
    folder = Folder()
    front = front_class(folder.path)
    try:
        yield Client(front.start())
    finally:
        front.stop()
        folder.remove()
