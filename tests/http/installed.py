"""A service whose program can be replaced, as a package manager does it."""

import os
import shutil
import signal

from places import CRUDDURD
from service import Service

WORKERS = 3
TAKEN, REFUSED = "has taken over", "the old one stays"


class Installed(Service):
    """A service with its own copy of the program, which can be replaced."""

    def __init__(self, cluster, folder, **settings):
        self.program = folder / "cruddurd"
        self.settings_file = folder / "settings"
        self.write_settings("")
        install(self.program)
        super().__init__(
            cluster, launcher=lambda _: [self.program], settings_file=self.settings_file, **{"workers": WORKERS} | settings
        )

    def write_settings(self, text):
        self.settings_file.write_text(text)
        self.settings_file.chmod(0o600)

    def hup(self, outcome):
        """Sends HUP and waits for that message."""
        before = self.log.text.count(outcome)
        self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_for_message(outcome, before + 1)

    def upgrade(self):
        install(self.program)
        taken = self.log.text.count(TAKEN)
        self.daemon.reload()
        assert self.log.text.count(TAKEN) == taken + 1


def install(program, source=CRUDDURD):
    """Installs a program as a package manager does: a new file is renamed to the old one's name."""
    shutil.copy(source, f"{program}.new")
    os.rename(f"{program}.new", program)


def install_script(program, text):
    """Installs a script as the program."""
    new = program.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o755)
    new.rename(program)
