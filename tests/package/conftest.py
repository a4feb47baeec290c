"""The tests here ask a service that is there already; PYTHONPATH has tests/http, of which they are a part."""

import pytest

from deployed import DeployedService


@pytest.fixture(scope="session")
def service():
    with DeployedService() as service:
        yield service
