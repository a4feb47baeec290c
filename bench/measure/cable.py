"""A cable between a pool, in a network namespace of its own, and PostgreSQL. It can be unplugged at PostgreSQL's end. Needs root."""

import contextlib
import os
import shutil
import subprocess

import processes
from pool import eventually


def is_possible():
    """Whether this machine lets us make a cable. Some containers refuse it even to root."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    attempt = ["unshare", "--net", "ip", "link", "add", "type", "veth"]
    return subprocess.run(attempt, capture_output=True).returncode == 0


class Cable:
    """with Cable() as cable: … Names and addresses are unique to this process."""

    def __init__(self):
        number = os.getpid() % 16384
        network = f"10.{192 + number // 4096}.{number // 64 % 64}"
        self.near_address, self.far_address = (f"{network}.{number % 64 * 4 + end}" for end in (1, 2))
        self.near, self.far = f"bench{number}n", f"bench{number}f"

    def __enter__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.network = processes.PROC / str(self.holder.pid) / "ns/net"
        try:
            self.lay()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """When the network namespace ends, the kernel removes its end of the cable, and with it the other end."""
        self.holder.kill()
        self.holder.wait()

    def lay(self):
        ours = os.readlink("/proc/self/ns/net")
        eventually(lambda: os.readlink(self.network) != ours, "another network")
        self.run("link", "add", self.far, "type", "veth", "peer", "name", self.near, "netns", self.holder.pid)
        self.run("address", "add", f"{self.far_address}/30", "dev", self.far)
        self.run("link", "set", self.far, "up")
        self.run("address", "add", f"{self.near_address}/30", "dev", self.near, launcher=self.inside())
        self.run("link", "set", self.near, "up", launcher=self.inside())

    def inside(self):
        """The words that, put before a command, run it at the pool's end."""
        return ["nsenter", f"--net={self.network}"]

    def run(self, *words, launcher=()):
        subprocess.run([*launcher, "ip", *map(str, words)], check=True)

    @contextlib.contextmanager
    def cut(self):
        """Unplugs PostgreSQL's end, so that the pool's kernel does not know that there is no route."""
        self.run("link", "set", self.far, "down")
        try:
            yield
        finally:
            self.run("link", "set", self.far, "up")
