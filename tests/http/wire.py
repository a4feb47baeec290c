"""A cable between the service, in a network namespace of its own, and PostgreSQL. It can be unplugged at either end. Needs root."""

import contextlib
import os
import pathlib
import subprocess


class Wire:
    def __init__(self):
        """Names and addresses are unique to this process."""
        number = os.getpid() % 16384
        network = f"10.{192 + number // 4096}.{number // 64 % 64}"
        self.near_address, self.far_address = (f"{network}.{number % 64 * 4 + end}" for end in (1, 2))
        self.near, self.far = f"cruddur{number}n", f"cruddur{number}f"

    def __enter__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.namespace = f"/proc/{self.holder.pid}/ns/net"
        try:
            self.lay()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """When the namespace ends, the kernel removes its end of the cable, and with it the other end."""
        self.holder.kill()
        self.holder.wait()

    def lay(self):
        while os.readlink(self.namespace) == os.readlink("/proc/self/ns/net"):
            pass  # until the process has left our namespace
        self.far_side("link", "add", self.far, "type", "veth", "peer", "name", self.near, "netns", self.holder.pid)
        self.far_side("address", "add", f"{self.far_address}/30", "dev", self.far)
        self.near_side("address", "add", f"{self.near_address}/30", "dev", self.near)
        self.set_link("near", "up")
        self.set_link("far", "up")

    def keep_far_neighbour(self):
        """From now on the near end's kernel sends to the far end without asking for its hardware address. Otherwise it reports "unreachable" after
        three requests without an answer, one a second."""
        hardware_address = pathlib.Path(f"/sys/class/net/{self.far}/address").read_text().strip()
        self.near_side("neighbour", "replace", self.far_address, "lladdr", hardware_address, "dev", self.near, "nud", "permanent")

    def inside(self, *command):
        """The command that runs another one on the service's side."""
        return ["nsenter", f"--net={self.namespace}", *command]

    def far_side(self, *words):
        subprocess.run(["ip", *map(str, words)], check=True)

    def near_side(self, *words):
        subprocess.run(self.inside("ip", *map(str, words)), check=True)

    def set_link(self, end, state):
        if end == "near":
            self.near_side("link", "set", self.near, state)
        else:
            self.far_side("link", "set", self.far, state)

    @contextlib.contextmanager
    def cut(self, end):
        """Unplugs the end "near" the service, so that its kernel knows that there is no route, or the "far" one, so that it does not."""
        self.set_link(end, "down")
        try:
            yield
        finally:
            self.set_link(end, "up")
