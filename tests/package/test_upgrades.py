"""Packages that are installed, and a password that is changed, while clients read and write: no request fails, and no write is lost or
there twice."""

import re
import time

import pytest

from deployed import inside
from issuer import bearer
from load import Load
from waiting import eventually

CONNECTIONS = 12
PAUSE = 0.06  # s, between two requests of an address: fewer than nginx/site.conf lets it send
MORE = 300  # answers
ASKED = 20  # times, until each of the workers has told its version


class Londo:
    """The author of the load's writes. Each connection is from an address of its own."""

    def __init__(self, service):
        self.service = service

    def connect(self):
        return self.service.connect(headers=bearer(self.service.token("londo")))


@pytest.fixture
def load(service):
    """What must be true of it is checked at its end."""
    with Load(Londo(service), connections=CONNECTIONS, pause=PAUSE) as load:
        load.wait_for_more(MORE)
        yield load
        load.wait_for_more(MORE)
    print(f"{load.requests} requests, {dict(load.statuses)}")
    assert load.failures == []
    load.audit(service.database).check()


def master():
    return inside("systemctl", "show", "--property=MainPID", "--value", "cruddurd.service").strip()


def versions(service):
    """Of the programs that answer, asked no faster than the site lets one address ask."""
    found = set()
    for _ in range(ASKED):
        time.sleep(PAUSE)
        found.add(service.version())
    return found


def install(service, folder, *options):
    """The package in the folder, which then serves, as the same process."""
    before = master()
    inside("sh", "-c", f'apt-get install --yes --quiet=2 "$@" {folder}/cruddur_*.deb', "sh", *options)
    version = inside("cruddurd", "--version").split()[1]
    eventually(lambda: versions(service) == {version}, what=f"version {version}")
    assert master() == before
    return version


def test_an_upgrade_and_the_way_back(service, load):
    upgraded = install(service, "/root/next")
    load.wait_for_more(MORE)
    assert install(service, "/root/deb", "--allow-downgrades") < upgraded


def test_another_password(service, load):
    """In the page's words: remove its file, db-roles, the new URL, a restart."""
    before = master()
    inside(
        "bash", "-euo", "pipefail", "-c",
        """cd /usr/share/cruddur
           rm /root/cruddur/cruddur
           CONNECTION_URL=$(cat /root/master-url) bin/db-roles --passwords /root/cruddur --generate
           sed -i "s#//cruddur:[^@]*@#//cruddur:$(cat /root/cruddur/cruddur)@#" /etc/cruddur/connection-url
           systemctl restart cruddurd""",
    )  # fmt: skip
    assert master() != before


def test_the_journal_has_no_complaint():
    """Of the sandbox, the socket or anything else besides statements that the tests provoke, and the keys, for which there is no issuer."""
    lines = inside("journalctl", "--unit=cruddurd", "--output=cat", "--no-pager").splitlines()
    complaints = [line for line in lines if re.search('"level":"(warning|error)"', line)]
    assert [line for line in complaints if not re.search('"event":"(keys|database)"', line)] == []
