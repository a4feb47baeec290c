"""A server that is older than the schema needs is refused in a sentence, by --check, by the pool and by the scripts.

The server is the real one. A relay changes the version that it reports, which is all that a client knows of it.
"""

import re
import subprocess

import pytest

from cluster import APP_PASSWORD, OWNER_PASSWORD
from daemon import run_once
from places import SQL, TOP, Folder, clean_environment
from relay import BLOCK, Relay
from waiting import eventually

OLD = [13, 14]


class OldServer(Relay):
    """A relay that reports this version as the server's."""

    def __init__(self, folder, cluster, version):
        super().__init__(folder, cluster.sockets)
        ((real,),) = cluster.sql("show server_version")
        self.real = b"server_version\0" + real.encode()
        self.told = re.sub(rb"\0\d\d", b"\0%d" % version, self.real)
        assert len(self.told) == len(self.real) and self.told != self.real

    def forward(self, end):
        partner = self.partners[end]
        data = end.recv(BLOCK)
        if data and partner in self.partners:
            partner.sendall(data.replace(self.real, self.told))
            return
        for closed in (self.partners.pop(end, None), end):
            if closed is not None:
                self.partners.pop(closed, None)
                closed.close()


@pytest.fixture
def folder():
    folder = Folder()
    yield folder.path
    folder.remove()


@pytest.mark.parametrize("version", OLD)
def test_check(cluster, database, folder, version):
    with OldServer(folder, cluster, version):
        run = run_once("--check", "--sql-dir", SQL, environment={"CONNECTION_URL": database.url(hosts=[folder])})
    assert run.returncode == 1
    assert re.fullmatch(rf"cruddurd: this is PostgreSQL {version}\S*( .*)?: Cruddur needs 15 or later\n", run.stderr), run.stderr


def test_the_pool(cluster, database, folder, start_pool):
    with OldServer(folder, cluster, 14):
        pool = start_pool(database, workers=1)
        pool.write_url(database.url(hosts=[folder]))
        with pool.peer() as peer:
            eventually(lambda: peer.ask("GET", "/readyz").status == 503, what="a refusal")
        eventually(lambda: re.search(r"this is PostgreSQL 14\b.*: Cruddur needs 15 or later", pool.daemon.log.text), what="the sentence")


@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize("script", ["db-create", "db-schema-load", "db-migrate", "db-rollback", "db-seed", "db-setup", "db-purge"])
def test_scripts(cluster, database, folder, version, script):
    before = database.sql("select count(*) from pg_class")
    with OldServer(folder, cluster, version):
        url = cluster.url("cruddur_owner", OWNER_PASSWORD, database.name, hosts=[folder])
        run = subprocess.run(
            [TOP / "bin" / script],
            env=clean_environment(CONNECTION_URL=url), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
        )  # fmt: skip
    assert (run.returncode, run.stdout) == (1, "")
    assert re.fullmatch(rf"{script}: this is PostgreSQL {version}\S*( .*)?: Cruddur needs 15 or later\n", run.stderr), run.stderr
    assert database.sql("select count(*) from pg_class") == before


def test_the_version_that_is_there(cluster, database):
    """A supported version is accepted."""
    run = run_once("--check", "--sql-dir", SQL, environment={"CONNECTION_URL": database.url("cruddur", APP_PASSWORD)})
    assert (run.returncode, run.stderr) == (0, "")
