"""The cluster of bin/cluster: the ledgers are right after each kind of quick failover, and nothing is left at the end."""

import os
import pathlib
import subprocess
import sys

import pytest

import soak
import table
import trial
from faults import FAULTS
from hosts import WORKERS
from visitors import RATE, Visitors
from witness import end_of_outage
from writers import is_reached


@pytest.fixture(scope="module")
def ledgers(lab):
    return trial.Ledgers(lab)


def test_it_is_whole(lab):
    lab.wait_until_whole()
    roles = sorted(member["role"] for member in lab.members().values())
    assert roles == ["leader", "replica", "sync_standby"]


@pytest.mark.parametrize("name", ["nothing", "switchover", "kill-primary", "etcd-loss", "kill-host"])
def test_the_ledgers_are_right_after(lab, ledgers, name, record_property):
    row = trial.run(lab, ledgers, name, name)
    record_property(f"{name}", f"outage {row['outage_s']} s, of the database {row['database_outage_s']} s, {row['acknowledged']} writes, {row['reads']} reads")
    assert (row["shown"], row["beats_doubled"]) == ([], 0)
    assert (row["from"] != row["to"]) == (name in ("switchover", "kill-primary"))


def test_a_database_is_back_when_it_stays_so():
    """A single commit between two outages does not count."""
    commits = [1.0, 1.1, 3.1, 4.7, 4.8, 9.0, 9.1]
    assert end_of_outage(commits, 1, 4.9) == 4.7
    assert end_of_outage(commits, 1, 10) == 9.0  # the longest one
    assert end_of_outage([1.0, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 5.0], 1, 10) == 3.0
    assert end_of_outage([1.0], 1, 10) == 1


def test_a_post_may_be_off_home_s_first_page_when_it_is_acknowledged():
    page = {str(number): f"2026-11-30T06:49:{number:02}.000000Z" for number in range(10, 60)}
    for second, is_expected in ((9, False), (10, True), (59, True)):
        assert is_reached(page, f"2026-11-30T06:49:{second:02}.000000Z") == is_expected
    del page["10"]
    assert is_reached(page, "2026-11-30T06:49:09.000000Z")


def test_a_soak_goes_on_within_a_pause_and_with_the_faults_that_are_rare():
    trials = [{"fault": name, "outage_s": 1.0, "visits": 20, "unserved": 2, "visited_s": 40.0, "pause_s": 30} for name in ("split", "freeze", "split")]
    ends = [{"fault": "end", "visits": 500, "unserved": 0, "visited_s": seconds, "pause_s": 30} for seconds in (10.5, 5.5)]
    rows = [trials[0], ends[0], *trials[1:]]
    assert soak.pause_left([], 30) == soak.pause_left(rows, 30) == 30
    assert soak.pause_left(rows + ends[:1], 30) == 19.5
    assert (soak.pause_left(rows + ends, 30), soak.pause_left(rows + ends, 12)) == (14, 0)
    assert soak.in_turn(["split", "freeze", "nothing"], rows) == ["nothing", "freeze", "split"]
    (said,) = table.availability([row | {"time": "2026-11-29T00:00:00+00:00", "lap": "", "processes": {}} for row in rows])
    assert "560 in 0.0 hours, with 3 faults, 30 s apart; 6 of them got" in said and "So 98.929 % were served" in said


class Stub:
    """A cluster, or a node of it, whose functions do nothing but are counted."""

    def __init__(self, **results):
        self.results, self.called = results, []

    def __getattr__(self, name):
        def function(*_):
            self.called.append(name)
            result = self.results.get(name)
            if isinstance(result, BaseException):
                raise result
            return result

        return function


def test_a_lap_takes_its_cluster_away_when_that_does_not_become_whole(tmp_path):
    for error in (AssertionError("not whole"), KeyboardInterrupt()):
        lab = Stub(wait_until_whole=error)
        with pytest.raises(type(error)):
            soak.lap(lab, ["nothing"], 0, tmp_path / "results", 0)
        assert lab.called == ["up", "wait_until_whole", "down"]


def test_a_frozen_node_goes_on_after_any_error():
    """Of the caller, and of the fault itself."""
    node = Stub(states={"T"}, pids=[])
    node.name = "pg1"
    with pytest.raises(KeyboardInterrupt), FAULTS["freeze"].apply(Stub(leader=node)):
        assert "thaw" not in node.called
        raise KeyboardInterrupt
    assert node.called[-1] == "thaw"
    node = Stub(freeze=OSError("a process could not be stopped"))
    with pytest.raises(OSError), FAULTS["freeze"].apply(Stub(leader=node)):
        pass
    assert node.called == ["freeze", "thaw"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_command_that_is_ended_by_a_signal_runs_its_cleanup_code(name):
    """Also if the terminal is gone; but nohup has SIGHUP ignored."""
    code = """
import os, runpy, signal, sys
main = runpy.run_path(sys.argv[1], run_name="commands")["main"]
number = getattr(signal, sys.argv[2])
signal.signal(number, getattr(signal, sys.argv[3]))
def parse():
    try:
        os.kill(os.getpid(), number)
        print("goes on")
    finally:
        print("cleaned")
        os._exit(0)
main.__globals__["parse"] = parse
main()
"""
    main = pathlib.Path(soak.__file__).with_name("__main__.py")
    for before, said in (("SIG_DFL", "cleaned\n"), ("SIG_IGN", "goes on\ncleaned\n")):
        made = subprocess.run([sys.executable, "-B", "-u", "-c", code, main, name, before], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
        assert made.stdout == said


def test_visitors_are_served_while_one_host_is_away(lab, ledgers):
    with Visitors(ledgers.site, lab.hosts, ledgers.targets[0]) as visitors:
        visitors.wait_for_more(RATE)
        first = visitors.account()
        with FAULTS["kill-host"].apply(lab):
            visitors.wait_for_more(RATE)
        second = visitors.account()
    assert first["visits"] >= RATE and second["visits"] >= RATE
    assert (first["unserved"], second["unserved"]) == (0, 0)
    assert all(values[0] > 1000 and values[1] > 5 for processes in first["processes"].values() for values in processes.values())
    assert len(table.grown([row | {"time": "2026-11-29T00:00:00+00:00"} for row in (first, first, first)])) == 2 * (1 + WORKERS)
    lab.wait_until_whole()


def test_what_was_written_before_a_failover_is_there_after_all_of_them(ledgers):
    assert ledgers.lasting_problems() == []


def test_nothing_is_left(lab):
    """When the whole cluster goes down, no process and no file but the logs and the build is left."""
    rooms = [room.pid for room in lab.rooms]
    inside = [pid for room in lab.rooms for pid in room.pids()]
    assert all(rooms) and len(inside) > 20
    lab.down()
    assert [pid for pid in (*rooms, *inside) if os.path.exists(f"/proc/{pid}/exe") and is_running(pid)] == []
    assert sorted(path.name for path in lab.folder.iterdir()) == ["log", "root"]


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
