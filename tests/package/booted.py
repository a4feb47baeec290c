"""Tests that run within the machine that boot.bats boots, in this order. Before the boot the service was set up and has run, and the
machine was powered off. Waits may be long: the processor is emulated."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from deployed import OWN, PLACE, TlsConnection, complaints, inside, loaded, master, property_of
from waiting import eventually

SERVICE, SOCKET = "cruddurd.service", "cruddurd.socket"
EXPOSURE_MAX = 15  # tenths
WORKERS = 2
RELOADS = 2
CONNECTIONS, PAUSE, MORE = 4, 0.4, 20  # of a load; PAUSE in s between two requests of a connection, MORE in answers
LOOK = 0.5  # s, between two polls of a condition
LINES = 60  # of the journal


@pytest.fixture(autouse=True)
def journal():
    """Prints the test's lines of the journal, which pytest shows if the test has failed."""
    cursor = inside("journalctl", "--lines=0", "--show-cursor").partition("cursor: ")[2].strip()
    yield
    lines = inside("journalctl", "--after-cursor", cursor, "--no-pager", "--output=short-monotonic").splitlines()
    print("\n".join([line for line in lines if '"event":"request"' not in line][-LINES:]))


def in_time(condition, what):
    """Waits as eventually does, with pauses that leave the processor to the service."""

    def later():
        time.sleep(LOOK)
        return condition()

    return eventually(later, what=what)


def workers():
    found = subprocess.run(["pgrep", "--exact", "cruddur-worker"], stdout=subprocess.PIPE, encoding="ascii").stdout
    return {int(pid) for pid in found.split()}


def status_of(pid):
    """/proc/PID/status, as a dictionary."""
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())


def answers():
    """Whether the service answers over TLS, through nginx."""
    with TlsConnection(OWN) as connection:
        return connection.ask("GET", "/readyz").status == 200


def restarted(before):
    """Waits until another process serves, with all its workers; systemd counted one restart more."""
    restarts, pid = before
    in_time(lambda: property_of(SERVICE, "SubState") == "running" and master() != pid, what="another process")
    in_time(answers, what="an answer")
    in_time(lambda: len(workers()) == WORKERS, what="all workers")
    assert int(property_of(SERVICE, "NRestarts")) == restarts + 1


def served():
    return int(property_of(SERVICE, "NRestarts")), master()


# --- before anything is asked of the service ---


def test_kernel():
    assert os.uname().release.endswith("-cloud-amd64")
    assert pathlib.Path("/proc/1/comm").read_text() == "systemd\n"
    assert inside("systemd-detect-virt").strip() == "qemu"


def test_boot():
    state = subprocess.run(["systemctl", "is-system-running", "--wait"], stdout=subprocess.PIPE, encoding="ascii").stdout.strip()
    assert inside("systemctl", "--failed", "--no-legend", "--plain") == ""
    assert state == "running"
    for unit in SERVICE, SOCKET, "cruddur-backup.timer", "cruddur-purge.timer":
        assert property_of(unit, "ActiveState") == "active", unit


def test_socket():
    path = pathlib.Path("/run/cruddur/cruddur.sock")
    assert property_of(SOCKET, "Listen") == f"{path} (Stream)"
    assert path.is_socket()
    assert (path.owner(), path.group(), oct(path.stat().st_mode & 0o777)) == ("cruddur", "www-data", "0o660")
    assert (path.parent.owner(), oct(path.parent.stat().st_mode & 0o777)) == ("root", "0o755")


def test_start():
    """The tests before must make no connection: the service would pass it on to its successor, by the socket."""
    inside("systemctl", "stop", SERVICE)
    assert property_of(SERVICE, "ActiveState") == "inactive"
    assert property_of(SOCKET, "SubState") == "listening"
    assert answers()
    assert (property_of(SERVICE, "Type"), property_of(SERVICE, "ActiveState")) == ("notify", "active")
    assert len(workers()) == WORKERS
    assert {status_of(pid)["Uid"].split()[0] for pid in workers() | {master()}} == {inside("id", "-u", "cruddur").strip()}


def test_credentials():
    file = pathlib.Path("/run/credentials") / SERVICE / "connection-url"
    environment = pathlib.Path(f"/proc/{master()}/environ").read_bytes().split(b"\0")
    assert f"CONNECTION_URL_FILE={file}".encode() in environment
    assert file.read_bytes() == pathlib.Path("/etc/cruddur/connection-url").read_bytes()
    assert inside("stat", "--file-system", "--format=%T", file).strip() in ("ramfs", "tmpfs")
    as_nginx = ["setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups", "cat", file]
    assert b"Permission denied" in subprocess.run(as_nginx, stderr=subprocess.PIPE).stderr


def test_post(service):
    post = service.create_as("andrewbrown", message="from a machine of its own")
    home = service.ask_as("andrewbrown", "GET", "/api/activities/home")
    assert home.status == 200
    assert ("from a machine of its own", post["uuid"]) in [(found["message"], found["uuid"]) for found in home.json]


def test_sandbox():
    """The setting is "on": a worker does not start unless all of its sandbox is in force."""
    assert "landlock" in pathlib.Path("/sys/kernel/security/lsm").read_text().split(",")
    assert "CRUDDUR_SANDBOX=on" in pathlib.Path("/etc/cruddur/cruddur.conf").read_text().splitlines()
    unit = status_of(master())
    assert unit["Seccomp"] == "2"
    for pid in workers():
        worker = status_of(pid)
        assert (worker["Seccomp"], worker["NoNewPrivs"], worker["CapEff"]) == ("2", "1", "0" * 16)
        assert int(worker["Seccomp_filters"]) == int(unit["Seccomp_filters"]) + 1


def test_exposure():
    print(inside("systemd-analyze", "security", "--no-pager", f"--threshold={EXPOSURE_MAX}", SERVICE))


def test_killed_worker():
    before, pid = workers(), master()
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    in_time(lambda: len(workers()) == WORKERS and killed not in workers(), what="another worker")
    assert (len(workers() & before), master()) == (WORKERS - 1, pid)
    assert answers()


def test_killed_master():
    before = served()
    os.kill(before[1], signal.SIGKILL)
    restarted(before)


def test_watchdog():
    before = served()
    os.kill(before[1], signal.SIGSTOP)
    restarted(before)
    assert "Failed with result 'watchdog'" in inside("journalctl", "--boot", "--unit", SERVICE, "--output=cat", "--no-pager")


def test_reload(service):
    pid = master()
    with loaded(service, CONNECTIONS, PAUSE, MORE) as load:
        for _ in range(RELOADS):
            before = workers()
            inside("systemctl", "reload", SERVICE)
            in_time(lambda: len(workers()) == WORKERS and not workers() & before, what="other workers")
            load.wait_for_more(MORE)
    assert master() == pid


def test_stop():
    """Stopped as doc/production.md says, so that no request starts the service again."""
    inside("systemctl", "stop", SOCKET, SERVICE)
    assert not answers()
    assert (property_of(SOCKET, "ActiveState"), property_of(SERVICE, "ActiveState")) == ("inactive", "inactive")
    inside("systemctl", "start", SOCKET, SERVICE)
    in_time(answers, what="an answer")


# --- timers ---


def fire(name):
    """Lets the timer elapse in a moment, and waits until its service has done its work."""
    timer, unit = f"{name}.timer", f"{name}.service"
    folder = pathlib.Path(f"/run/systemd/system/{timer}.d")
    folder.mkdir(parents=True)
    (folder / "soon.conf").write_text("[Timer]\nOnActiveSec=2s\nRandomizedDelaySec=0\nAccuracySec=100ms\n")
    elapsed, invocation = property_of(timer, "LastTriggerUSec"), property_of(unit, "InvocationID")
    inside("systemctl", "daemon-reload")
    inside("systemctl", "restart", timer)
    in_time(lambda: property_of(timer, "LastTriggerUSec") != elapsed, what=f"{timer} elapsed")
    in_time(lambda: property_of(unit, "InvocationID") != invocation, what=f"{unit} started")
    in_time(lambda: property_of(unit, "ActiveState") in ("inactive", "failed"), what=f"{unit} ended")
    (folder / "soon.conf").unlink()  # else the timer elapses once more at the next daemon-reload
    assert (property_of(unit, "Result"), property_of(unit, "ExecMainStatus")) == ("success", "0")


def test_purge_timer(service):
    """The service does not purge: see boot.bats."""
    (row,) = service.database.sql(
        "insert into activities (user_uuid, message, created_at, expires_at)"
        " select uuid, 'of yesterday', now() - interval '2 days', now() - interval '1 day' from users where handle = 'londo' returning uuid"
    )
    fire("cruddur-purge")
    assert service.database.sql("select from activities where uuid = %s", *row) == []


def test_backup_timer():
    folder = PLACE / "var/lib/private/cruddur-backups"
    old = folder / "old.dump"
    inside("touch", "--date=15 days ago", str(old))
    before = set(folder.iterdir())
    fire("cruddur-backup")
    assert not old.exists()
    made = set(folder.iterdir()) - before
    checksums = [path.name for path in made if path.suffix == ".sha256"]
    assert checksums, made
    inside("env", f"--chdir={folder}", "sha256sum", "--check", *checksums)


def test_journal():
    (complaint,) = complaints()
    assert "was killed by signal 9" in complaint
