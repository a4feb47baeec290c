"""Functions that the tests of likes, reposts, follows and notifications share."""

import pytest

EXPIRE = "update activities set created_at = now() - interval '2 days', expires_at = now() - interval '1 second' where uuid = %s"

# The table of a mark, its count on the activity, and the field of an activity that says whether the caller has set the mark.
MARKS = {"like": ("likes", "likes_count", "liked"), "repost": ("reposts", "reposts_count", "reposted")}


def mark(service, handle, what, activity, method="PUT"):
    return service.ask_as(handle, method, f"/api/activities/{activity}/{what}")


def marked(service, handle, what, activity, method="PUT"):
    reply = mark(service, handle, what, activity, method)
    assert reply.status == 200, reply
    return reply.json


def follow(service, follower, followed, method="PUT"):
    return service.ask_as(follower, method, f"/api/users/@{followed}/follow")


def followed(service, follower, followed_one, method="PUT"):
    reply = follow(service, follower, followed_one, method)
    assert reply.status == 200, reply
    return reply.json


def listed(service, handle, target):
    """All rows of a list, and the sizes of its pages."""
    rows, sizes = [], []
    while target:
        reply = service.ask_as(handle, "GET", target)
        assert reply.status == 200, reply
        rows += reply.json
        sizes.append(len(reply.json))
        target = reply.next_page
    return rows, sizes


def check_counts(database):
    """Checks that every count on an activity equals the number of its rows."""
    wrong = database.sql(
        """select uuid, likes_count, likes, reposts_count, reposts, replies_count, replies
           from activities a
           cross join lateral (select count(*) as likes from likes where activity_uuid = a.uuid) l
           cross join lateral (select count(*) as reposts from reposts where activity_uuid = a.uuid) r
           cross join lateral (select count(*) as replies from activities where reply_to_activity_uuid = a.uuid and deleted_at is null and hidden_expires_at is null) s
           where deleted_at is null and (likes_count, reposts_count, replies_count) <> (likes, reposts, replies)"""
    )
    assert wrong == []


# The notifications that users must have, computed from the rows that they are about.
TOLD = """
    select a.user_uuid, 'like' as kind, l.user_uuid as actor_uuid, a.uuid as activity_uuid
    from likes l join activities a on a.uuid = l.activity_uuid
    union all
    select a.user_uuid, 'repost', r.user_uuid, a.uuid
    from reposts r join activities a on a.uuid = r.activity_uuid
    union all
    select followed_uuid, 'follow', follower_uuid, null from follows
    union all
    select p.user_uuid, 'reply', a.user_uuid, a.uuid
    from activities a join activities p on p.uuid = a.reply_to_activity_uuid
    union all
    select m, 'mention', a.user_uuid, a.uuid
    from activities a
    cross join mentioned_users(a.message) m
    left join activities p on p.uuid = a.reply_to_activity_uuid
    where m is distinct from p.user_uuid
"""


def check_told(database):
    """Checks that every user is notified once of what others did, and of nothing else."""
    told = f"select * from ({TOLD}) told where user_uuid <> actor_uuid"
    kept = "select user_uuid, kind, actor_uuid, activity_uuid from notifications"
    assert database.sql(f"({told} except all {kept}) union all ({kept} except all {told})") == []


def check_strangers(service, method, target, document=None):
    """Checks the answers to a request without a token, and with the token of a subject that is no user."""
    reply = service.ask_as(None, method, target, document)
    assert (reply.status, reply.json) == (401, ["generic_401"])
    reply = service.ask_as("stranger", method, target, document)
    assert (reply.status, reply.json) == (403, ["user_not_registered"])


parametrize_marks = pytest.mark.parametrize("what", MARKS)
