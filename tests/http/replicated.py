"""A service whose reads go to standbys whenever that is allowed."""

import re


class Replicated:
    """A mixin for a Service. It must precede the Service among the bases of a class."""

    standbys = ()  # the hosts of READ_CONNECTION_URL, in this order

    def launch(self):
        file = self.path / "read-url"
        file.write_text(self.database.url(hosts=[standby.sockets for standby in self.standbys], target_session_attrs="standby"))
        file.chmod(0o600)
        self.settings["read_connection_url_file"] = file
        super().launch()

    def counts(self):
        """The number of reads that replicas ran, of those that they ran in place of the primary, and of the fallbacks by each reason."""
        text = self.get("/metrics").body.decode()
        found = dict(re.findall(r'^cruddur_replica_fallbacks_total{reason="(\w+)"} (\d+)$', text, re.M))
        found["replica"] = re.search(r"^cruddur_replica_reads_total (\d+)$", text, re.M)[1]
        found["stale"] = re.search(r"^cruddur_replica_stale_reads_total (\d+)$", text, re.M)[1]
        return {name: int(count) for name, count in found.items()}

    def prober(self):
        return next((process.pid for process in self.daemon.children() if process.name == "cruddur-probe"), None)
