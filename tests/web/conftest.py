"""What the tests of the web client share: one quickstart, and one Chromium with two people at it."""

import pathlib
import signal
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "http"))

from browser import Browser  # noqa: E402
from running import Quickstart  # noqa: E402


def pytest_configure():
    """SIGTERM ends the tests as an interrupt does, so that the servers are stopped, too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def quickstart():
    quickstart = Quickstart()
    try:
        quickstart.start()
        yield quickstart
    finally:
        quickstart.remove()


@pytest.fixture(scope="session")
def browser(quickstart):
    browser = Browser(quickstart.port)
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture
def people(browser):
    """Two people, signed in, each in a window of its own: andrewbrown and bayko. At the end the pages must have violated no
    policy."""
    andrew, bayko = browser.people()
    andrew.sign_in("andrewbrown")
    bayko.sign_in("bayko")
    yield andrew, bayko
    assert andrew.complaints() + bayko.complaints() == []


@pytest.fixture
def andrew(people):
    return people[0]
