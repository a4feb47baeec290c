"""terminal.py PROMPT KEYS COMMAND…: runs the command on a terminal of its own and types KEYS once PROMPT is there.

Prints what the terminal showed; the status is the command's, 128 + the signal if one ended it, 1 if nothing came for PATIENCE."""

import os
import pty
import select
import signal
import sys

PATIENCE = 300  # s; on the slowest machine too, only what never comes takes so long


def show(terminal):
    """One chunk of what appears on the terminal; empty when the command has closed it."""
    if not select.select([terminal], [], [], PATIENCE)[0]:
        sys.exit("the terminal stayed silent")
    try:
        chunk = os.read(terminal, 65536)
    except OSError:
        return b""
    sys.stdout.buffer.write(chunk)
    return chunk


def main():
    prompt, keys, command = os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2]), sys.argv[3:]
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execvp(command[0], command)
    shown = b""
    while prompt not in shown:
        chunk = show(terminal)
        if not chunk:
            sys.exit("the prompt did not come")
        shown += chunk
    os.write(terminal, keys)
    while show(terminal):
        pass
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if status >= 0 else 128 - status


sys.exit(main())
