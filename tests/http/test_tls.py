"""TLS between the service and PostgreSQL. The socket is not readable for bytes that libpq has received and not used yet."""

import pytest

from client import Asking
from cluster import SelfSignedCluster, loopback_address, make_certificate
from relay import TlsRelay
from service import Service

ROWS = 200


@pytest.fixture(scope="module")
def tls_cluster():
    with SelfSignedCluster(address=loopback_address()) as cluster:
        yield cluster


# Behind a short record a long one does not fit into the rest of libpq's buffer, which has 16 KiB at first. OpenSSL keeps what does not
# fit.
@pytest.fixture(params=[0, 5000])
def filled_records(cluster, tmp_path, request):
    """A function that returns the URL of a database, by way of a relay."""
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    make_certificate(certificate, key)
    with TlsRelay(loopback_address(), cluster.sockets, certificate, key, request.param) as relay:
        yield lambda database: database.url(hosts=[relay.address], sslmode="require")


def start_over(service, url):
    service.write_url(url)
    service.daemon.reload()
    return service


def check_answers_of_all_sizes(service):
    """The answers come one after the other, as libpq's buffer grows with them, and several at once on one session. If the worker
    did not read the rest of an answer, the request would time out."""
    service.database.add_activities(ROWS, message="repeat('\U0001f4a9', 280)")
    rows = {limit: service.home(f"?limit={limit}").json for limit in [*range(1, 40), *range(40, ROWS, 7), ROWS]}
    whole = rows[ROWS]
    assert [len(rows[limit]) for limit in rows] == list(rows)
    assert all(rows[limit] == whole[:limit] for limit in rows)
    askings = [(limit, Asking(service.home, f"?limit={limit}")) for limit in range(3, ROWS, 9)]
    assert all(asking.reply().json == whole[:limit] for limit, asking in askings)
    for number in range(10):
        assert service.create(f"number {number}").status == 200


def test_a_server_that_speaks_tls(tls_cluster):
    with Service(tls_cluster, workers=1, feed_watch=0) as service:
        start_over(service, service.database.url(sslmode="require"))
        assert service.home().status == 200
        for backend in service.database.backends():
            assert service.database.sql("select ssl from pg_stat_ssl where pid = %s", backend) == [(True,)]
        check_answers_of_all_sizes(service)


def test_records_as_large_as_they_may_be(start, filled_records):
    service = start(workers=1, feed_watch=0)
    start_over(service, filled_records(service.database))
    check_answers_of_all_sizes(service)
