"""A package is installed, or a password is changed, while clients read and write: no request fails, and no write is lost or occurs
twice."""

import time

import pytest

from deployed import PAUSE, complaints, inside, loaded, master
from waiting import eventually

CONNECTIONS = 12
MORE = 300  # answers
ASKED = 20  # times, so that each of the workers has answered with its version


@pytest.fixture
def load(service):
    with loaded(service, CONNECTIONS, PAUSE, MORE) as load:
        yield load


def versions(service):
    """The versions of the programs that answer. The requests are no faster than the site allows for one address."""
    found = set()
    for _ in range(ASKED):
        time.sleep(PAUSE)
        found.add(service.version())
    return found


def install(service, folder, *options):
    """Installs the package in the folder. Its program then serves, in the same process."""
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
    """As the page says: remove the password's file, run db-roles, write the new URL, restart."""
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
    """It has none about the sandbox, the socket or anything else."""
    assert complaints() == []
