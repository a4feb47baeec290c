"""The places of this checkout, the daemon under test and PostgreSQL's programs; and private folders for the tests."""

import glob
import os
import pathlib
import re
import shutil
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
SQL = TOP / "sql"
CRUDDURD = os.environ.get("CRUDDURD", str(TOP / "cruddurd"))
IS_ROOT = os.geteuid() == 0


def postgres_program(name):
    """The program of the folder that PGBIN names, or the newest installed one: on Debian they are not in PATH."""
    if os.environ.get("PGBIN"):
        return os.path.join(os.environ["PGBIN"], name)
    found = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
    if not found:
        return shutil.which(name) or name
    return max(found, key=lambda path: int(re.search(r"postgresql/(\d+)", path)[1]))


def nginx_program():
    return shutil.which("nginx") or "/usr/sbin/nginx"


def clean_environment(**more):
    """The environment of a server under test, without the tester's own settings."""
    kept = ("PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C.UTF-8"} | more


class Folder:
    """A new folder with a short path, as a unix socket's path may have 107 bytes. remove() deletes it.

    CHECK_FOLDER in the environment is its parent folder: bin/check chooses one in memory if there is room."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="cruddur-http.", dir=os.environ.get("CHECK_FOLDER", "/tmp")))
        self.path.chmod(0o755)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
