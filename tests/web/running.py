"""bin/quickstart in a folder of the tests' own: its page, its API and its database."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import urllib.request

from ports import free_port
from waiting import PATIENCE, eventually

TOP = pathlib.Path(__file__).resolve().parents[2]
POLL_SECONDS = 0.5
# More than any machine needs.
SETTINGS = {
    "CRUDDUR_STATEMENT_TIMEOUT": "50000",
    "CRUDDUR_DEADLINE": "60000",
    "CRUDDUR_STUCK_TIMEOUT": "600000",
    "CRUDDUR_REQUEST_TIMEOUT": "60000",
}


class Quickstart:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cruddur-web.", dir=os.environ.get("CHECK_FOLDER") or "/tmp"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.take_build()

    def take_build(self):
        """Copies the build that CHECK_BUILD names, if it is set, and its sources in ../src, so that quickstart's make finds nothing to
        do."""
        build = os.environ.get("CHECK_BUILD")
        if build:
            self.data.mkdir()
            for name, source in {"src": pathlib.Path(build).parent / "src", "build": build}.items():
                subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(self.data / name)], check=True)
            (self.data / ".cruddur-quickstart").touch()

    def run(self, *arguments, **environment):
        command = [TOP / "bin/quickstart", "--no-install", "--dir", self.data, "--port", self.port, *arguments]
        done = subprocess.run([str(word) for word in command], env=os.environ | SETTINGS | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout.decode()
        return done.stdout.decode()

    def start(self, **environment):
        """Starts it, and makes the page poll twice a second."""
        said = self.run("--detach", **environment)
        file = self.data / "nginx/web.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"poll_seconds": POLL_SECONDS}))
        return said

    def stop(self):
        self.run("--stop")

    def remove(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self):
        """The processes of the pool."""
        supervisor = int((self.data / "pids/cruddurd").read_text())
        children = pathlib.Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        return [supervisor, *map(int, children)]

    def freeze(self):
        """Stops the pool's processes, so that connections get no answer."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in reversed(self.pids()):
            os.kill(pid, signal.SIGCONT)

    def end_pool(self):
        """Ends the pool alone; nginx then answers 503."""
        supervisor = self.pids()[0]
        os.kill(supervisor, signal.SIGTERM)
        eventually(lambda: not pathlib.Path(f"/proc/{supervisor}").exists(), what="the end of the pool")

    def sql(self, statement):
        command = ["psql", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-qAt", "-h", str(self.data / "run/db"), "-U", "cruddur_owner", "cruddur", "-c", statement]
        environment = os.environ | {"PGPASSFILE": str(self.data / "secrets/pgpass")}
        return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout.decode().strip()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return json.load(answer)

    def token(self, handle):
        command = [str(TOP / "bin/dev-token"), "--dir", str(self.data), handle]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode().strip()

    def ask(self, method, path, handle=None, body=None):
        """Sends a request to the API as a user, without the page."""
        headers = {"Content-Type": "application/json"}
        if handle:
            headers["Authorization"] = f"Bearer {self.token(handle)}"
        request = urllib.request.Request(self.url + path, method=method, headers=headers, data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def posts(self, message):
        """How many posts have exactly this message, expired ones too."""
        quoted = message.replace("'", "''")
        return int(self.sql(f"select count(*) from activities where message = '{quoted}' and deleted_at is null"))
