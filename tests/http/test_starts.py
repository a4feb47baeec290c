"""The ways to start cruddurd, and the wrong settings that it refuses to start with."""

import contextlib
import grp
import os
import re
import shutil
import socket
import stat

import pytest

import service as services
from cluster import Database
from daemon import run_once
from places import CRUDDURD, IS_ROOT, SQL, TOP, Folder
from ports import free_port
from waiting import PATIENCE, Stopwatch, eventually

VERSION = re.compile(r"cruddurd \d+\.\d+\.\d+\n")
WATCHDOG = 0.2  # s
PATIENT = {f"CRUDDUR_{name.upper()}": str(value) for name, value in services.PATIENT.items()}
IMPATIENT = {"CRUDDUR_STATEMENT_TIMEOUT": "100", "CRUDDUR_DEADLINE": "200"}


@pytest.fixture(scope="module")
def shared_database(cluster):
    """A database for tests that leave its schema unchanged."""
    database = Database(cluster)
    yield database
    database.remove()


@pytest.fixture
def folder():
    folder = Folder()
    yield folder.path
    folder.remove()


# --- sockets ---


def test_the_usual_unix_socket(start_pool, shared_database):
    pool = start_pool(shared_database)
    about = pool.socket.stat()
    assert stat.S_ISSOCK(about.st_mode)
    assert stat.S_IMODE(about.st_mode) == 0o660
    with pool.peer() as peer:
        assert peer.ask("GET", "/readyz").status == 200


@pytest.mark.parametrize("mode", ["0600", "0666", "0640"])
def test_the_mode_of_a_unix_socket(start_pool, mode):
    pool = start_pool(listen_mode=mode)
    assert stat.S_IMODE(pool.socket.stat().st_mode) == int(mode, 8)


def test_the_group_of_a_unix_socket(start_pool):
    groups = [group.gr_gid for group in grp.getgrall()] if IS_ROOT else os.getgroups()
    group = max(groups)
    pool = start_pool(listen_group=grp.getgrgid(group).gr_name)
    assert pool.socket.stat().st_gid == group


def test_a_tcp_socket(start_pool, shared_database):
    pool = start_pool(shared_database, listen=f"tcp:127.0.0.1:{free_port()}")
    with pool.peer() as peer:
        assert peer.ask("GET", "/readyz").status == 200


def test_an_ipv6_socket(start_pool):
    pool = start_pool(listen=f"tcp:[::1]:{free_port()}")
    with pool.peer() as peer:
        assert peer.ask().status == 200


def test_a_dead_socket_file_is_replaced(start_pool, folder):
    path = folder / "socket"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(path))
    pool = start_pool(listen=f"unix:{path}")
    with pool.peer() as peer:
        assert peer.ask().status == 200


def test_a_living_socket_is_left_alone(start_pool):
    pool = start_pool()
    second = run_once(*pool.arguments())
    assert second.returncode == 1
    assert str(pool.socket) in second.stderr and "in use" in second.stderr
    with pool.peer() as peer:
        assert peer.ask().status == 200


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_left_alone(folder, kind):
    path = folder / "socket"
    {"file": path.touch, "folder": path.mkdir, "link": lambda: path.symlink_to("/nowhere")}[kind]()
    before = path.lstat()
    refused = run_once("--listen", f"unix:{path}", "--sql-dir", SQL)
    assert refused.returncode == 1
    assert path.lstat() == before


@pytest.mark.parametrize(
    "address, words",
    [
        ("unix:relative", "absolute"),
        ("unix:/" + "x" * 108, "107"),
        ("unix:/nowhere/at/all", "No such file"),
        ("/tmp/x", "unix:/path"),
        ("http:x", "unix:/path"),
        ("tcp:9000", "host:port"),
        ("tcp:127.0.0.1:", "host:port"),
        ("tcp:127.0.0.1:x", "127.0.0.1:x"),
        ("tcp:192.0.2.1:9000", "192.0.2.1"),
        ("tcp:no-such-host.invalid:9000", "no-such-host"),
    ],
)
def test_addresses_that_are_none(address, words):
    refused = run_once("--listen", address, "--sql-dir", SQL)
    assert refused.returncode in (1, 2)
    assert words in refused.stderr


def test_nothing_to_listen_on():
    refused = run_once("--sql-dir", SQL)
    assert refused.returncode == 1
    assert "--listen" in refused.stderr


def test_an_unknown_group():
    refused = run_once("--listen", "unix:/tmp/cruddur-http-never", "--listen-group", "no-such-group", "--sql-dir", SQL)
    assert refused.returncode != 0
    assert "no-such-group" in refused.stderr
    assert not os.path.exists("/tmp/cruddur-http-never")


# --- sockets that are handed over ---


def test_spawn_fcgi(start_pool, shared_database):
    """spawn-fcgi opens the socket and becomes cruddurd, which finds it on fd 0."""
    spawn_fcgi = shutil.which("spawn-fcgi")
    if spawn_fcgi is None:
        pytest.skip("spawn-fcgi is missing")
    pool = start_pool(
        shared_database, listen=None, launcher=lambda pool: [spawn_fcgi, "-s", str(pool.socket), "-n", "--", CRUDDURD]
    )
    with pool.peer() as peer:
        assert peer.ask("GET", "/readyz").status == 200
        pool.daemon.reload()
        assert peer.ask("GET", "/readyz").status == 200
    pool.daemon.stop()
    assert pool.socket.exists(), "not ours to remove"


@pytest.fixture
def systemd(folder):
    """Listens as systemd would, and receives what cruddurd sends it."""
    with Systemd(folder) as systemd:
        yield systemd


class Systemd:
    """systemd's side of sd_listen_fds(3) and sd_notify(3)."""

    def __init__(self, folder):
        self.path = folder / "socket"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(16)
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(str(folder / "notify"))
        self.ear.settimeout(PATIENCE)
        self.environment = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(int(WATCHDOG * 1000000))}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.ear.close()

    def launcher(self, count=1):
        """A program that passes the socket on as fd 3 and becomes cruddurd."""
        fd = self.listener.fileno()
        script = f'exec 3<&{fd}; LISTEN_FDS={count} LISTEN_PID=$$ LISTEN_FDNAMES=cruddurd exec "$0" "$@"'
        return ["bash", "-c", script, CRUDDURD]

    def hear(self):
        return self.ear.recv(100).decode()

    def hears_in_time(self):
        """Whether two watchdog messages come within the watchdog's time. On a slow machine they sometimes do not."""
        assert self.hear() == "WATCHDOG=1"
        with Stopwatch() as watch:
            assert self.hear() == "WATCHDOG=1"
        return watch.seconds < WATCHDOG


def start_by_systemd(start_pool, systemd, database=None, count=1, **more):
    return start_pool(
        database,
        launcher=lambda pool: systemd.launcher(count),
        socket=systemd.path,
        pass_fds=[systemd.listener.fileno()],
        environment=systemd.environment,
        **more,
    )


def test_systemd(start_pool, shared_database, systemd):
    pool = start_by_systemd(start_pool, systemd, shared_database, listen=None)
    assert systemd.hear() == "READY=1"
    with pool.peer() as peer:
        assert peer.ask("GET", "/readyz").status == 200
    eventually(systemd.hears_in_time)
    pool.daemon.stop()
    heard = systemd.hear()
    while heard == "WATCHDOG=1":
        heard = systemd.hear()
    assert heard == "STOPPING=1"
    assert systemd.path.exists(), "not ours to remove"


def test_two_sockets_from_systemd(start_pool, systemd):
    pool = start_by_systemd(start_pool, systemd, count=2, listen=None)
    assert pool.daemon.wait() == 1
    assert "2 sockets" in pool.log.text


def test_a_socket_and_listen_contradict(start_pool, systemd):
    pool = start_by_systemd(start_pool, systemd)
    assert pool.daemon.wait() == 1
    assert "--listen" in pool.log.text


def test_a_socket_for_somebody_else_is_none():
    refused = run_once("--sql-dir", SQL, environment={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    assert refused.returncode == 1
    assert "nothing to listen on" in refused.stderr


# --- one CGI request ---


def cgi(database, method="GET", uri="/api/activities/home", body="", **more):
    environment = {"REQUEST_METHOD": method, "REQUEST_URI": uri}
    environment |= {"CONNECTION_URL": database.url(), "CRUDDUR_SQL_DIR": str(SQL)} | PATIENT
    if body:
        environment |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    return run_once(stdin=body, environment=environment | more)


def test_cgi(shared_database):
    answer = cgi(shared_database)
    head, _, body = answer.stdout.partition("\n\n")
    assert answer.returncode == 0
    assert head.startswith("Status: 200")
    assert "Content-Type: application/json" in head
    assert "This was imported as seed data!" in body


def test_a_create_by_cgi(shared_database):
    body = '{"message":"by hand","ttl":"1-day","user_handle":"londo"}'
    answer = cgi(shared_database, "POST", "/api/activities", body, CRUDDUR_IDENTITY="handle")
    assert answer.stdout.startswith("Status: 200")
    assert shared_database.messages()["by hand"] == 1


@pytest.mark.parametrize(
    "method, uri, more, status",
    [
        ("GET", "/api/nothing", {}, 404),
        ("PUT", "/livez", {}, 405),
        ("POST", "/api/activities", {}, 401),
        ("POST", "/api/activities", {"CRUDDUR_IDENTITY": "handle", "CONTENT_LENGTH": "99999"}, 413),
        ("POST", "/api/activities", {"CRUDDUR_IDENTITY": "handle", "CONTENT_LENGTH": "5"}, 400),
        ("GET", "/readyz", {"CONNECTION_URL": "postgresql:///x?host=/nowhere"} | IMPATIENT, 503),
    ],
)
def test_errors_by_cgi(shared_database, method, uri, more, status):
    answer = cgi(shared_database, method, uri, **more)
    assert answer.stdout.startswith(f"Status: {status}")
    assert answer.returncode == 0


# --- --check, --help, --version ---


def check(database, **more):
    return run_once("--check", "--sql-dir", SQL, environment={"CONNECTION_URL": database.url()} | PATIENT | more)


def test_check(shared_database):
    assert check(shared_database).returncode == 0


def test_check_without_a_database(shared_database):
    failed = check(shared_database, CONNECTION_URL=shared_database.url(hosts=["/nowhere"]))
    assert failed.returncode == 1
    assert "/nowhere" in failed.stderr


def test_check_with_a_wrong_password(shared_database):
    failed = check(shared_database, CONNECTION_URL=shared_database.url(password="canary-password"))
    assert failed.returncode == 1
    assert "authentication failed" in failed.stderr
    assert "canary-password" not in failed.stderr


def test_check_names_every_template_that_does_not_fit(database):
    database.sql("alter table activities rename column user_uuid to author_uuid")
    failed = check(database)
    assert failed.returncode == 1
    for name in ("home", "since", "search", "create", "delete", "reply", "keep", "trends"):
        assert re.search(rf"activities/{name}\.sql:\d+: .*user_uuid", failed.stderr)


@pytest.mark.parametrize(
    "function, template, unwanted",
    [
        ("public.purge_step(integer)", "metrics/step", {"CRUDDUR_PURGE_INTERVAL": "0"}),
        ("pg_catalog.pg_current_snapshot()", "session/snapshot", {"CRUDDUR_FEED_WATCH": "0"}),
    ],
)
def test_check_looks_at_the_helpers_statements(database, function, template, unwanted):
    """The statements of the purger and of the watcher are checked, unless the settings turn these off."""
    everyone = "public" if function.startswith("pg_") else "cruddur_app"
    database.sql(f"revoke execute on function {function} from {everyone}")
    failed = check(database)
    assert failed.returncode == 1
    assert template in failed.stderr
    assert template not in check(database, **unwanted).stderr


def test_check_names_the_line_of_a_broken_template(shared_database, tmp_path):
    sql = shutil.copytree(SQL, tmp_path / "sql")
    (sql / "users/short.sql").write_text("select uuid\nfrom users\nwhere handle = %(handel)s\n")
    failed = run_once("--check", "--sql-dir", sql, environment={"CONNECTION_URL": shared_database.url()} | PATIENT)
    assert failed.returncode == 1
    assert "users/short.sql:3" in failed.stderr


def test_a_broken_template_stops_the_start(tmp_path):
    sql = shutil.copytree(SQL, tmp_path / "sql")
    (sql / "users/short.sql").unlink()
    (sql / "activities/home.sql").write_text("select 'open\n")
    refused = run_once("--listen", f"unix:{tmp_path}/s"[:100], "--sql-dir", sql)
    assert refused.returncode == 1
    assert "users/short.sql" in refused.stderr and "activities/home.sql:1" in refused.stderr


def test_help():
    told = run_once("--help")
    assert (told.returncode, told.stderr) == (0, "")
    for word in ("--listen", "--workers", "--check", "--version", "CONNECTION_URL", "CRUDDUR_SETTINGS_FILE"):
        assert word in told.stdout


def test_the_settings_that_it_prints(tmp_path):
    """The printed file sets nothing. Without its comment signs it sets each default, which is accepted."""
    printed = run_once("--print-settings")
    assert (printed.returncode, printed.stderr) == (0, "")
    wanted = set(re.findall(r"^  (?:--\S+ \S+   )?([A-Z_]{6,})\b", run_once("--help").stdout, re.M)) - {"CRUDDUR_SETTINGS_FILE"}
    named = re.findall(r"^#([A-Z_]+)=", printed.stdout, re.M)
    assert len(named) == len(set(named)) and set(named) == wanted
    assert all(line.startswith("#") for line in printed.stdout.splitlines() if line)
    for text in (printed.stdout, re.sub(r"^#(?=[A-Z_]+=)", "", printed.stdout, flags=re.M)):
        file = tmp_path / "settings"
        file.write_text(text)
        file.chmod(0o600)
        refused = run_once("--settings-file", file, "--check")
        assert "settings" not in refused.stderr, refused.stderr


def manual_entry(block):
    """The entry of man/cruddur.conf.5 for a setting, made from its lines of --print-settings."""
    *told, values, setting = block.strip().split("\n")
    name, default = setting[1:].split("=", 1)
    told = [line[2:] for line in told]
    lines = [f".It Ev {name}", told[0][0].upper() + told[0][1:], *told[1:]]
    lines[-1] += "."
    if default.startswith("/"):
        default = "where it was installed"
    return "\n".join([*lines, f"Value: {values[2:]}.", *([f"Default: {default}."] if default else [])])


def test_the_manual_of_the_settings():
    """The manual has exactly the settings of the table, in its order, each with its form, bounds and default."""
    entries = [manual_entry(block) for block in run_once("--print-settings").stdout.split("\n\n")[1:]]
    manual = (TOP / "man/cruddur.conf.5").read_text()
    assert manual.split(".Sh SETTINGS\n.Bl -tag -width Ds\n")[1].split("\n.El\n")[0] == "\n".join(entries)


def test_the_example_in_the_manual_of_the_settings(shared_database, tmp_path):
    manual = (TOP / "man/cruddur.conf.5").read_text()
    file = tmp_path / "settings"
    file.write_text(manual.split(".Sh EXAMPLES\n")[1].split(".Bd -literal -offset indent\n")[1].split(".Ed\n")[0])
    file.chmod(0o600)
    checked = run_once("--settings-file", file, "--check", "--sql-dir", SQL, environment={"CONNECTION_URL": shared_database.url()} | PATIENT)
    assert checked.returncode == 0, checked.stderr


def test_version():
    told = run_once("--version")
    assert (told.returncode, told.stderr) == (0, "")
    assert VERSION.fullmatch(told.stdout)


# --- wrong settings ---


@pytest.mark.parametrize(
    "arguments, environment, named",
    [
        (["--wrkers", "4"], {}, "--wrkers"),
        (["extra"], {}, "argument 1"),
        (["-h"], {}, "-h"),
        (["--workers"], {}, "--workers"),
        (["--workers", "65"], {}, "--workers"),
        (["--workers", "four"], {}, "--workers"),
        (["--workers", "4x"], {}, "--workers"),
        (["--workers", "-1"], {}, "--workers"),
        (["--workers="], {}, "--workers"),
        (["--listen-mode", "0888"], {}, "--listen-mode"),
        (["--identity", "nobody"], {}, "--identity"),
        (["--log-level", "loud"], {}, "--log-level"),
        (["--log-params", "yes"], {}, "--log-params"),
        (["--log-params", "1"], {}, "--log-params"),
        (["--prepare", ""], {}, "--prepare"),
        (["--body-max", "100"], {}, "--body-max"),
        (["--deadline", "1000", "--statement-timeout", "1000"], {}, "--statement-timeout"),
        (["--listen-group", "root"], {}, "--listen-group"),
        (["--connection-url-file", "/nowhere"], {}, "/nowhere"),
        (["--settings-file", "/nowhere"], {}, "/nowhere"),
        ([], {"CRUDDUR_WORKERS": "many"}, "CRUDDUR_WORKERS"),
        ([], {"CRUDDUR_WROKERS": "4"}, "CRUDDUR_WROKERS"),
        ([], {"CONNECTION_URL": "postgresql://x", "CONNECTION_URL_FILE": "/etc/hostname"}, "contradict"),
    ],
)
def test_wrong_settings_are_named(arguments, environment, named):
    refused = run_once(*arguments, environment=environment)
    assert refused.returncode == 2
    assert named in refused.stderr
    assert refused.stdout == ""


def test_all_wrong_settings_are_named_at_once():
    refused = run_once("--workers", "65", "--log-level", "x", "--nonsense", environment={"CRUDDUR_BODY_MAX": "x"})
    assert all(name in refused.stderr for name in ("--workers", "--log-level", "--nonsense", "CRUDDUR_BODY_MAX"))


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o602])
@pytest.mark.parametrize("option", ["--connection-url-file", "--settings-file"])
def test_a_secret_that_others_can_read_stops_the_start(tmp_path, option, mode):
    secret = tmp_path / "secret"
    secret.write_text("")
    secret.chmod(mode)
    refused = run_once(option, secret, "--listen", "unix:/nowhere/socket")
    assert refused.returncode == 2
    assert option in refused.stderr


def test_an_option_wins_over_the_environment_and_that_over_the_file(start_pool, tmp_path):
    file = tmp_path / "settings"
    file.write_text("CRUDDUR_WORKERS=1\nCRUDDUR_LOG_LEVEL=error\nCRUDDUR_BACKLOG=7\n")
    file.chmod(0o600)
    environment = {"CRUDDUR_WORKERS": "2", "CRUDDUR_LOG_LEVEL": "debug"}
    pool = start_pool(settings_file=file, workers=3, log_level=None, environment=environment)
    pool.wait_for_workers(3)
    assert pool.log.messages("supervisor")


def test_a_bad_connection_url_never_shows(tmp_path):
    secret = "postgresql://user:canary-password@host:port/db"
    for words in (["--check"], ["--nonsense"], ["--help"]):
        told = run_once(*words, "--sql-dir", SQL, environment={"CONNECTION_URL": secret})
        assert "canary-password" not in told.stderr + told.stdout
