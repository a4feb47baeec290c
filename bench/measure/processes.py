"""Processes and their memory, from /proc."""

import os
import pathlib

PROC = pathlib.Path("/proc")


def server_pid(room, name):
    """The process id of a server that bin/lib/processes.sh started."""
    return int((room / "pids" / name).read_text())


def command_line(pid):
    return (PROC / str(pid) / "cmdline").read_text().rstrip("\0").split("\0")


def stat_of(pid):
    """(name, state, parent, session), see proc(5); None: there is no such process."""
    try:
        name, _, rest = (PROC / str(pid) / "stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        return None
    state, parent, _, session = rest.split()[:4]
    return name, state, int(parent), int(session)


def stats():
    """pid -> stat_of(pid)"""
    found = {int(entry.name): stat_of(entry.name) for entry in PROC.glob("[0-9]*")}
    return {pid: stat for pid, stat in found.items() if stat is not None}


def name_of(pid):
    stat = stat_of(pid)
    return stat and stat[0]


def has_ended(pid):
    """Whether a process has ended; a zombie has."""
    stat = stat_of(pid)
    return stat is None or stat[1] == "Z"


def children(pid):
    return sorted(child for child, (_, _, parent, _) in stats().items() if parent == pid)


def session(pid):
    """The processes of the session that the process leads or led."""
    return sorted(member for member, (_, _, _, leader) in stats().items() if leader == pid)


def tree(pid):
    """The process and all its descendants."""
    found = [pid]
    for child in children(pid):
        found += tree(child)
    return found


def memory(pid, what):
    """A line of smaps_rollup, in KB: Pss, Anonymous, …"""
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    raise SystemExit(f"no {what} of process {pid}")


def cpu_seconds(pids):
    """The processor time that the processes have used so far, together."""
    ticks = 0
    for pid in pids:
        rest = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        ticks += int(rest[11]) + int(rest[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def pss_mb(pids):
    return sum(memory(pid, "Pss") for pid in pids) / 1024
