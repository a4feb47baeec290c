"""Rooms: a network, processes and mounts of their own for each machine of the cluster, and the cables between them.

A room lasts as long as its first process, which only reaps the processes that end in the room. When it ends, the kernel ends the room's
other processes, and removes its end of each cable and its mounts. So nothing of a room is left, however the program that made it ends.
"""

import contextlib
import ctypes
import os
import pathlib
import pwd
import shlex
import signal
import subprocess

from waiting import eventually

CLONE_NEWNET = 0x40000000  # setns(2)
INIT = "while :; do sleep 86400; done"  # bash reaps every process that becomes its child
PATIENCE = 30  # s for changes that the kernel makes at once


def run(*words, **options):
    """Runs a command to its end and returns its output."""
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, **options).stdout


def enter_network(pid):
    """Moves this process, which must still have a single thread, into the network of another one."""
    with open(f"/proc/{pid}/ns/net") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def status_of(pid):
    """The name of a process and the letter of its state (proc(5), /proc/pid/stat)."""
    _, _, rest = pathlib.Path(f"/proc/{pid}/stat").read_text().partition("(")
    name, _, rest = rest.rpartition(")")
    return name, rest.split()[0]


class Room:
    """name is unique within the folder, where the process id of the room is kept in rooms/NAME."""

    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.file = folder / "rooms" / name

    @property
    def pid(self):
        """The process id of the room's first process, or None. The command line distinguishes it from another process with the same number, and
        from unshare, which it was before."""
        try:
            pid = int(self.file.read_text())
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        except (OSError, ValueError):
            return None
        return pid if words[0] == "bash" and str(self.file) in words else None

    def open(self):
        self.file.parent.mkdir(exist_ok=True)
        command = ["unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        outer = subprocess.Popen([*command, "bash", "-c", INIT, self.file], start_new_session=True, cwd="/", **quiet)
        children = pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        self.file.write_text(eventually(lambda: children.read_text().strip(), PATIENCE, f"the room {self.name}"))
        eventually(lambda: self.pid, PATIENCE, f"the room {self.name}")  # the process has become bash, in its own namespaces
        self.run("ip", "link", "set", "lo", "up")

    def close(self):
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: self.pid is None, PATIENCE, f"the end of the room {self.name}")
        self.file.unlink(missing_ok=True)

    def inside(self, *words):
        """The command that runs another one in the room."""
        return ["nsenter", f"--target={self.pid}", "--net", "--pid", "--mount", "--", *map(str, words)]

    def run(self, *words):
        return run(*self.inside(*words))

    def start(self, name, user, command, folder, environment=None):
        """Starts a server, whose output goes to log/ROOM-NAME.log."""
        variables = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], "HOME": str(folder)} | (environment or {})
        become = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--init-groups", "--", "env", "--ignore-environment"]
        words = [*become, *(f"{key}={value}" for key, value in variables.items()), *map(str, command)]
        log = self.folder / "log" / f"{self.name}-{name}.log"
        self.run("bash", "-c", f"cd {shlex.quote(str(folder))} && exec setsid --fork {shlex.join(words)} </dev/null >>{shlex.quote(str(log))} 2>&1")

    def pids(self, *names):
        """This machine's process ids of the room's processes with these names; without names of all but the first one and its sleep."""
        first = self.pid
        here = os.readlink(f"/proc/{first}/ns/pid")
        found = []
        for pid in (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()):
            with contextlib.suppress(OSError):
                if pid != first and os.readlink(f"/proc/{pid}/ns/pid") == here:
                    comm, state = status_of(pid)
                    if state != "Z" and (comm in names if names else comm != "sleep"):
                        found.append(pid)
        return found

    def signal(self, number, *names):
        """Sends a signal to each of them, also to those that start meanwhile. Returns how many there were."""
        done = set()
        while more := set(self.pids(*names)) - done:
            for pid in more:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            done |= more
        return len(done)

    def freeze(self, *names):
        return self.signal(signal.SIGSTOP, *names)

    def thaw(self, *names):
        return self.signal(signal.SIGCONT, *names)

    def kill(self, *names):
        """Kills all of them at once, as when the power fails: none of them sees another one's end."""
        self.freeze(*names)
        count = self.signal(signal.SIGKILL, *names)
        eventually(lambda: not self.pids(*names), PATIENCE, f"the end of {' '.join(names) or 'all'} in {self.name}")
        return count

    def states(self, *names):
        """The letters of proc(5) for the states of these processes."""
        found = set()
        for pid in self.pids(*names):
            with contextlib.suppress(OSError):
                found.add(status_of(pid)[1])
        return found


class Hub(Room):
    """The room with a bridge for each network. The clients run in it, and everything that observes the cluster."""

    def add_network(self, name, address):
        self.run("ip", "link", "add", name, "type", "bridge")
        self.run("ip", "address", "add", f"{address}/24", "dev", name)
        self.run("ip", "link", "set", name, "up")

    def plug(self, room, network, address):
        """Adds a cable, a veth pair: the hub's end is called ROOM-NETWORK, the room's end NETWORK."""
        # "ip" runs outside of the hub's process namespace, where it can see the room's process id.
        outside = ["nsenter", f"--target={self.pid}", "--net", "--", "ip", "link"]
        run(*outside, "add", f"{room.name}-{network}", "type", "veth", "peer", "name", network, "netns", room.pid)
        run(*outside, "set", f"{room.name}-{network}", "master", network, "up")
        room.run("ip", "address", "add", f"{address}/24", "dev", network)
        room.run("ip", "link", "set", network, "up")

    def pull(self, room, network):
        """Unplugs the cable; neither end gets an RST or FIN."""
        self.run("ip", "link", "set", f"{room.name}-{network}", "down")

    def push(self, room, network):
        self.run("ip", "link", "set", f"{room.name}-{network}", "up")

    def is_plugged(self, room, network):
        return ",UP" in self.run("ip", "link", "show", f"{room.name}-{network}").split(">")[0]
