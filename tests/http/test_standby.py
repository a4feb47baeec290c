"""What the tests themselves leave behind."""

import subprocess

import psycopg2
import pytest

from cluster import Standby


def test_a_standby_that_cannot_be_made_leaves_nothing(cluster, monkeypatch):
    """The primary is away, so that it cannot be copied."""
    made = []
    own = Standby.own
    monkeypatch.setattr(Standby, "own", lambda standby, path=None: (made.append(standby), own(standby, path))[1])
    with cluster.away():
        with pytest.raises((subprocess.CalledProcessError, psycopg2.OperationalError)):
            Standby(cluster)
    assert [standby.folder.path.exists() for standby in made] == [False]
