"""Free ports of the loopback interface; as a program it prints as many as its argument says.

They are below the range from which the system takes clients' ports: a client could take one of those before the server starts.
"""

import pathlib
import random
import socket
import sys

FIRST = 10000
LEAST_END = 20000  # used if the clients' range begins below it


def is_free(port):
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def free_ports(count):
    clients_from = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found = []
    while len(found) < count:
        port = random.randrange(FIRST, max(clients_from, LEAST_END))
        if port not in found and is_free(port):
            found.append(port)
    return found


def free_port():
    return free_ports(1)[0]


if __name__ == "__main__":
    print(*free_ports(int(sys.argv[1])), sep="\n")
