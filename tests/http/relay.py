"""A wire between the service and PostgreSQL that can be cut without either noticing."""

import contextlib
import select
import socket
import threading

BLOCK = 65536


class Relay:
    """Listens where a libpq host says, forwards to a cluster. While it is silent nothing passes and nothing closes."""

    def __init__(self, folder, target):
        self.target = str(target / ".s.PGSQL.5432")
        self.host = folder
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / ".s.PGSQL.5432"))
        self.listener.listen(64)
        self.is_silent = False
        self.is_over = False
        self.partners = {}
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        for end in [self.listener, *self.partners]:
            end.close()

    @contextlib.contextmanager
    def silent(self):
        self.is_silent = True
        yield
        self.is_silent = False

    def run(self):
        while not self.is_over:
            ends = [] if self.is_silent else [self.listener, *self.partners]
            for end in select.select(ends, [], [], 0.005)[0]:
                if end is self.listener:
                    self.accept()
                elif end in self.partners:
                    self.forward(end)

    def accept(self):
        near, _ = self.listener.accept()
        far = socket.socket(socket.AF_UNIX)
        far.connect(self.target)
        self.partners |= {near: far, far: near}

    def forward(self, end):
        with contextlib.suppress(ConnectionError):
            data = end.recv(BLOCK)
            if data:
                self.partners[end].sendall(data)
                return
        for closed in (self.partners.pop(end), end):
            self.partners.pop(closed, None)
            closed.close()
