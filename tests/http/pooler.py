"""Debian's PgBouncer in transaction mode, in front of a cluster."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess

from cluster import APP_PASSWORD
from places import IS_ROOT, Folder, clean_environment
from waiting import eventually

PORT = 6432
PACKET_BUFFER = 256  # bytes, so that it forwards a statement in parts, as it does with the usual 4096 on a busy machine
SETTINGS = """\
[databases]
* = host={sockets}
[pgbouncer]
unix_socket_dir = {folder}
listen_port = {port}
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {size}
server_login_retry = 0.2
pkt_buf = {buffer}
logfile = {folder}/log
"""


def pgbouncer_program():
    return shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"


class Pooler:
    def __init__(self, cluster, size):
        """size is the number of the server's sessions that all clients share."""
        self.folder = Folder()
        self.path = self.folder.path
        self.socket = self.path / f".s.PGSQL.{PORT}"
        settings = SETTINGS.format(sockets=cluster.sockets, folder=self.path, port=PORT, size=size, buffer=PACKET_BUFFER)
        (self.path / "settings").write_text(settings)
        (self.path / "users").write_text(f'"cruddur" "{APP_PASSWORD}"\n')
        if IS_ROOT:  # PgBouncer refuses to run as root
            os.chown(self.path, pwd.getpwnam("postgres").pw_uid, -1)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.remove()

    def start(self):
        user = "postgres" if IS_ROOT else None
        self.process = subprocess.Popen(
            [pgbouncer_program(), "--quiet", self.path / "settings"], user=user, env=clean_environment()
        )
        eventually(self.is_listening, what="PgBouncer")

    def is_listening(self):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.socket))
            return True

    def stop(self):
        """Stops it at once, even with transactions under way."""
        self.process.terminate()
        self.process.wait()

    def restart(self):
        self.stop()
        self.start()

    def url(self, database):
        return database.url(hosts=[self.path], port=PORT)
