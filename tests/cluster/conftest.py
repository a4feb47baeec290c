"""One cluster for all tests. Each test leaves it whole."""

import os
import pathlib
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "http"))

from lab import Lab, is_possible, libfaketime  # noqa: E402


def pytest_configure():
    """When the tests are ended by a signal, the cluster is ended, too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def lab():
    """CHECK_BUILD names a folder with root, where the service is installed."""
    reason = is_possible()
    if reason:
        pytest.fail(reason)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cruddur-ha.", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "root").symlink_to(pathlib.Path(os.environ["CHECK_BUILD"]) / "root")
    lab = Lab(folder, {"clocks": libfaketime()})
    try:
        lab.up()
        yield lab
    finally:
        lab.down()
        shutil.rmtree(folder)
