"""The limits of posts and messages of one user within an hour: just below and above them, and when the user may write again."""

import uuid

import pytest

from issuer import TokenService

MOST = 5
HOUR = 3600
FULL = (429, ["posts_exceed_hourly_max"])
FULL_OF_MESSAGES = (429, ["messages_exceed_hourly_max"])


@pytest.fixture
def service(cluster):
    with TokenService(cluster, workers=2, posts_per_hour=MOST, messages_per_hour=MOST) as service:
        service.database.sql("update activities set created_at = created_at - interval '1 day'")
        service.database.sql("update messages set created_at = created_at - interval '1 day'")
        yield service


def post(service, handle="londo", message="one more", **headers):
    return service.ask_as(handle, "POST", "/api/activities", {"message": message, "ttl": "1-day"}, headers)


def said(reply):
    return reply.status, reply.json


def age(service, table, seconds, where="true"):
    """Changes the rows as if they had been made so many seconds ago."""
    service.database.sql(f"update {table} set created_at = now() - make_interval(secs => {seconds}) where {where}")


def retry_after(reply):
    value = reply.headers["Retry-After"]
    assert value.isdigit()
    return int(value)


def fill(service, handle="londo"):
    """Makes as many posts as the author may. Returns their uuids, the oldest first."""
    replies = [post(service, handle, f"number {number}") for number in range(MOST)]
    assert {reply.status for reply in replies} == {200}
    return [reply.json["uuid"] for reply in replies]


def test_the_limit_and_one_more(service):
    fill(service)
    before = service.database.messages()
    reply = post(service)
    assert said(reply) == FULL
    assert HOUR - 600 <= retry_after(reply) <= HOUR
    assert service.line_of(reply)["code"] == "posts_exceed_hourly_max"
    assert service.database.messages() == before
    assert post(service, "bayko").status == 200


def test_replies_and_posts_are_one_count(service):
    parent = service.create_as("bayko")["uuid"]
    for _ in range(MOST - 1):
        assert service.reply_as("londo", parent).status == 200
    assert post(service).status == 200
    reply = service.reply_as("londo", parent)
    assert said(reply) == FULL and retry_after(reply) >= 1
    assert said(post(service)) == FULL
    assert service.get(f"/api/activities/{parent}").json["activity"]["replies_count"] == MOST - 1


def test_what_was_deleted_or_has_expired_counts(service):
    made = fill(service)
    for gone in made[:2]:
        assert service.ask_as("londo", "DELETE", f"/api/activities/{gone}").status == 200
    service.database.sql("update activities set expires_at = now() where uuid = %s", made[2])
    assert said(post(service)) == FULL


@pytest.mark.parametrize("age_s, low, high", [(HOUR - 1800, 1200, 1800), (0, HOUR - 600, HOUR)])
def test_retry_after_is_when_the_oldest_leaves_the_hour(service, age_s, low, high):
    oldest, *others = fill(service)
    age(service, "activities", age_s, f"uuid = '{oldest}'")
    assert low <= retry_after(post(service)) <= high
    age(service, "activities", 0, f"uuid in ('{others[0]}', '{others[1]}')")
    assert low <= retry_after(post(service)) <= high


def test_retry_after_comes_true(service):
    """After that many seconds the author may make one more post."""
    oldest, *others = fill(service)
    age(service, "activities", 1000, f"uuid = '{oldest}'")
    wait = retry_after(post(service))
    service.database.sql(f"update activities set created_at = created_at - make_interval(secs => {wait}) where uuid = %s", oldest)
    assert post(service).status == 200
    assert said(post(service)) == FULL


def test_the_number_is_lowered(start_with):
    """The author may post again when fewer posts than the new number are left in the hour, not when the oldest post leaves it."""
    service = start_with(posts_per_hour=MOST)
    made = fill(service)
    for number, uuid_ in enumerate(made):
        age(service, "activities", 3000 - 500 * number, f"uuid = '{uuid_}'")
    lower = start_with(posts_per_hour=2, database=service.database)
    assert 1500 <= retry_after(post(lower)) <= HOUR - 1500


@pytest.fixture
def start_with(cluster):
    services = []

    def start(**settings):
        services.append(TokenService(cluster, workers=1, **settings))
        services[-1].__enter__()
        if "database" not in settings:
            services[-1].database.sql("update activities set created_at = created_at - interval '1 day'")
        return services[-1]

    yield start
    for service in reversed(services):
        service.__exit__(None, None, None)


def test_a_post_that_was_accepted_may_be_sent_again(service):
    """This holds also if the post is one of those that fill the hour and a new key is refused."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = post(service, message="kept", **key)
    for number in range(MOST - 1):
        post(service, message=f"number {number}")
    again = post(service, message="kept", **key)
    assert (again.status, again.json) == (200, first.json)
    assert said(post(service, message="kept", **{"Idempotency-Key": str(uuid.uuid4())})) == FULL
    parent = service.create_as("bayko")["uuid"]
    age(service, "activities", HOUR, "message like 'number%'")
    answered = service.reply_as("londo", parent, "kept reply", **key)
    age(service, "activities", 0, "message like 'number%'")
    assert said(service.reply_as("londo", parent, "another")) == FULL
    assert service.reply_as("londo", parent, "kept reply", **key).json == answered.json


def test_a_refused_one_goes_through_by_the_same_key_later(service):
    fill(service)
    key = {"Idempotency-Key": "later"}
    assert said(post(service, **key)) == FULL
    age(service, "activities", HOUR)
    assert post(service, **key).status == 200


def test_a_clock_that_was_set_back_shuts_no_one_out(service):
    fill(service)
    age(service, "activities", -80000)
    assert post(service).status == 200


def test_the_refusal_as_a_problem(service):
    fill(service)
    reply = post(service, Accept="application/problem+json")
    assert (reply.json["codes"], reply.json["title"]) == (["posts_exceed_hourly_max"], "Too Many Requests")
    assert retry_after(reply) > HOUR - 600


def send(service, handle="londo", message="psst", receiver=None, **document):
    document = document or {"handle": receiver or "bayko"}
    return service.message_as(handle, message=message, **document)


def test_messages_to_one_and_to_others(service):
    group = send(service).json["message_group_uuid"]
    for number in range(MOST - 1):
        assert send(service, message=f"number {number}", message_group_uuid=group).status == 200
    count = service.database.sql("select count(*) from messages")
    groups = service.database.sql("select * from message_groups order by uuid")
    for refused in (send(service), send(service, message_group_uuid=group), send(service, receiver="andrewbrown")):
        assert said(refused) == FULL_OF_MESSAGES
        assert HOUR - 600 <= retry_after(refused) <= HOUR
    assert service.database.sql("select count(*) from messages") == count
    assert service.database.sql("select * from message_groups order by uuid") == groups
    assert send(service, "bayko", message_group_uuid=group).status == 200
    assert post(service).status == 200


def test_a_message_that_was_accepted_may_be_sent_again(service):
    def keyed(key, **document):
        body = {"message": "kept"} | (document or {"handle": "bayko"})
        return service.ask_as("londo", "POST", "/api/messages", body, {"Idempotency-Key": key})

    first = keyed("first")
    second = keyed("second", message_group_uuid=first.json["message_group_uuid"])
    for number in range(MOST - 2):
        assert send(service, message=f"number {number}").status == 200
    assert said(keyed("third")) == FULL_OF_MESSAGES
    assert keyed("first").json == first.json
    assert keyed("second", message_group_uuid=first.json["message_group_uuid"]).json == second.json


def test_room_for_messages_again(service):
    for number in range(MOST):
        assert send(service, message=f"number {number}").status == 200
    age(service, "messages", 1000, "message = 'number 0'")
    wait = retry_after(send(service))
    service.database.sql(f"update messages set created_at = created_at - make_interval(secs => {wait}) where message = 'number 0'")
    assert send(service).status == 200
    assert said(send(service)) == FULL_OF_MESSAGES


def test_zero_is_any_number(start_with):
    service = start_with(posts_per_hour=0, messages_per_hour=0)
    service.database.sql(
        "insert into activities (user_uuid, message) select uuid, 'many' from users, generate_series(1, 700) where handle = 'londo'"
    )
    assert post(service).status == 200
    assert send(service).status == 200


def test_the_shipped_numbers(start_with):
    service = start_with(posts_per_hour=None, messages_per_hour=None)
    service.database.sql(
        "insert into activities (user_uuid, message) select uuid, 'many' from users, generate_series(1, 299) where handle = 'londo'"
    )
    assert post(service).status == 200
    assert said(post(service)) == FULL
    group = send(service).json["message_group_uuid"]
    service.database.sql(
        f"""insert into messages (message_group_uuid, user_uuid, message)
            select '{group}', uuid, 'many' from users, generate_series(1, 598) where handle = 'londo'"""
    )
    assert send(service).status == 200
    assert said(send(service)) == FULL_OF_MESSAGES


def test_the_end_of_what_a_key_made_is_told_in_a_full_hour_too(service):
    """The object was accepted and is gone, so the answer does not ask the client to send it again later."""

    def send_with(key, message, to=None):
        return service.ask_as("londo", "POST", "/api/messages", {"message": message, **(to or {"user_receiver_handle": "bayko"})}, {"Idempotency-Key": key})

    keys = [f"gone {number}".replace(" ", "-") for number in range(2)]
    assert post(service, message="gone", **{"Idempotency-Key": keys[0]}).status == 200
    sent = send_with(keys[1], "gone")
    assert sent.status == 200
    service.database.sql("delete from activities where message = 'gone'")
    service.database.sql("delete from messages where message = 'gone'")
    fill(service)
    while send(service).status == 200:
        pass
    assert said(post(service, message="gone", **{"Idempotency-Key": keys[0]})) == (410, ["activity_deleted"])
    assert said(send_with(keys[1], "gone")) == (410, ["message_deleted"])
    group = sent.json["message_group_uuid"]
    assert said(send_with(keys[1], "gone", {"message_group_uuid": group})) == (410, ["message_deleted"])
    assert said(post(service, message="new", **{"Idempotency-Key": "new"})) == FULL
    assert said(send_with("new", "new")) == FULL_OF_MESSAGES
