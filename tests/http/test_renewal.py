"""The cached home after each kind of write of the pool: the next request sees it, whatever the watcher has seen."""

import pytest

from cluster import frozen
from issuer import TokenService


@pytest.fixture(scope="module")
def service(cluster):
    """A service whose watcher polls rarely, and which serves a cached page without a poll for five times as long."""
    with TokenService(cluster, workers=2, feed_watch=1000) as service:
        yield service


def ask(method, target, document=None, handle="bayko"):
    return lambda service, post: service.ask_as(handle, method, target.format(post=post), document)


WRITES = {
    "create": (ask("POST", "/api/activities", {"message": "new", "ttl": "1-day"}), None),
    "like": (ask("PUT", "/api/activities/{post}/like"), "likes_count"),
    "unlike": (ask("DELETE", "/api/activities/{post}/like"), "likes_count"),
    "repost": (ask("PUT", "/api/activities/{post}/repost"), "reposts_count"),
    "unrepost": (ask("DELETE", "/api/activities/{post}/repost"), "reposts_count"),
    "reply": (ask("POST", "/api/activities/{post}/reply", {"message": "yes"}), "replies_count"),
    "keep": (ask("PUT", "/api/activities/{post}/keep", {"ttl": "30-days"}, "londo"), "expires_at"),
    "profile": (ask("PUT", "/api/profile/update", {"display_name": "Another Name", "bio": ""}, "londo"), "display_name"),
    "delete": (ask("DELETE", "/api/activities/{post}", None, "londo"), None),
}


def test_the_next_request_sees_it(service):
    """All writes concern one post, one after the other."""
    post = service.create_as("londo", "renewed", ttl="1-day")["uuid"]
    (watcher,) = service.daemon.watchers()

    def seen():
        return {row["uuid"]: row for row in service.home().json}

    for name, (write, field) in WRITES.items():
        for _ in range(4):
            before = seen()  # so that each worker has it in its cache
        with frozen(watcher):
            assert write(service, post).status == 200, name
            for _ in range(4):
                after = seen()
                if name == "create":
                    assert len(after) == len(before) + 1
                elif name == "delete":
                    assert post not in after
                else:
                    assert after[post][field] != before[post][field], name
