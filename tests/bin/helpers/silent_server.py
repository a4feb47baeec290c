"""Takes connections on a loopback port and never answers; writes the port's number to the file named."""

import os
import socket
import sys
import time

listener = socket.create_server(("127.0.0.1", 0), backlog=64)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(120)
