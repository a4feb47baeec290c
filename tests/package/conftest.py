"""The tests here use a service that runs already. They import modules of tests/http, which PYTHONPATH names."""

import pytest

from deployed import DeployedService


@pytest.fixture(scope="session")
def service():
    with DeployedService() as service:
        yield service
