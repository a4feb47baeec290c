"""doc/openapi.yaml against the deployed service: the tests of test_openapi.py, except those that need a service of their own or one with
--identity handle."""

import pytest

import test_openapi

# A request without a token gets these codes in handle mode only; otherwise it gets 401.
HANDLE_MODE = {"user_handle_blank", "user_not_found"}
# For the first code test_openapi.py bypasses nginx; the second takes longer than the shipped time-outs on a slow machine.
ELSEWHERE = {"body_truncated", "growth_behind"}


def is_reachable(operation, _status, code):
    on, _ = test_openapi.SPECIAL.get((operation.id, code)) or test_openapi.RECIPES[code]
    if (operation.id, code) == ("showMetrics", "generic_403"):  # see test_metrics_are_for_the_own_machine
        return False
    return on == "service" and code not in ELSEWHERE and (operation.is_signed or code not in HANDLE_MODE)


FAILURES = [failure for failure in test_openapi.FAILURES if is_reachable(*failure)]


@pytest.fixture(scope="module", autouse=True)
def rows(service):
    test_openapi.add_rows(service.database)


@pytest.mark.parametrize("operation, status, code", FAILURES, ids=test_openapi.name_of)
def test_failures(request, service, operation, status, code):
    test_openapi.test_failures(request, service, operation, status, code)


def test_metrics_are_for_the_own_machine(service):
    with service.connect() as connection:
        reply = connection.ask("GET", "/metrics")
    assert (reply.status, reply.codes) == (403, ["generic_403"])


# --- tests of test_openapi.py unchanged, after the failures, which expect only the users of the seed ---

test_every_body_as_in_its_examples = test_openapi.test_every_body_as_in_its_examples
test_every_parameter_as_in_its_example = test_openapi.test_every_parameter_as_in_its_example
test_head = test_openapi.test_head
test_limits_are_code_points = test_openapi.test_limits_are_code_points
test_lists_go_on = test_openapi.test_lists_go_on
test_successes = test_openapi.test_successes
test_the_methods_of_a_path = test_openapi.test_the_methods_of_a_path


@pytest.mark.parametrize("path", [path for path in test_openapi.DOCUMENT.paths if path.startswith("/api/")])
def test_paths_that_are_not_there(service, path):
    """All others are the web client's."""
    test_openapi.test_paths_that_are_not_there(service, path)
