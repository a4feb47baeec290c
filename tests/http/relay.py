"""A connection between the service and PostgreSQL that can be interrupted without either side noticing."""

import contextlib
import select
import socket
import ssl
import struct
import threading

BLOCK = 65536


class Relay:
    """Listens on the socket of a libpq host, and forwards to a cluster. While it is silent, no bytes pass and no connection closes. It can
    lose what the server says to a statement with certain words, and its connection."""

    def __init__(self, folder, target):
        self.target = str(target / ".s.PGSQL.5432")
        self.host = folder
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / ".s.PGSQL.5432"))
        self.listener.listen(64)
        self.is_silent = False
        self.is_over = False
        self.partners = {}
        self.words, self.losses_left, self.on_loss = None, 0, None
        self.asking = set()  # the servers' ends of the connections on which the words were sent
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
    def losing(self, words, times, on_loss=lambda: None):
        """The server's next answers to the words are lost, so many times. on_loss is called before the connection ends."""
        self.on_loss, self.losses_left, self.words = on_loss, times, words.encode()
        yield
        self.words = None
        assert self.losses_left == 0

    def fall_silent(self):
        self.is_silent = True

    @contextlib.contextmanager
    def silent(self):
        self.fall_silent()
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
            if end in self.asking:
                self.lose(end)
                data = b""
            if data:
                if self.words and self.words in data and self.losses_left > 0:
                    self.asking.add(self.partners[end])
                self.partners[end].sendall(data)
                return
        for closed in (self.partners.pop(end), end):
            self.partners.pop(closed, None)
            closed.close()

    def lose(self, end):
        self.asking.discard(end)
        self.losses_left -= 1
        self.on_loss()


class TlsRelay(threading.Thread):
    """Ends TLS in front of a cluster, and fills TLS records up to their maximum of 16 KiB, which PostgreSQL itself does not do."""

    TLS_REQUEST, GSS_REQUEST = 80877103, 80877104  # PostgreSQL's documentation, 55.7
    QUIET = 0.005  # s without bytes of the server, after which they are sent on

    def __init__(self, address, target, certificate, key, head=0):
        """head: the first so many bytes of each answer are sent in a record of their own."""
        super().__init__()
        self.head = head
        self.address = address
        self.target = str(target / ".s.PGSQL.5432")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server((address, 5432))
        self.ends = [self.listener]
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.join()
        for end in self.ends:
            end.close()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(near,)).start()

    def serve(self, near):
        with contextlib.suppress(OSError):
            while struct.unpack("!II", near.recv(8))[1] != self.TLS_REQUEST:
                near.sendall(b"N")
            near.sendall(b"S")
            near = self.context.wrap_socket(near, server_side=True)
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.target)
            self.ends += [near, far]
            threading.Thread(target=self.bring_back, args=(far, near)).start()
            while data := near.recv(BLOCK):
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)

    def bring_back(self, far, near):
        with contextlib.suppress(OSError):
            while data := far.recv(BLOCK):
                while select.select([far], [], [], self.QUIET)[0] and (more := far.recv(BLOCK)):
                    data += more
                for part in filter(None, (data[: self.head], data[self.head :])):
                    near.sendall(part)
            near.shutdown(socket.SHUT_RDWR)
