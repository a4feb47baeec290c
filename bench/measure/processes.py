"""Processes and their memory, from /proc."""

import pathlib

PROC = pathlib.Path("/proc")


def server_pid(room, name):
    """Of a server that bin/lib/processes.sh started."""
    return int((room / "pids" / name).read_text())


def parents():
    found = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(stat.parent.name)] = int(fields[1])
    return found


def children(pid):
    return sorted(child for child, parent in parents().items() if parent == pid)


def tree(pid):
    """The process and all below it."""
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


def pss_mb(pids):
    return sum(memory(pid, "Pss") for pid in pids) / 1024
