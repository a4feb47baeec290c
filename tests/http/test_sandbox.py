"""A worker's sandbox: what an attacker who runs code in it still cannot do, and what the service goes on doing."""

import errno
import os
import pathlib
import platform
import resource
import shutil

import pytest

from inject import EXECVE, OPENAT, system_call
from waiting import eventually

AT_FDCWD = -100
F_SETOWN, SIOCSPGRP = 8, 0x8902

on_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="knows the registers of x86-64 only")


@pytest.fixture
def sandboxed(start):
    """core_dumps is set so that the test may look into the worker."""
    return lambda **settings: start(workers=1, core_dumps=1, **{"sandbox": "on", **settings})


def worker_of(service):
    service.home()
    (pid,) = service.wait_for_workers(1)
    return pid


def ended_for(service, call):
    """Waits until the log says that the first worker was ended for this call. Returns the messages."""
    text = f"was ended by its sandbox for the system call {call} "
    return eventually(lambda: [m for m in service.log.messages("supervisor") if text in m], what=text)


def test_the_service_works(sandboxed):
    service = sandboxed()
    assert service.create().status == 200
    assert len(service.home().json) == 2
    assert not service.log.messages("worker")


@on_x86
@pytest.mark.parametrize(
    "call, number, arguments",
    [
        ("execve", EXECVE, (None, 0, 0)),
        ("openat", OPENAT, (AT_FDCWD, None, os.O_WRONLY | os.O_CREAT, 0o600)),
        ("openat", OPENAT, (AT_FDCWD, None, os.O_RDWR)),
        ("mount", 165, (None, None, 0, 0)),
        ("unlink", 87, (None,)),
        ("setuid", 105, (0,)),
        ("fcntl", 72, (0, F_SETOWN, 1)),
        ("ioctl", 16, (0, SIOCSPGRP, None)),
        ("prlimit64", 302, (1, resource.RLIMIT_NOFILE, 0, 0)),
    ],
)
def test_a_call_that_it_does_not_need_ends_it(sandboxed, tmp_path, call, number, arguments):
    service = sandboxed()
    worker = worker_of(service)
    system_call(worker, number, str(tmp_path / "file"), *arguments)
    (message,) = ended_for(service, call)
    assert message.startswith(f"worker 1 (pid {worker}) ")
    service.wait_for_workers(1, other_than=[worker])
    assert service.create().status == 200
    assert not (tmp_path / "file").exists()


@on_x86
@pytest.mark.parametrize("command", [36, 37, 38])
def test_kerberos_may_lock_its_files(sandboxed, command):
    """F_OFD_GETLK, F_OFD_SETLK and F_OFD_SETLKW."""
    service = sandboxed()
    worker = worker_of(service)
    assert system_call(worker, 72, "no lock", 0, command, None) == -errno.EINVAL
    assert worker_of(service) == worker


def test_a_link_to_the_file_with_the_url(sandboxed, tmp_path):
    """It is read again for each new session."""
    service = sandboxed()
    link = pathlib.Path(service.url_file)
    file = pathlib.Path(shutil.move(link, tmp_path / "url"))
    link.symlink_to(file)
    service.daemon.reload()
    assert service.create().status == 200
    service.database.terminate_sessions()
    eventually(lambda: service.create().status == 200, what="a session")


@on_x86
def test_other_files_are_not_read(sandboxed, tmp_path):
    service = sandboxed()
    worker = worker_of(service)
    other = tmp_path / "file"
    other.write_text("secret")

    def opened(path):
        return system_call(worker, OPENAT, str(path), AT_FDCWD, None, os.O_RDONLY)

    assert opened(other) == -errno.EACCES
    assert opened("/etc/hosts") >= 0
    assert opened(service.url_file) >= 0
    assert service.create().status == 200
    assert worker_of(service) == worker


@on_x86
@pytest.mark.parametrize("word", ["system", ""])
def test_a_word_in_the_place_of_a_file_opens_no_folder(sandboxed, word):
    """As a path, PGSSLROOTCERT=system of libpq 16 would open the folder in which the service was started."""
    service = sandboxed(environment={"PGSSLROOTCERT": word})
    here = pathlib.Path(__file__)
    assert pathlib.Path.cwd() in here.parents
    assert system_call(worker_of(service), OPENAT, str(here), AT_FDCWD, None, os.O_RDONLY) == -errno.EACCES


@on_x86
def test_without_it_they_are(sandboxed, tmp_path):
    service = sandboxed(sandbox="off")
    other = tmp_path / "file"
    other.write_text("secret")
    assert system_call(worker_of(service), OPENAT, str(other), AT_FDCWD, None, os.O_RDONLY) >= 0
