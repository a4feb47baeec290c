"""A host that serves: nginx and cruddurd."""

import shutil

from nodes import fill, write
from places import TOP, nginx_program
from rooms import Room

WORKERS = 2
PORT = 8080  # nginx's


class Host(Room):
    USER = "www-data"

    def __init__(self, folder, name, address, web_address):
        """address is the host's in the databases' network, web_address the one at which it serves."""
        super().__init__(folder, name)
        self.address = address
        self.web_address = web_address
        self.place = folder / name
        self.installed = folder / "root/usr/local"

    def make(self, url, read_url, keys):
        """Makes the host's folders and files. url and read_url are those of the database and of its standbys."""
        for name in ("nginx/tmp", "nginx/log", "run"):
            (self.place / name).mkdir(parents=True)
            shutil.chown(self.place / name, self.USER, self.USER)
        socket = self.place / "run/cruddurd.sock"
        for name in ("cruddur.conf", "events.conf", "metrics.conf"):
            shutil.copy(TOP / "nginx" / name, self.place / "nginx")
        (self.place / "nginx/nginx.conf").write_text(fill("nginx.conf.in", {"SOCKET": socket, "ADDRESS": self.web_address}))
        write(self.place / "connection-url", url, self.USER)
        write(self.place / "read-url", read_url, self.USER)
        values = {"URL_FILE": self.place / "connection-url", "READ_URL_FILE": self.place / "read-url", "SOCKET": socket, "WORKERS": WORKERS}
        write(self.place / "cruddur.conf", fill("cruddur.conf.in", values) + self.further_settings(keys), self.USER)

    def further_settings(self, keys):
        """Settings that a real host has different values of: an issuer, and limits for people."""
        settings = {
            "CRUDDUR_SQL_DIR": self.installed / "share/cruddur/sql", "CRUDDUR_ISSUER": keys.issuer, "AWS_COGNITO_USER_POOL_CLIENT_ID": keys.client,
            "CRUDDUR_JWKS_FILE": keys.file, "CRUDDUR_POSTS_PER_HOUR": 0, "CRUDDUR_MESSAGES_PER_HOUR": 0, "CRUDDUR_REPEAT_WINDOW": 0,
        }  # fmt: skip
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def start_cruddurd(self):
        self.start("cruddurd", self.USER, [self.installed / "sbin/cruddurd", "--settings-file", self.place / "cruddur.conf"], self.place)

    def start_nginx(self):
        self.start("nginx", self.USER, [nginx_program(), "-p", f"{self.place}/nginx/", "-c", "nginx.conf", "-e", "stderr"], self.place / "nginx")

    def start_all(self):
        """Starts those of the servers that do not run."""
        for name, start in (("cruddurd", self.start_cruddurd), ("nginx", self.start_nginx)):
            if not self.pids(name):
                start()
