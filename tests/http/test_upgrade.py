"""HUP with another program installed: it takes over, or the old one stays."""

import os
import shutil
import signal
import subprocess

import pytest

from client import Asking
from cluster import frozen
from collector import EXPORTER, Collector
from fcgi import request
from installed import REFUSED, TAKEN, WORKERS, Installed, install, install_script
from issuer import CLIENT, ISSUER
from load import Load
from places import CRUDDURD, SQL, Folder
from waiting import eventually, never

UPGRADES = 4
LATER = 40  # answers
UNFIT, REPLACED = "the old set stays", "HUP: all workers replaced"
FORMAT = 1  # of the inheritance, in src/master/upgrade.c
UNKNOWN = "inheritance_unknown"


@pytest.fixture
def folder():
    folder = Folder()
    yield folder.path
    folder.remove()


@pytest.fixture
def service(cluster, folder):
    with Installed(cluster, folder) as service:
        yield service


def program_of(pid):
    """The inode of the file that a process executes; the file's name may belong to another file by now."""
    return os.stat(f"/proc/{pid}/exe").st_ino


def test_upgrades_under_load_fail_nothing(service):
    """The master stays the same process, and in the end all processes run the last program."""
    pid = service.daemon.pid
    with Load(service, connections=12) as load:
        for _ in range(UPGRADES):
            before = service.wait_for_workers(WORKERS)
            service.upgrade()
            service.wait_for_workers(WORKERS, other_than=before)
            load.wait_for_more(LATER)
    assert load.failures == []
    load.audit(service.database).check()
    assert {program_of(pid) for pid in [pid, *service.daemon.workers()]} == {service.program.stat().st_ino}
    assert service.daemon.process.poll() is None


def test_without_another_program_the_old_one_stays(service):
    service.daemon.reload()
    assert TAKEN not in service.log.text


def test_no_span_is_lost(cluster, folder):
    """The old exporter sends the spans of the old workers, and ends with the pool at the latest."""
    with Collector() as collector:
        with Installed(cluster, folder, otlp_endpoint=collector.url, exporter=EXPORTER) as service:
            for _ in range(2):
                for _ in range(10):
                    service.home()
                service.upgrade()
            for _ in range(10):
                service.home()
        assert len({span.id for span in collector.requests()}) == 30


def test_a_kept_connection_outlives_the_program(service):
    """A connection, idle or with half a request, is served by the new program's workers."""
    data = request("GET", "/livez")
    peers = [service.peer() for _ in range(6)]
    for number, peer in enumerate(peers):
        assert peer.ask().status == 200
        peer.send(data[: 10 * number])
    service.upgrade()
    for number, peer in enumerate(peers):
        peer.send(data[10 * number :])
        assert peer.read_reply().status == 200
        peer.close()


def test_a_request_that_runs_is_answered(service):
    with service.database.locked_user():
        asking = Asking(service.create)
        service.database.wait_for_waiting()
        service.upgrade()
    assert asking.reply().status == 200
    assert service.create().status == 200


def install_between(service, before):
    """The same program, behind a script that runs before it."""
    real = service.program.with_name("real")
    install(real)
    install_script(service.program, f'#!/bin/sh\n{before}\nexec {real} "$@"\n')


def take_over_unfit(service):
    """Upgrades to a program that has taken over when the database begins to refuse its settings."""
    wrong = service.path / "wrong-url"
    wrong.write_text(service.database.url(password="wrong"))
    install_between(service, f'[ -z "${{_CRUDDURD_INHERITANCE:-}}" ] || cat {wrong} >{service.url_file}')
    service.hup(UNFIT)
    assert TAKEN in service.log.text


def test_a_write_is_seen_at_once_by_old_and_new_workers(service):
    """Old and new workers serve at the same time while the new program's reload is refused."""
    before = service.wait_for_workers(WORKERS)
    take_over_unfit(service)
    service.write_url(service.database.url())
    os.kill(before[0], signal.SIGKILL)  # a new one takes its place
    service.wait_for_workers(WORKERS, other_than=before[:1])
    for number in range(40):
        uuid = service.create(f"seen {number}").json["uuid"]
        assert service.home().json[0]["uuid"] == uuid


BAD = {
    "ends at once, well": "#!/bin/sh\nexit 0\n",
    "ends at once, badly": "#!/bin/sh\nexit 1\n",
    "is killed": "#!/bin/sh\nkill -9 $$\n",
    "says another thing": "#!/bin/sh\nprintf x >&${_CRUDDURD_TRIAL:-1}\n",
    "is none": "\x7fELF",
    "has no interpreter": "#!/nowhere/at/all\n",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_program_leaves_the_old_one_serving(service, kind):
    before = service.wait_for_workers(WORKERS)
    install_script(service.program, BAD[kind])
    with Load(service) as load:
        service.hup(REFUSED)
        load.wait_for_more(LATER)
    assert load.failures == []
    assert service.daemon.workers() == before
    assert 'cruddur_reloads_total{result="refused"} 1' in service.get("/metrics").body.decode()
    service.upgrade()  # to a good one
    assert service.get("/readyz").status == 200


def stand_trial(*numbers, options=("--identity", "handle")):
    """Runs the program as the trial of a running program that passes on a format. Returns the result with its output."""
    return subprocess.run(
        [CRUDDURD, *options, "--listen", "tcp:127.0.0.1:0", "--sql-dir", SQL],
        env={"_CRUDDURD_TRIAL": " ".join(map(str, (1, *numbers))), "CONNECTION_URL": "postgresql:///none?host=/nowhere"}, capture_output=True, encoding="utf-8",
    )  # fmt: skip


def test_the_format_that_the_program_reads_passes_the_trial():
    trial = stand_trial(FORMAT)
    assert (trial.returncode, trial.stdout) == (0, "cruddurd can run\n")
    assert UNKNOWN not in trial.stderr


def test_the_trial_misses_no_keys_that_are_yet_to_be_fetched(folder):
    token = "--identity", "token", "--issuer", ISSUER, "--cognito-client", CLIENT
    trial = stand_trial(FORMAT, options=(*token, "--jwks-url", "https://127.0.0.1:1/", "--jwks-file", folder / "keys.json"))
    assert (trial.returncode, trial.stdout) == (0, "cruddurd can run\n")
    assert "keys.json" not in trial.stderr


@pytest.mark.parametrize("numbers", [(), (FORMAT - 1,), (FORMAT + 1,), ("x",)])
def test_any_other_format_fails_the_trial(numbers):
    """Without a number: the running program does not compare formats."""
    trial = stand_trial(*numbers)
    assert (trial.returncode, trial.stdout) == (1, "")
    assert f"{UNKNOWN}: the running program's inheritance does not have the format {FORMAT}" in trial.stderr


def test_the_trial_is_told_the_format_that_is_passed_on(service, folder):
    install_between(service, f'echo "${{_CRUDDURD_TRIAL:-}}" >>{folder}/trial\necho "${{_CRUDDURD_INHERITANCE:-}}" >>{folder}/inheritance')
    service.hup(TAKEN)
    (told, _), (_, passed_on) = (folder / "trial").read_text().splitlines(), (folder / "inheritance").read_text().splitlines()
    assert (told.split()[1], passed_on.split()[0]) == (str(FORMAT), str(FORMAT))
    assert service.create().status == 200


def test_a_program_that_reads_another_format_is_refused(service):
    before = service.wait_for_workers(WORKERS)
    install_between(service, f'[ -z "${{_CRUDDURD_TRIAL:-}}" ] || export _CRUDDURD_TRIAL="${{_CRUDDURD_TRIAL%% *}} {FORMAT + 1}"')
    service.hup(REFUSED)
    assert UNKNOWN in service.log.text
    assert service.daemon.workers() == before
    assert service.create().status == 200


def test_a_program_that_may_not_be_executed(service):
    before = service.wait_for_workers(WORKERS)
    install(service.program)
    service.program.chmod(0o644)
    service.hup(REFUSED)
    assert service.daemon.workers() == before
    assert service.create().status == 200


def test_a_program_that_refuses_its_settings(service):
    before = service.wait_for_workers(WORKERS)
    install(service.program)
    service.write_settings("CRUDDUR_WORKERS=many\n")
    service.hup(REFUSED)
    assert "CRUDDUR_WORKERS: 'many'" in service.log.text
    assert service.daemon.workers() == before
    assert service.create().status == 200


@pytest.mark.parametrize("url", [{"password": "wrong"}, {"hosts": ["/nowhere"]}])
def test_a_program_that_the_database_refuses(service, url):
    """The old program stays, with its watcher and its cache."""
    before, program = service.wait_for_workers(WORKERS), program_of(service.daemon.pid)
    with Load(service) as load:
        service.wait_for_sessions(WORKERS)  # which the old workers keep
        install(service.program)
        service.write_url(service.database.url(**url))
        service.hup(REFUSED)
        service.write_url(service.database.url())
        load.wait_for_more(LATER)
    assert load.failures == []
    assert "the new settings don't work: " in "".join(service.log.messages("database"))
    assert service.daemon.workers() == before
    assert program_of(service.daemon.pid) == program
    service.daemon.reload()
    service.wait_for_workers(WORKERS, other_than=before)
    assert program_of(service.daemon.pid) == service.program.stat().st_ino
    assert service.create().status == 200


def test_a_program_that_the_schema_does_not_fit(service):
    """As when a package is installed before the database is migrated."""
    before = service.wait_for_workers(WORKERS)
    install(service.program)
    service.database.sql("alter table activities rename replies_count to replies")
    service.hup(REFUSED)
    service.database.sql("alter table activities rename replies to replies_count")
    assert service.daemon.workers() == before
    service.daemon.reload()
    service.wait_for_workers(WORKERS, other_than=before)


def test_an_upgrade_while_the_database_is_away(cluster, folder):
    """The database is away for all workers, so nothing is wrong with the program."""
    with Installed(cluster, folder, is_patient=False) as service:
        assert service.create().status == 200
        with cluster.away():
            eventually(lambda: service.create("away").status == 503, what="the loss of the sessions")
            service.upgrade()
        eventually(lambda: service.create("back").status == 200, what="the database's return")


def test_the_database_refuses_a_program_that_has_taken_over(cluster, folder):
    """The old program's workers serve until a reload succeeds. No worker that cannot run is started beside them or in their place."""
    service = Installed(cluster, folder, workers=None)
    service.write_settings("CRUDDUR_WORKERS=2\n")
    with service:
        first, second = service.wait_for_workers(2)
        service.wait_for_sessions(2)
        service.write_settings("CRUDDUR_WORKERS=4\n")
        with Load(service) as load:
            take_over_unfit(service)
            load.wait_for_more(LATER)
        assert load.failures == []
        assert service.daemon.workers() == [first, second]
        os.kill(first, signal.SIGKILL)
        unfit = service.log.text.count("ended with status 3")
        service.daemon.wait_for_message("ended with status 3", unfit + 2)
        with Load(service) as load:
            load.wait_for_more(LATER)
        assert load.failures == []
        service.write_url(service.database.url())
        service.wait_for_workers(2, other_than=[first])
        service.daemon.reload()
        service.wait_for_workers(4, other_than=[first, second])


def fail_late(service):
    """Upgrades, and breaks the settings when some workers are replaced. Returns whether the new program's reload failed; otherwise
    it was faster, and the settings are good."""
    before, replaced = set(service.daemon.workers()), service.log.text.count(REPLACED)
    taken = service.log.text.count(TAKEN)
    install(service.program)
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message(TAKEN, taken + 1)
    eventually(lambda: len(set(service.daemon.workers()) - before) > 3, what="new workers")
    with frozen(service.daemon.pid):
        service.write_url(service.database.url(password="wrong"))
    eventually(lambda: UNFIT in service.log.text or service.log.text.count(REPLACED) > replaced, what="the reload's end")
    if UNFIT not in service.log.text:
        service.write_url(service.database.url())
    return UNFIT in service.log.text


def test_the_database_refuses_a_program_that_has_replaced_some_workers(cluster, folder):
    """Workers of the new program that run stay, as none could be started in the place of those of the old program."""
    workers = 12
    with Installed(cluster, folder, workers=workers) as service:
        assert service.create().status == 200
        eventually(lambda: fail_late(service), what="a reload that fails")
        never(lambda: len(service.daemon.workers()) < workers, 2, what="a lost worker")
        assert service.log.text.count("ended with status 3") == 1
        service.write_url(service.database.url())
        before = service.wait_for_workers(workers)
        service.daemon.reload()
        service.wait_for_workers(workers, other_than=before)
        assert service.log.text.count(UNFIT) == 1


def test_hup_during_a_trial_counts(service):
    """While a trial runs, the program is replaced by a good one, which the second HUP finds."""
    install_script(service.program, "#!/bin/sh\nread line <$0.go\nexit 0\n")
    os.mkfifo(f"{service.program}.go")
    service.daemon.signal(signal.SIGHUP)
    with open(f"{service.program}.go", "w") as go:  # which the trial has open, too, from here on
        install(service.program)
        service.daemon.signal(signal.SIGHUP)
        go.write("go\n")
    service.daemon.wait_for_message(REPLACED)
    assert service.log.text.count(REFUSED) == service.log.text.count(TAKEN) == 1


def test_term_during_a_trial_ends_it(service):
    install_script(service.program, "#!/bin/sh\nwhile :; do sleep 1; done\n")
    service.daemon.signal(signal.SIGHUP)
    service.daemon.wait_for_message("trying it")
    service.daemon.signal(signal.SIGTERM)
    assert service.daemon.wait() == 0


def test_a_trial_ends_with_its_master(service):
    """It has the listening socket, so the next master could not open one at the same path."""
    install_script(service.program, "#!/bin/sh\nread line <$0.go\n")
    os.mkfifo(f"{service.program}.go")
    service.daemon.signal(signal.SIGHUP)
    with open(f"{service.program}.go", "w"):  # which the trial has open, too, from here on
        service.daemon.signal(signal.SIGKILL)
        service.daemon.wait()
        service.daemon.check_clean()
    install(service.program)
    service.launch()
    eventually(service.is_listening)
    assert service.get("/livez").status == 200


def test_the_socket_goes_with_the_last_program(service):
    service.upgrade()
    service.daemon.stop()
    assert not service.socket.exists()


def test_a_link_to_the_program_is_followed_anew(cluster, folder):
    """The link chooses between folders with a version each."""
    for version in ("one", "two"):
        (folder / version).mkdir()
        install(folder / version / "cruddurd")
    service = Installed(cluster, folder)
    service.program.unlink()
    service.program.symlink_to("one/cruddurd")
    with service:
        service.program.unlink()
        service.program.symlink_to("two/cruddurd")
        service.daemon.reload()
        assert program_of(service.daemon.pid) == (folder / "two/cruddurd").stat().st_ino


def test_templates_of_the_new_program(cluster, folder):
    """If a template of the new program is missing, the program is refused."""
    sql = shutil.copytree(SQL, folder / "sql")
    with Installed(cluster, folder, sql_dir=sql) as service:
        (sql / "users/short.sql").unlink()
        install(service.program)
        service.hup(REFUSED)
        assert "users/short.sql" in service.log.text
        assert service.create().status == 200
