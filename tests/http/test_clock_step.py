"""If the clock of PostgreSQL's host is set, nothing that has expired by the new time is shown, and writes succeed."""

import glob

import pytest

from cluster import Cluster
from service import Service
from waiting import eventually

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)


class SetCluster(Cluster):
    """A cluster whose clock is this machine's plus the seconds in a file, which its processes read each time they read the clock."""

    def start(self):
        self.offset = self.folder.path / "offset"
        self.set(0)
        self.environment = {
            "LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": str(self.offset), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1",
        }  # fmt: skip
        super().start()
        self.environment = {}

    def set(self, seconds):
        new = self.offset.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.chmod(0o644)
        new.rename(self.offset)


@pytest.fixture
def cluster():
    with SetCluster() as cluster:
        yield cluster


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is missing")
@pytest.mark.parametrize("step", [7200, -7200])
def test_the_clock_is_set(cluster, step):
    with Service(cluster, workers=1) as service:
        row = service.create("gone in an hour", ttl="1-hour").json
        shown = lambda: row["uuid"] in [activity["uuid"] for activity in service.home().json]  # noqa: E731
        assert eventually(lambda: shown() and shown())
        cluster.set(step)
        if step > 0:
            eventually(lambda: not shown(), what="an end by the new clock")
            assert service.get(f"/api/activities/{row['uuid']}").status == 404
        for number in range(3):
            assert service.create(f"after the step {number}").status == 200
        messages = service.database.messages()
        assert [messages[f"after the step {number}"] for number in range(3)] == [1, 1, 1]
        assert service.home().status == 200
