"""A service whose reads go to standbys as long as they may."""

import re


class Replicated:
    """Beside a Service, which it is to precede among the bases of a class."""

    standbys = ()  # of READ_CONNECTION_URL, in this order

    def launch(self):
        file = self.path / "read-url"
        file.write_text(self.database.url(hosts=[standby.sockets for standby in self.standbys], target_session_attrs="standby"))
        file.chmod(0o600)
        self.settings["read_connection_url_file"] = file
        super().launch()

    def counts(self):
        """How many reads a replica ran, of these in place of the primary, and by each reason how many the primary."""
        text = self.get("/metrics").body.decode()
        found = dict(re.findall(r'^cruddur_replica_fallbacks_total{reason="(\w+)"} (\d+)$', text, re.M))
        found["replica"] = re.search(r"^cruddur_replica_reads_total (\d+)$", text, re.M)[1]
        found["stale"] = re.search(r"^cruddur_replica_stale_reads_total (\d+)$", text, re.M)[1]
        return {name: int(count) for name, count in found.items()}

    def prober(self):
        return next((process.pid for process in self.daemon.children() if process.name == "cruddur-probe"), None)
