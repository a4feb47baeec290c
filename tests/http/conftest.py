"""What the tests share: one PostgreSQL server, and services in front of databases of their own."""

import contextlib
import signal

import pytest

import service as services
from cluster import Cluster, Database


def pytest_configure():
    """When the tests are ended by a signal, the servers are ended, too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def cluster():
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def service(cluster):
    """One service for all tests of a file that leave it unchanged."""
    with services.Service(cluster) as service:
        yield service


@pytest.fixture
def start(cluster):
    """start(workers=4, …): a service of the test's own; each setting is cruddurd's option of that name."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(services.Service(cluster, **settings))


@pytest.fixture
def database(cluster):
    database = Database(cluster)
    yield database
    database.remove()


@pytest.fixture
def start_pool():
    """start_pool(database, …): cruddurd without nginx before it."""
    with contextlib.ExitStack() as stack:
        yield lambda database=None, **settings: stack.enter_context(services.Pool(database, **settings))


@pytest.fixture
def report(capsys, request):
    """Prints a figure, whether or not the test fails."""

    def tell(text):
        with capsys.disabled():
            print(f"\n{request.node.name}: {text}")

    return tell


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for live in services.LIVE:
            report.sections.append((f"logs in {live.path}", live.logs()))
