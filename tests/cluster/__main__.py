"""bin/cluster runs this when the sources are built: its actions, see its usage."""

import argparse
import os
import pathlib
import secrets
import signal
import sys
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "http")]

import faults  # noqa: E402
import soak as soaking  # noqa: E402
import table  # noqa: E402
import trial  # noqa: E402
from hosts import PORT  # noqa: E402
from lab import Lab, folder_of, is_possible, libfaketime  # noqa: E402


def up(arguments):
    reason = is_possible()
    if reason:
        return fail(reason)
    clocks = libfaketime() if arguments.clocks else None
    if arguments.clocks and clocks is None:
        return fail("--clocks takes libfaketime")
    lab = Lab(arguments.dir, {"clocks": clocks})
    lab.up()
    print(description(lab))
    return 0


def down(arguments):
    Lab(arguments.dir, {}).down()
    return 0


def description(lab):
    members = lab.members()
    lines = [f"{name}  {node.address}  {members.get(name, {}).get('role', 'unknown'):14}{members.get(name, {}).get('state', '')}" for name, node in lab.nodes.items()]
    lines += [f"{name}  {host.address}  http://{host.web_address}:{PORT}/" for name, host in lab.hosts.items()]
    faults = lab.faults()
    return "\n".join(lines + (["not whole: " + "; ".join(faults)] if faults else [f"whole, timeline {lab.timeline()}"]))


def status(arguments):
    lab = running(arguments)
    print(description(lab))
    return 3 if lab.faults() else 0


def run(arguments):
    """Replaces this process by a command in one of the rooms."""
    lab = running(arguments)
    rooms = {room.name: room for room in lab.rooms}
    if arguments.room not in rooms:
        return fail(f"no such machine: {arguments.room}; there are {', '.join(rooms)}", 2)
    words = rooms[arguments.room].inside(*arguments.command)
    os.execvp(words[0], words)


def fault(arguments):
    """Applies a fault, prints what was seen of it, and heals it."""
    if arguments.name not in faults.FAULTS:
        return fail(f"no such fault: {arguments.name}; there are {', '.join(faults.FAULTS)}", 2)
    lab = running(arguments)
    lab.wait_until_whole()
    kind, old = faults.FAULTS[arguments.name], lab.leader()
    try:
        with kind.apply(lab) as seen:
            print(seen, flush=True)
            if kind.moves:
                print(f"the primary is {faults.wait_for_successor(lab, old).name}", flush=True)
            time.sleep(kind.seconds if arguments.seconds is None else arguments.seconds)
    except faults.Impossible as error:
        return fail(str(error))
    print(f"healed, whole after {lab.wait_until_whole():.1f} s")
    return 0


def ledger(arguments):
    """Runs the writers for a while, or beside one fault, and prints the result of their ledgers."""
    lab = running(arguments)
    name = arguments.fault or "nothing"
    if name not in faults.FAULTS:
        return fail(f"no such fault: {name}; there are {', '.join(faults.FAULTS)}", 2)
    try:
        row = trial.run(lab, trial.Ledgers(lab), name, secrets.token_hex(4))
    except faults.Impossible as error:
        return fail(str(error))
    print("\n".join(f"{key:18} {value}" for key, value in row.items()))
    return 1 if row["problems"] or row["beats_doubled"] else 0


def soak(arguments):
    """Runs laps of all faults, or of some."""
    reason = is_possible()
    if reason:
        return fail(reason)
    try:
        names = soaking.names_of(arguments.faults)
    except ValueError as error:
        return fail(str(error), 2)
    print(soaking.soak(arguments.dir, arguments.hours, names, arguments.pause, arguments.results))
    rows = table.rows_of(arguments.results)
    return 1 if any(row.get("problems") or row.get("beats_doubled") or "broken" in row for row in rows) else 0


def running(arguments):
    """Returns the cluster of the folder, and moves this process into its clients' network."""
    if not (arguments.dir / "lab.json").exists() or not Lab(arguments.dir).is_up():
        print("cluster: it does not run; bin/cluster up starts it", file=sys.stderr)
        raise SystemExit(3)
    lab = Lab(arguments.dir)
    lab.enter()
    return lab


def fail(text, status=1):
    print(f"cluster: {text}", file=sys.stderr)
    return status


def parse():
    parser = argparse.ArgumentParser(prog="cluster")
    parser.add_argument("--dir", type=folder_of, required=True)
    commands = parser.add_subparsers(dest="action", required=True)
    command = commands.add_parser("up")
    command.add_argument("--clocks", action="store_true")
    commands.add_parser("down")
    commands.add_parser("status")
    command = commands.add_parser("fault")
    command.add_argument("name")
    command.add_argument("--seconds", type=float)
    command = commands.add_parser("ledger")
    command.add_argument("--fault")
    command = commands.add_parser("soak")
    command.add_argument("--hours", type=float, required=True)
    command.add_argument("--faults")
    command.add_argument("--pause", type=float, default=0)
    command.add_argument("--results", type=folder_of, required=True)
    command = commands.add_parser("run")
    command.add_argument("room")
    command.add_argument("command", nargs="+")
    return parser.parse_args()


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, signal.default_int_handler)  # so that cleanup code runs
    arguments = parse()
    return globals()[arguments.action](arguments)


if __name__ == "__main__":
    sys.exit(main())
