"""Takes connections on a loopback port and never answers, as long as its parent lives; writes the port's number to the file named."""

import os
import socket
import sys
import time

parent = os.getppid()
listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
while os.getppid() == parent:
    time.sleep(0.5)
