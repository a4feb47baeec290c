"""PostgreSQL as a process that is stopped, started, frozen and killed; and sessions that stay."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import time

import processes
from pool import as_user, eventually, frozen, signal_all

# A start-up message of protocol 3.0, for the superuser. A server that accepts connections replies with a request for the password.
STARTUP = b"user\0postgres\0database\0postgres\0\0"
STARTUP = struct.pack("!II", len(STARTUP) + 8, 196608) + STARTUP
ACCEPT_SECONDS = 2
WAITING = "select count(*) from pg_stat_activity where application_name like 'cruddurd worker%' and wait_event_type = 'Lock'"


class Database:
    def __init__(self, bench):
        self.bench = bench
        self.pid = processes.server_pid(bench.dir, "postgres")
        self.command = processes.command_line(self.pid)
        self.process = None  # the server, when this process has started it

    def start(self, *options):
        """Starts the server. Returns the moment when it accepts connections. options follow the usual ones."""
        command = [*self.command, *options]
        if os.geteuid() == 0:
            command = as_user((self.bench.dir / "pgdata").owner(), command)
        with open(self.bench.dir / "log/postgres.log", "a") as log:
            self.process = subprocess.Popen(
                command, cwd=self.bench.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.pid = self.process.pid
        # bin/bench ends the process in this file, if this process cannot.
        (self.bench.dir / "pids/postgres").write_text(f"{self.pid}\n")
        eventually(self.accepts, "PostgreSQL's start")
        return time.monotonic()

    def accepts(self):
        """Whether the server accepts connections. While it starts or recovers, it answers with an error."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.settimeout(ACCEPT_SECONDS)
            client.connect(f"{self.bench.sockets}/db/.s.PGSQL.5432")
            client.sendall(STARTUP)
            return client.recv(1) == b"R"
        return False

    def is_gone(self, pids):
        if self.process is not None:
            self.process.poll()  # a zombie would keep the next server from starting
        return not any((processes.PROC / str(pid)).exists() for pid in pids)

    def stop(self):
        """Ends the sessions and the server, which then needs no recovery."""
        pids = processes.tree(self.pid)
        os.kill(self.pid, signal.SIGINT)
        eventually(lambda: self.is_gone(pids), "PostgreSQL's end")

    def kill(self):
        """Kills all its processes at once."""
        pids = processes.tree(self.pid)
        signal_all(pids, signal.SIGKILL)
        eventually(lambda: self.is_gone(pids), "PostgreSQL's end")

    def restart(self, *options):
        """Restarts the server. Returns the moment when it accepts connections again."""
        self.stop()
        return self.start(*options)

    @contextlib.contextmanager
    def away(self, end):
        """Within the block the server has been ended by end, which is stop or kill. It is started again in any case."""
        end()
        try:
            yield
        finally:
            if self.is_gone([self.pid]):
                self.start()

    def frozen(self):
        return frozen(processes.tree(self.pid))

    def wait_for_waiting(self):
        """Waits until a statement of a worker waits for a lock."""
        eventually(lambda: self.bench.sql(WAITING) != "0", "a statement that waits")


class Session:
    """with Session(bench) as session: … A psql session, whose transaction is open until it commits or the block ends."""

    def __init__(self, bench):
        command, environment = bench.psql()
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def run(self, statement):
        """Runs a statement to its end and returns its output."""
        self.process.stdin.write(f"{statement};\n\\echo done\n")
        lines = []
        for line in self.process.stdout:
            if line == "done\n":
                return "".join(lines).strip()
            lines.append(line)
        raise SystemExit("psql failed")
