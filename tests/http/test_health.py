"""GET /api/health-check, /livez and /readyz."""

import pytest

HEALTHY = {"success": True, "ver": 1}


@pytest.mark.parametrize("path", ["/api/health-check", "/livez", "/readyz"])
def test_all_is_well(service, path):
    reply = service.get(path)
    assert reply.status == 200
    assert reply.json == HEALTHY
    assert reply.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/api/health-check", "/livez"])
def test_life_needs_no_database(service, path):
    with service.database.locked(), service.database.locked("activities"):
        assert service.get(path).status == 200
