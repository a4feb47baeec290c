"""One round of the campaign of faults (campaign.py)."""

import pytest

import campaign
from service import Service


@pytest.fixture(scope="module")
def tallies(cluster):
    with Service(cluster, workers=campaign.WORKERS) as service:
        yield campaign.run(service, rounds=1)


@pytest.mark.parametrize("fault", [fault.__name__ for fault in campaign.FAULTS])
def test_nothing_is_lost_or_doubled(tallies, fault):
    tallies[fault].check()
