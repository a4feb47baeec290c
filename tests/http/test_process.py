"""The processes: their rights, their environment, what they leave behind, and what happens when the log cannot grow."""

import contextlib
import http.client
import os
import pathlib
import resource
import signal
import socket
import subprocess

import pytest

from daemon import Daemon, is_alive, sockets_of
from fcgi import Peer
from installed import REFUSED, install, install_script
from issuer import CLIENT
from places import CRUDDURD, IS_ROOT, SQL, Folder
from ports import free_port
from waiting import eventually

SECRET = "not-for-the-fetcher"


def status_of(pid):
    """/proc/PID/status as a dictionary."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


def environment_of(pid):
    """The environment as the kernel shows it; empty for a process that has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    return b""


def core_limit(pid):
    return resource.prlimit(pid, resource.RLIMIT_CORE)


def family(pool):
    """All processes of the pool, the master first."""
    return [pool.daemon.pid, *(process.pid for process in pool.daemon.children())]


def is_dumpable(pid):
    """Whether another process of the same user may look into it (ptrace(2), access mode)."""
    look = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", f"/proc/{pid}/environ"],
                          capture_output=True)  # fmt: skip
    return look.returncode == 0


@pytest.fixture
def privileges(database, start_pool):
    """Starts a pool as another user than root, as in production."""
    return lambda **settings: start_pool(database, launcher=as_nobody, **settings)


def as_nobody(pool):
    """The command that runs the program as a user without rights, who owns the files that it needs."""
    os.chown(pool.url_file, 65534, 65534)
    os.chown(pool.path / "run/web", 65534, 65534)
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CRUDDURD]


needs_root = pytest.mark.skipif(not IS_ROOT, reason="becomes another user")


def test_no_process_wins_rights_or_leaves_a_core(start_pool, database):
    pool = start_pool(database, launcher=lambda _: ["prlimit", "--core=unlimited", CRUDDURD])
    pool.wait_for_workers()
    eventually(pool.daemon.watchers, what="a watcher")
    for pid in family(pool):
        assert status_of(pid)["NoNewPrivs"] == "1"
        assert core_limit(pid) == (0, 0)


def test_a_core_may_be_asked_for(start_pool):
    sanitizer = {"ASAN_OPTIONS": "disable_coredump=0"}  # the sanitizer sets this limit, too
    pool = start_pool(workers=1, core_dumps=1, environment=sanitizer, launcher=lambda _: ["prlimit", "--core=1000000", CRUDDURD])
    assert {core_limit(pid)[0] for pid in family(pool)} == {1000000}


@needs_root
@pytest.mark.parametrize("core_dumps, is_open", [(None, False), (1, True)])
def test_no_process_of_the_same_user_looks_into_it(privileges, core_dumps, is_open):
    pool = privileges(workers=1, core_dumps=core_dumps)
    pool.wait_for_workers(1)
    assert {is_dumpable(pid) for pid in family(pool)} == {is_open}


@pytest.mark.parametrize("name", ["CONNECTION_URL", "PGPASSWORD"])
def test_secrets_are_out_of_sight(start_pool, database, name):
    """No environment shows the secrets; a worker that starts later and a reload still have them."""
    url, password = database.url(), database.url().split(":")[2].split("@")[0]
    values = {"CONNECTION_URL": url} if name == "CONNECTION_URL" else {
        "CONNECTION_URL": url.replace(f":{password}@", "@"), "PGPASSWORD": password}  # fmt: skip
    pool = start_pool(environment=values, workers=1)
    for _ in range(2):
        eventually(lambda: pool_answers(pool), what="an answer from the database")
        for pid in family(pool):
            assert password.encode() not in environment_of(pid)
        pool.daemon.reload()


def pool_answers(pool):
    with pool.peer() as peer:
        return peer.ask("GET", "/readyz").status == 200


def test_the_fetcher_gets_no_secret(start_pool, database, tmp_path):
    """The fetcher parses what the network sends. It gets only the variables that it needs."""
    pool = start_pool(
        workers=1, environment={"CONNECTION_URL": database.url(), "AWS_SECRET_ACCESS_KEY": SECRET, "TZ": "UTC"},
        issuer="https://127.0.0.1:1", jwks_url="https://127.0.0.1:1/keys", jwks_file=tmp_path / "keys", cognito_client=CLIENT,
        fetcher=f"{CRUDDURD.rpartition('/')[0]}/cruddur-fetch-keys",
    )  # fmt: skip

    def environment():
        """Empty between the master's fork and the end of the fetcher's exec, in which the kernel sets the new environment last."""
        found = [process.pid for process in pool.daemon.children() if process.name.startswith("cruddur-fetch")]
        if not found or not os.readlink(f"/proc/{found[0]}/exe").endswith("/cruddur-fetch-keys"):
            return b""
        return pathlib.Path(f"/proc/{found[0]}/environ").read_bytes()

    variables = eventually(environment, what="the fetcher's environment").split(b"\0")
    assert {variable.partition(b"=")[0] for variable in variables} <= {b"", b"PATH", b"HOME", b"TZ", b"LC_ALL", b"ASAN_OPTIONS",
                                                                       b"UBSAN_OPTIONS", b"LSAN_OPTIONS"}  # fmt: skip
    assert b"TZ=UTC" in variables


def test_the_watcher_has_no_listening_socket(start_pool, database):
    pool = start_pool(database, workers=1)
    (worker,) = pool.wait_for_workers(1)
    (watcher,) = eventually(pool.daemon.watchers, what="a watcher")
    listening = sockets_of(pool.daemon.pid) & sockets_of(worker)
    assert listening
    eventually(lambda: not sockets_of(watcher) & listening, what="a watcher without the pool's sockets")


@needs_root
def test_root_is_warned(start_pool, privileges):
    start_pool(workers=1).daemon.wait_for_message("runs as root")
    other = privileges(workers=1)
    other.daemon.wait_for_message("runs with 1 workers")
    assert "runs as root" not in other.log.text


# --- the socket ---


def test_another_server_s_socket_stays(start_pool):
    """An older server that ends does not remove the socket file of a newer server at the same path."""
    old = start_pool(workers=1)
    os.unlink(old.socket)
    new = start_pool(workers=1, listen=f"unix:{old.socket}")
    old.daemon.stop()
    with new.peer() as peer:
        assert peer.ask().status == 200
    new.daemon.stop()
    assert not os.path.exists(old.socket)


def listening(address, family=socket.AF_INET):
    server = socket.socket(family)
    server.bind((address, 0))
    server.listen()
    return server


REFUSAL = "--identity handle listens on loopback or a unix socket only"
FAMILIES = {"0.0.0.0": socket.AF_INET, "127.0.0.1": socket.AF_INET, "127.9.9.9": socket.AF_INET, "::": socket.AF_INET6,
            "::1": socket.AF_INET6, "::ffff:127.0.0.1": socket.AF_INET6}  # fmt: skip
LAUNCHERS = {
    "standard input": ["bash", "-c", 'exec "$@" <&$FD', "bash"],
    "systemd": ["bash", "-c", 'exec 3<&$FD; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"', "bash"],
}


@contextlib.contextmanager
def started(command, **more):
    """cruddurd, started by the command; it may end at once."""
    folder = Folder()
    daemon = Daemon(folder.path, command, **more)
    try:
        yield daemon
    finally:
        daemon.kill()
        folder.remove()


ARGUMENTS = ["--identity", "handle", "--workers", "1", "--sql-dir", str(SQL)]


@pytest.mark.parametrize("way", LAUNCHERS)
@pytest.mark.parametrize("address", FAMILIES)
def test_handle_mode_by_a_socket_that_is_handed_over(address, way):
    """The address of the inherited socket counts, whichever program opened it. The test looks at the start only."""
    with listening(address, FAMILIES[address]) as server:
        command = [*LAUNCHERS[way], CRUDDURD, *ARGUMENTS]
        with started(command, pass_fds=(server.fileno(),), environment={"FD": str(server.fileno())}) as daemon:
            if address in ("0.0.0.0", "::"):
                assert daemon.wait() == 1
                assert REFUSAL in daemon.log.text
            else:
                daemon.wait_for_message("runs with 1 workers")
                daemon.stop()


@needs_root
@pytest.mark.parametrize("address, is_served", [("0.0.0.0", False), ("127.3.3.3", True)])
def test_handle_mode_by_a_name(tmp_path, address, is_served):
    """The address that the name stands for counts, not the name. /etc/hosts in a mount namespace of its own defines the
    address."""
    (tmp_path / "hosts").write_text(f"{address} 127.x.example\n")
    inside = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', tmp_path / "hosts"]
    with started([*inside, CRUDDURD, *ARGUMENTS, "--listen", f"tcp:127.x.example:{free_port()}"]) as daemon:
        if is_served:
            daemon.wait_for_message("runs with 1 workers")
            daemon.stop()
        else:
            assert daemon.wait() == 1
            assert REFUSAL in daemon.log.text


@contextlib.contextmanager
def reachable(folder, way):
    """A program in token mode, which listens on all addresses. Gives the daemon, its port and its settings file."""
    program, settings = folder / "cruddurd", folder / "settings"
    install(program)
    settings.write_text("CRUDDUR_IDENTITY=token\n")
    settings.chmod(0o600)
    command = [program, "--settings-file", settings, "--workers", "1", "--sql-dir", SQL]
    with contextlib.ExitStack() as stack:
        if way == "its own":
            port = free_port()
            daemon = stack.enter_context(started([*command, "--listen", f"tcp:0.0.0.0:{port}"]))
        else:
            server = stack.enter_context(listening("0.0.0.0"))
            port, fd = server.getsockname()[1], server.fileno()
            daemon = stack.enter_context(started([*LAUNCHERS[way], *command], pass_fds=(fd,), environment={"FD": str(fd)}))
        daemon.wait_for_message("runs with 1 workers")
        yield daemon, port, settings


@pytest.mark.parametrize("way", ["its own", *LAUNCHERS])
@pytest.mark.parametrize("is_upgrade", [False, True])
def test_handle_mode_is_not_switched_on_beyond_loopback(tmp_path, is_upgrade, way):
    """A reload with such settings is refused, of another program too; the old settings stay, for later workers too."""
    with reachable(tmp_path, way) as (daemon, port, settings):
        workers = eventually(daemon.workers, what="a worker")
        settings.write_text("CRUDDUR_IDENTITY=handle\n")
        if is_upgrade:
            install(tmp_path / "cruddurd")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_message(REFUSED if is_upgrade else "the old ones stay in force")
        assert REFUSAL in daemon.log.text
        assert daemon.workers() == workers
        os.kill(workers[0], signal.SIGKILL)
        eventually(lambda: daemon.workers() not in ([], workers), what="another worker")
        with Peer(("127.0.0.1", port)) as peer:
            assert peer.ask("POST", "/api/activities", b'{"message":"x","ttl":"1-day","user_handle":"andrewbrown"}').status == 401
        daemon.stop()


def test_a_program_that_took_over_does_not_serve_handle_mode_beyond_loopback(tmp_path):
    """The trial cannot look at the socket if the running program does not pass it on. Then the new program ends."""
    with reachable(tmp_path, "systemd") as (daemon, _, settings):
        settings.write_text("CRUDDUR_IDENTITY=handle\n")
        install_script(
            tmp_path / "cruddurd",
            '#!/bin/sh\n[ -z "${_CRUDDURD_TRIAL:-}" ] || export _CRUDDURD_TRIAL="$(echo "$_CRUDDURD_TRIAL" | cut -d " " -f 1,2)"\n'
            f'exec {CRUDDURD} "$@"\n',
        )
        daemon.signal(signal.SIGHUP)
        assert daemon.wait() == 1
        assert REFUSAL in daemon.log.text
        daemon.check_clean()


# --- a log that is full ---


def ask_until(pool, condition):
    def ask():
        with contextlib.suppress(OSError, http.client.HTTPException), pool.peer() as peer:
            for _ in range(50):
                assert peer.ask().status == 200
        return condition()

    eventually(ask, what="a full log")


def test_a_log_that_may_not_grow_ends_no_process(start_pool):
    """By default SIGXFSZ would end the process."""
    limit = 30000
    pool = start_pool(workers=1, launcher=lambda _: ["prlimit", f"--fsize={limit}", CRUDDURD])
    before = pool.wait_for_workers(1)
    ask_until(pool, lambda: pool.log.path.stat().st_size > limit - 300)
    for _ in range(5):
        with pool.peer() as peer:
            assert peer.ask().status == 200
    assert pool.daemon.workers() == before
    assert is_alive(pool.daemon.pid)
    assert all(entry["event"] for entry in pool.log.entries())


@needs_root
@pytest.mark.parametrize("way", [">>", ">"])
def test_a_disk_that_was_full_leaves_no_torn_line(start_pool, tmp_path, way):
    """Every line of the log is whole, before and after; the log says how many lines were lost."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=True)
    try:
        filler, log = tmp_path / "filler", tmp_path / "log"
        filler.write_bytes(bytes(32768))
        pool = start_pool(workers=1, launcher=lambda _: ["sh", "-c", f'exec "$0" "$@" 2{way}{log}', CRUDDURD])
        pool.daemon.log.path = log
        sizes = [0]
        ask_until(pool, lambda: sizes.append(log.stat().st_size) or sizes[-1] == sizes[-2])  # there is no room for a line
        filler.unlink()
        with pool.peer() as peer:
            assert peer.ask().status == 200
        assert eventually(lambda: [entry for entry in pool.log.entries() if entry.get("dropped")], what="lines after it")
        pool.daemon.stop()
        assert pool.log.entries()
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)
