"""PostgreSQL's plans of each statement: the SQL that cruddurd prepares, rows to run it on, and the plans with the rows that they read."""

import collections
import contextlib
import json
import re
import statistics

from cluster import HOOK_PASSWORD
from daemon import run_once
from places import SQL, Folder

PARSED = re.compile(r"LOG:  duration: \S+ ms  parse ([a-z0-9_]+/[a-z0-9_]+): (.*(?:\n\t.*)*)")
NEVER = 2**62  # a value for a write's not_after that never comes
LAST_UUID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

# Users 1 to {users}, whose handles are user1, user2 …, and activities over the last year with the frontends' lifetimes in turn, so that
# most have expired. Every tenth has a reply. Then follow activities that lived for an hour and have just ended, one for twenty others, and
# none was written since: the newest rows are all expired ones. The first users have the most activities, user1 one in twenty.
# user2 talks with all users, user3 and user4 talk with each other all the time. One of user5's activities has all the replies that
# have not expired, and all users like and repost it. Every activity has another like, every tenth a repost. user6 follows the thousand
# with the most posts, user7 the thousand with the fewest, user8 twenty, user10 all from the eleventh on.
ROWS = """
insert into users (uuid, display_name, handle, email, cognito_user_id)
select md5('user ' || n)::uuid, 'Person ' || n, 'user' || n, 'user' || n || '@example.com', 'sub-' || n
from generate_series(1, {users}) n;

insert into activities (uuid, user_uuid, message, created_at, expires_at)
select
    md5('activity ' || n)::uuid,
    md5('user ' || 1 + ({users} * power((hashint8(n) & 65535) / 65536.0, 3))::integer % {users})::uuid,
    'Number ' || n || repeat(' of "many"', n % 10) || case when n % 3 = 0 then ' #tag' || n % 50 when n = 700 then ' #rare' else '' end,
    at,
    at + (array['30 days', '7 days', '3 days', '1 day', '12 hours', '3 hours', '1 hour'])[1 + n % 7]::interval
from generate_series(1, {activities}) n
cross join lateral (select now() - interval '2 hours' - interval '365 days' * ({activities} - n) / {activities} as at) moment;

insert into activities (uuid, user_uuid, message, created_at, expires_at, reply_to_activity_uuid)
select
    md5('reply ' || n)::uuid,
    md5('user ' || 1 + n % {users})::uuid,
    'I agree',
    parent.created_at + interval '1 second',
    parent.expires_at,
    parent.uuid
from generate_series(1, {activities}, 10) n
join activities parent on parent.uuid = md5('activity ' || n)::uuid;

insert into activities (user_uuid, message, created_at, expires_at)
select
    md5('user ' || 1 + n % {users})::uuid,
    'Gone',
    now() - interval '1 hour' - n * interval '10 milliseconds',
    now() - n * interval '10 milliseconds'
from generate_series(0, {activities} / 20) n;

insert into activities (uuid, user_uuid, message, created_at, expires_at)
values (md5('popular')::uuid, md5('user 5')::uuid, 'Everyone has an opinion', now() - interval '2 days', now() + interval '28 days');
insert into activities (user_uuid, message, created_at, expires_at, reply_to_activity_uuid)
select
    md5('user ' || 1 + n % {users})::uuid,
    'An opinion',
    now() - interval '1 day' + n * interval '1 millisecond',
    now() + interval '28 days',
    md5('popular')::uuid
from generate_series(1, {activities} / 20) n;
update activities set replies_count = {activities} / 20, likes_count = {users} - 1, reposts_count = {users} - 1 where uuid = md5('popular')::uuid;

insert into likes (user_uuid, activity_uuid, created_at)
select md5('user ' || n)::uuid, md5('popular')::uuid, now() - n * interval '1 second'
from generate_series(1, {users}) n
where n <> 5;
insert into likes (user_uuid, activity_uuid, created_at)
select md5('user ' || 1 + n * 7 % {users})::uuid, uuid, created_at + interval '1 second'
from generate_series(1, {activities}) n
join activities on uuid = md5('activity ' || n)::uuid;
insert into reposts (user_uuid, activity_uuid, created_at)
select md5('user ' || 1 + n * 3 % {users})::uuid, uuid, created_at + interval '1 second'
from generate_series(1, {activities}, 10) n
join activities on uuid = md5('activity ' || n)::uuid;
insert into reposts (user_uuid, activity_uuid, created_at)
select md5('user ' || n)::uuid, md5('popular')::uuid, now() - interval '300 days' - n * interval '1 second' -- not among the newest events
from generate_series(1, {users}) n
where n <> 5;
insert into follows (follower_uuid, followed_uuid)
select md5('user 6')::uuid, md5('user ' || n)::uuid from generate_series(1, least(1001, {users})) n where n <> 6
union all
select md5('user 7')::uuid, md5('user ' || n)::uuid from generate_series(greatest({users} - 999, 8), {users}) n
union all
select md5('user 8')::uuid, md5('user ' || n)::uuid from generate_series(9, 28) n
union all
select md5('user 10')::uuid, md5('user ' || n)::uuid from generate_series(11, {users}) n
union all
select md5('user ' || n)::uuid, md5('user ' || other)::uuid from generate_series(9, {users}) n, generate_series(1, 8) other where n <> 10;
insert into notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
select a.user_uuid, l.created_at, event_uuid('like', l.user_uuid, a.uuid), 'like', l.user_uuid, a.uuid
from likes l
join activities a on a.uuid = l.activity_uuid
where a.user_uuid <> l.user_uuid and a.expires_at > now()
union all
select a.user_uuid, r.created_at, r.uuid, 'reply', r.user_uuid, r.uuid
from activities r
join activities a on a.uuid = r.reply_to_activity_uuid
where a.user_uuid <> r.user_uuid and r.expires_at > now();

insert into withdrawn_notifications (key, user_uuid, created_at, uuid, kind, actor_uuid, was_read)
select md5('withdrawn ' || n)::uuid, md5('user ' || n)::uuid, now() - interval '1 year', md5('notification ' || n)::uuid, 'follow',
    md5('user ' || n + 1)::uuid, true
from generate_series(1, {users} - 1) n;
insert into confirmations (user_uuid, signed_at, events) select uuid, now() - interval '1 year', '{{}}' from users;
insert into used_keys (uuid) select md5('key ' || n)::uuid from generate_series(1, {users}) n;
insert into notification_reads (user_uuid, read_at) select uuid, now() - interval '1 month' from users;

insert into message_groups (uuid, first_user_uuid, second_user_uuid, last_message_at)
select md5('talk ' || n)::uuid, least(one, other), greatest(one, other), now() - n * interval '1 minute'
from (
    select n, md5('user ' || case when n % 2 = 0 then 2 else n end)::uuid as one, md5('user ' || n + 1)::uuid as other
    from generate_series(1, {users} - 1) n
) pair
where one <> other;
insert into messages (message_group_uuid, user_uuid, message, created_at)
select uuid, first_user_uuid, 'Hello', last_message_at from message_groups;
insert into messages (message_group_uuid, user_uuid, message, created_at)
select md5('talk 3')::uuid, md5('user ' || 3 + n % 2)::uuid, 'And then', now() - n * interval '1 second'
from generate_series(1, {activities} / 4) n;
insert into reports (activity_uuid, reporter_uuid, author_uuid, message, reason)
select md5('reported ' || n)::uuid, md5('user ' || n)::uuid, md5('user 5')::uuid, 'x', 'spam' from generate_series(1, {users}) n;
insert into blocks (user_uuid, blocked_uuid) select md5('user 11')::uuid, md5('user ' || n)::uuid from generate_series(20, {users}, 2) n;
insert into mutes (user_uuid, muted_uuid) select md5('user 11')::uuid, md5('user ' || n)::uuid from generate_series(21, {users}, 4) n;
-- user13 mutes the user that caused all of user13's notifications.
insert into notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
select md5('user 13')::uuid, now() - n * interval '1 second', md5('muted ' || n)::uuid, 'mention', md5('user 14')::uuid, md5('popular')::uuid
from generate_series(1, 20000) n;
insert into mutes (user_uuid, muted_uuid) select md5('user 13')::uuid, md5('user 14')::uuid;
-- As many users as there are have left within the last hour.
insert into departures (user_uuid, cognito_user_id, folded_handle, due_at)
select md5('left ' || n)::uuid, 'left-' || n, 'left' || n, now() + interval '1 hour' from generate_series(1, {users}) n;
insert into conversation_reads (message_group_uuid, user_uuid, read_at)
select uuid, unnest(array[first_user_uuid, second_user_uuid]), created_at - interval '1 day'
from message_groups
where hashint8(extract(epoch from last_message_at)::bigint) % 2 = 0;
"""

Statement = collections.namedtuple("Statement", "sql parameters")

# text: without nodes that were not run; path: the scans in short; most_rows: of the busiest node, rows that it returned or filtered out
Plan = collections.namedtuple("Plan", "text path buffers most_rows seq_scans")

# Some posts and reposts are written by a later transaction than all the others, for the statements with a snapshot.
LATER = """
with live as (
    select uuid from activities where reply_to_activity_uuid is null and coalesce(expires_at > now() + interval '1 day', true) limit 20
)
update activities set written_by = default where uuid in (select uuid from live);
with live as (
    select r.user_uuid, r.activity_uuid
    from reposts r
    join activities a on a.uuid = r.activity_uuid
    where coalesce(a.expires_at > now() + interval '1 day', true)
    limit 20
)
update reposts r set written_by = default from live where (r.user_uuid, r.activity_uuid) = (live.user_uuid, live.activity_uuid);
"""


# The indexes that do not belong to a unique or primary key constraint.
INDEXES = """
select indexrelid::regclass::text, pg_get_indexdef(indexrelid)
from pg_index
join pg_class on pg_class.oid = indrelid
where relnamespace = 'public'::regnamespace and not indisunique"""


def load(database, users, activities, is_indexed_at_once=False):
    """Loads the rows into a database that is empty but for the seed. Indexes that grow with the rows have some more pages, as in service;
    making them afterwards (is_indexed_at_once) takes a third of the time."""
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(INDEXES)
        indexes = dict(cursor.fetchall()) if is_indexed_at_once else {}
        for name in indexes:
            cursor.execute(f"drop index {name}")
        # Foreign keys aren't checked row by row.
        cursor.execute("set statement_timeout = 0; alter table activities enable always trigger activities_search")
        cursor.execute("alter table users enable always trigger users_folded_handle")
        cursor.execute("set session_replication_role = replica")
        cursor.execute(ROWS.format(users=users, activities=activities))
        for definition in indexes.values():
            cursor.execute(definition)
        cursor.execute(LATER)
        cursor.execute("set session_replication_role = origin")
        is_left = True
        while is_left:  # as bin/db-purge does
            cursor.execute("select close_growth()")
            ((is_left,),) = cursor.fetchall()
        cursor.execute("vacuum analyze")


def secret(folder, name, text):
    """A file that others cannot read."""
    path = folder.path / name
    path.touch(0o600)
    path.write_text(text)
    return path


def statements(database, sql_dir=SQL):
    """{name: Statement} as cruddurd has them prepared, read from PostgreSQL's log."""
    at = database.cluster.log.stat().st_size
    database.sql(f"alter database {database.name} set log_min_duration_statement = 0")
    folder = Folder()
    try:
        run = run_once(
            *("--check", "--sql-dir", sql_dir, "--identity", "handle"),
            *("--hook-secret-file", secret(folder, "secret", "s" * 32)),
            *("--hook-connection-url-file", secret(folder, "url", database.url("cruddur_hook", HOOK_PASSWORD))),
            environment={"CONNECTION_URL": database.url()},
        )
    finally:
        folder.remove()
        database.sql(f"alter database {database.name} reset log_min_duration_statement")
    assert run.returncode == 0, run.stderr
    log = database.cluster.log.read_bytes()[at:].decode()
    found = {name: sql.replace("\n\t", "\n") for name, sql in PARSED.findall(log)}
    return {name: Statement(sql, parameters(sql, (sql_dir / f"{name}.sql").read_text())) for name, sql in found.items()}


def parameters(sql, template):
    """The names of $1, $2, …: each is at the place where the template has its name."""
    sql, template = (re.sub(r"--.*", "", text) for text in (sql, template))
    names = dict(zip(map(int, re.findall(r"\$(\d+)", sql)), re.findall(r"%\((\w+)\)s", template), strict=True))
    return [names[number] for number in sorted(names)]


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def path_of(plan):
    """The indexes and tables from which the plan reads rows, and how many each time; for example ["users_pkey 1 × 50"]."""
    path = []
    for node in nodes(plan):
        place = node.get("Index Name") or (node["Node Type"] == "Seq Scan" and f"all {node['Relation Name']}")
        if place and node["Actual Loops"]:
            count = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            path.append(f"{place} {count}" + (f" × {node['Actual Loops']}" if node["Actual Loops"] > 1 else ""))
    return path


def merged(plans):
    """One plan for several runs of it: each node's loops in all of them, and its rows for each loop."""
    plan = dict(plans[0])
    loops = sum(each["Actual Loops"] for each in plans)
    for count in {"Actual Rows", "Rows Removed by Filter"} & set(plan):
        plan[count] = round(sum(each[count] * each["Actual Loops"] for each in plans) / max(loops, 1))
    plan["Actual Loops"] = loops
    plan["Plans"] = [merged(children) for children in zip(*(each.get("Plans", ()) for each in plans), strict=True)]
    return plan


def in_short(lines):
    """A plan's text without the nodes that were never run."""
    short, hidden = [], None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if hidden is not None and indent > hidden:
            continue
        hidden = indent if "(never executed)" in line else None
        if hidden is None and not (short and line.lstrip().startswith("Buffers:")):
            short.append(line)
    return "\n".join(short)


def is_write(plan):
    return any(node["Node Type"] in ("ModifyTable", "LockRows") for node in nodes(plan))


PLAN = re.compile(r"DEBUG:  duration: \S+ ms  plan:\n(.*)", re.S)


def json_plan(text):
    plan = json.loads(text)
    return plan["Query Text"], plan["Plan"]


def text_plan(text):
    """The text of the query, and the lines of the plan, which begin at the first line with costs."""
    lines = text.splitlines()
    (at, *_) = [number for number, line in enumerate(lines) if re.search(r"\(cost=.* rows=", line)]
    return "\n".join(lines[:at]), lines[at:]


def rows_of(node):
    return (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]


# Sends the plans of the statements that functions run to the client, not to a log.
NESTED = """
load 'auto_explain';
set auto_explain.log_analyze = on;
set auto_explain.log_timing = off;
set auto_explain.log_nested_statements = on;
set auto_explain.log_level = debug1;
set client_min_messages = debug1"""


class Explainer:
    """A session that is set up as the workers' are, but with other rights. Everything that it runs is rolled back."""

    def __init__(self, database, sql_dir=SQL):
        self.connection = database.connect()
        self.connection.autocommit = False
        self.cursor = self.connection.cursor()
        self.cursor.execute((sql_dir / "session/begin.sql").read_text(), {"statement_timeout": "60000", "is_local": "false"})
        self.cursor.execute(NESTED)
        self.connection.commit()
        self.connection.notices = collections.deque()
        self.prepared = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def command(self, name, statement, values):
        """The SQL that runs the statement with those values, by the parameters' names; the others are null."""
        if name not in self.prepared:
            self.cursor.execute(f'prepare "{name}" as {statement.sql}')
            self.connection.commit()
            self.prepared.add(name)
        assert set(values) <= set(statement.parameters), (name, values)
        values = {"not_after": NEVER, "most": 300} | values
        literals = [
            self.cursor.mogrify("%s", (str(values[parameter]),)).decode() if values.get(parameter) is not None else "null"
            for parameter in statement.parameters
        ]
        return f'execute "{name}"' + (f"({', '.join(literals)})" if literals else "")

    def explain_nested(self, command, form):
        """The rows that the command returns, and for each statement that functions ran the plans of its runs."""
        self.connection.notices.clear()
        self.cursor.execute(f"set local auto_explain.log_min_duration = 0; set local auto_explain.log_format = {form}")
        self.cursor.execute(command)
        rows = [row for (row,) in self.cursor.fetchall()]
        self.connection.rollback()
        nested = collections.defaultdict(list)
        for notice in self.connection.notices:
            if found := PLAN.match(notice):
                text, plan = json_plan(found[1]) if form == "json" else text_plan(found[1])
                nested[text].append(plan)
        return rows, [plans for text, plans in nested.items() if not text.startswith(("explain", "prepare"))]

    def explain(self, name, statement, values):
        """The plan of the second run: the first one has filled the buffers and the catalogue's caches. The plans of statements in functions belong
        to it, but not to the path of a statement that writes."""
        command = self.command(name, statement, values)
        self.cursor.execute(f"explain (analyze) {command}")
        self.connection.rollback()
        ((top,),), nested = self.explain_nested(f"explain (analyze, buffers, timing off, summary off, format json) {command}", "json")
        plan = top["Plan"]
        plans = [plan] + [merged(runs) for runs in nested]
        text, nested = self.explain_nested(f"explain (analyze, buffers, costs off, timing off, summary off) {command}", "text")
        return Plan(
            "\n".join([in_short(text)] + [f"of a function, × {len(runs)}:\n{in_short(runs[0])}" for runs in nested]),
            [place for each in (plans[:1] if any(map(is_write, plans)) else plans) for place in path_of(each)],
            plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
            max(rows_of(node) for each in plans for node in nodes(each)),
            [node["Relation Name"] for each in plans for node in nodes(each) if node["Node Type"] == "Seq Scan"],
        )

    def milliseconds(self, name, statement, values, runs):
        """The median time of a run in the server, with its planning if there is any. The answer is not sent."""
        command = self.command(name, statement, values)
        times = []
        warm_up = 1 + runs // 3
        for _ in range(warm_up + runs):
            self.cursor.execute(f"explain (analyze, timing off) {command}")
            *_, planning, execution = (line for (line,) in self.cursor.fetchall() if "Time: " in line)
            times.append(sum(float(re.search(r"[\d.]+", line)[0]) for line in (planning, execution)))
            self.connection.rollback()
        return statistics.median(times[warm_up:])


EVENT = json.dumps(
    {
        "triggerSource": "PostConfirmation_ConfirmSignUp",
        "request": {"userAttributes": {"sub": "new", "preferred_username": "new", "name": "New", "email": "new@example.com"}},
    }
)


def uuid_of(database, name):
    ((uuid,),) = database.sql("select md5(%s)::uuid::text", name)
    return uuid


def microseconds(database, when):
    ((us,),) = database.sql(f"select (extract(epoch from {when}) * 1000000)::bigint")
    return us


# A case of cases(), in the comment at the head of its template.
TRIED = re.compile(r"^-- Plan \"(.+?)\": (\{.*\})$", re.M)


# The first two lines of a template: what the statement does, and what its cost grows with.
SUMMARY = re.compile(r"-- Summary: (.+)\n-- Cost: (.+)\n")


def templates(sql_dir=SQL):
    """The files of all statements, by name."""
    return {f"{path.parent.name}/{path.stem}": path for path in sorted(sql_dir.glob("*/*.sql")) if path.parent.name != "migrations"}


def table(sql_dir=SQL):
    """The table of what each statement does and what its cost grows with, as in doc/sql.md."""
    rows = ["| statement | what | what its cost grows with |", "|---|---|---|"]
    for name, path in templates(sql_dir).items():
        what, cost = SUMMARY.match(path.read_text()).groups()
        rows.append(f"| `{name}` | {what} | {cost} |")
    return "\n".join(rows) + "\n"


def cases_of_templates():
    """The cases that need no values from the database. They are in the comment at the head of a statement's template."""
    for name, path in templates().items():
        for what, values in TRIED.findall(path.read_text()):
            yield name, what, json.loads(values)


def cases(database):
    """(statement, description, its values by parameter): at least one for every statement, and above all those whose cost would grow
    first."""
    popular, talk, new, other = (uuid_of(database, name) for name in ("popular", "talk 3", "new", "another"))
    ((reply,),) = database.sql("select uuid::text from activities where reply_to_activity_uuid = %s limit 1", popular)

    def behind(age):
        return {"after_us": microseconds(database, f"now() - interval '{age}'"), "after_uuid": LAST_UUID}

    far, last, past = behind("29 days"), behind("29 days 23 hours 50 minutes"), behind("364 days")
    hello = {"uuid": new, "message": "hello"}
    thread = {"newest": "f", "limit": 200}
    ((said,),) = database.sql("select uuid::text from messages where message_group_uuid = %s and user_uuid = md5('user 3')::uuid limit 1", talk)
    ((server,),) = database.sql("select split_part(current_view(), '/', 1)")
    seen = f"{server}/3:3:"  # nothing yet

    def term(text, limit=50):
        return {"term": text, "limit": limit}

    return [
        *cases_of_templates(),
        ("session/committed", "64 transactions", {"xids": "{" + ",".join(str(3 + number) for number in range(64)) + "}"}),
        ("session/introduce", "after a loss", {"lost": "1/1", "patience_ms": 500}),
        ("session/room", "as it is", {}),
        ("session/schema", "as it is", {}),
        ("session/server", "as it is", {}),
        ("session/snapshot", "as it is", {}),
        ("health/ready", "as it is", {}),
        ("activities/home", "20 rows, where few have expired", {"limit": 20} | behind("2 hours")),
        ("activities/home", "50 rows, where few have expired", {"limit": 50} | behind("2 hours")),
        ("activities/home", "20 rows behind a long run of expired ones", {"limit": 20}),
        ("activities/home", "50 rows behind a long run of expired ones", {"limit": 50}),
        ("activities/home", "200 rows behind a long run of expired ones", {"limit": 200}),
        ("activities/home", "50 rows, where most have expired", {"limit": 50} | far),
        ("activities/home", "the last page", {"limit": 50} | last),
        ("activities/home", "behind the last page", {"limit": 50} | past),
        ("activities/show", "with more replies than are shown", {"uuid": popular} | thread),
        ("activities/show", "with its author's handle", {"uuid": popular, "handle": "user5"} | thread),
        ("activities/show", "more replies than are shown, to a user", {"uuid": popular, "sub": "sub-7"} | thread),
        ("activities/show", "the newest of many replies", {"uuid": popular, "newest": "t", "limit": 200}),
        ("activities/show", "a reply", {"uuid": reply} | thread),
        ("activities/since", "what came since yesterday", {"since": seen, "limit": 200}),
        ("activities/create", "mentioning a user", {"uuid": new, "message": "hello @user5", "sub": "sub-7", "ttl": "1 day"}),
        ("activities/create", "by subject", hello | {"sub": "sub-7", "ttl": "1 day"}),
        ("activities/create", "by handle", hello | {"handle": "user7", "ttl": "1 day"}),
        ("activities/reply", "to one with many replies", hello | {"sub": "sub-7", "parent": popular}),
        ("activities/delete", "a reply", {"uuid": reply, "sub": "sub-2"}),
        ("activities/delete", "one with many replies", {"uuid": popular, "sub": "sub-5"}),
        ("activities/delete", "another user's", {"uuid": popular, "sub": "sub-7"}),
        ("social/mark", "a like of one that all users like", {"uuid": popular, "kind": "like", "on": "t", "sub": "sub-7"}),
        ("social/mark", "no more a like of one that all users like", {"uuid": popular, "kind": "like", "on": "f", "sub": "sub-7"}),
        ("social/mark", "a repost of one that all users reposted", {"uuid": popular, "kind": "repost", "on": "t", "sub": "sub-7"}),
        ("social/mark", "no more a repost of one that all reposted", {"uuid": popular, "kind": "repost", "on": "f", "sub": "sub-7"}),
        ("social/marks", "likes of one that all users like", {"uuid": popular, "kind": "like", "limit": 50}),
        ("social/marks", "likes of one that all users like, 200 rows", {"uuid": popular, "kind": "like", "limit": 200}),
        ("social/marks", "reposts of one that all users reposted", {"uuid": popular, "kind": "repost", "limit": 200}),
        ("activities/keep", "one with many replies that lives as long", {"uuid": popular, "ttl": "1 day", "sub": "sub-5"}),
        ("activities/keep", "one with many replies, for longer", {"uuid": popular, "ttl": "30 days", "sub": "sub-5"}),
        ("social/report", "one that all users like", {"uuid": popular, "reason": "spam", "sub": "sub-7"}),
        ("social/block", "a user", {"blocked": "user5", "on": "t", "sub": "sub-9"}),
        ("social/block", "no longer a user", {"blocked": "user5", "on": "f", "sub": "sub-9"}),
        ("social/mute", "a user", {"muted": "user5", "on": "t", "sub": "sub-9"}),
        ("social/hidden", "of a user with many hidden ones", {"sub": "sub-11"}),
        ("activities/home", "50 rows, to a user with many hidden ones", {"limit": 50, "sub": "sub-11"} | behind("2 hours")),
        ("social/notifications", "of a user with many hidden ones", {"sub": "sub-11", "limit": 50}),
        ("social/notifications", "all caused by one that is muted", {"sub": "sub-13", "limit": 50}),
        ("social/unread", "all caused by one that is muted", {"sub": "sub-13"}),
        ("social/follow", "a user", {"followed": "user5", "on": "t", "sub": "sub-9"}),
        ("social/follow", "no longer a user", {"followed": "user5", "on": "f", "sub": "sub-6"}),
        ("social/following", "the thousand with the most posts", {"sub": "sub-6", "limit": 50}),
        ("social/following", "a thousand, where few have expired", {"sub": "sub-6", "limit": 50} | behind("2 hours")),
        ("social/following", "the thousand with the fewest posts", {"sub": "sub-7", "limit": 50}),
        ("social/following", "a thousand, the last page", {"sub": "sub-6", "limit": 50} | last),
        ("social/following", "the thousand with the fewest, 200 rows", {"sub": "sub-7", "limit": 200}),
        ("social/following", "all users", {"sub": "sub-10", "limit": 50}),
        ("social/following", "all users, 200 rows", {"sub": "sub-10", "limit": 200} | behind("2 hours")),
        ("social/following", "all users, the last page", {"sub": "sub-10", "limit": 200} | last),
        ("social/following", "twenty", {"sub": "sub-8", "limit": 50}),
        ("social/following_since", "all users, since the beginning", {"sub": "sub-10", "limit": 50, "since": seen}),
        ("social/notifications", "of a user that has many", {"sub": "sub-5", "limit": 50}),
        ("social/notifications", "of a user that has many, 200 rows", {"sub": "sub-5", "limit": 200}),
        ("social/notifications", "of one with many posts", {"sub": "sub-1", "limit": 50}),
        ("social/unread", "of a user that has many", {"sub": "sub-5"}),
        ("social/read", "as it is", {"sub": "sub-5"}),
        ("activities/search", "a word in every other post", term("many")),
        ("activities/search", "a word in every other post, 200 rows", term("many", 200)),
        ("activities/search", "any of many words, 200 rows", term(" or ".join([*(f"word{n}" for n in range(15)), "many"]), 200)),
        ("activities/search", "a word in what has just expired", term("gone")),
        ("activities/search", "a word in one of a hundred posts", term("everyone")),
        ("activities/search", "a word in one post", term("number 7777")),
        ("activities/search", "a word in no post", term("nowhere")),
        ("activities/search", "a letter", term("n")),
        ("activities/search", "all but a word", term("-many")),
        ("activities/search", "a tag that many use", term("#tag7")),
        ("activities/search", "a tag that few use", term("#rare")),
        ("activities/search", "what is no word", term("!!")),
        ("activities/search", "authors with many posts", term("@user")),
        ("activities/search", "an author's word", term("@user1 many")),
        ("activities/search", "a phrase of frequent words", term('"many of"')),
        ("activities/search", "what is written without blanks", term("東京タワー")),
        ("activities/trends", "as it is", {}),
        ("users/suggested", "to an unknown user", {}),
        ("users/suggested", "to a user with many follows", {"sub": "sub-6"}),
        ("metrics/purge", "with most to be purged", {}),
        ("metrics/step", "with most to be purged", {}),
        ("metrics/growth", "as it is", {"zone": "Asia/Kathmandu", "days": 7}),
        ("metrics/growth", "for a year", {"zone": "Asia/Kathmandu", "days": 366}),
        ("users/short", "as it is", {"handle": "user5"}),
        ("users/feed", "with many posts", {"handle": "user1", "week4": "f", "limit": 50}),
        ("users/feed", "with many posts, to a user", {"handle": "user1", "week4": "f", "limit": 50, "sub": "sub-7"}),
        ("users/feed", "with many posts, behind the last page", {"handle": "user1", "week4": "f", "limit": 50} | last),
        ("users/feed", "with few posts", {"handle": "user100", "week4": "f", "limit": 50}),
        ("users/timeline", "with many posts", {"handle": "user1", "week4": "f", "replies": "t", "reposts": "t", "limit": 50}),
        ("users/timeline", "with many posts, the last page", {"handle": "user1", "week4": "f", "replies": "t", "reposts": "t", "limit": 50} | last),
        ("users/update", "as it is", {"sub": "sub-7", "display_name": "Seven", "bio": ""}),
        ("users/delete", "with many posts", {"sub": "sub-1", "handle": "user1"}),
        ("hooks/confirm", "a new user", {"uuid": new, "event": EVENT}),
        ("messages/groups", "with all users", {"sub": "sub-2", "limit": 50}),
        ("messages/groups", "with all users, behind the last page", {"sub": "sub-2", "limit": 50} | past),
        ("messages/groups", "with all users, after all of them moved", {"sub": "sub-2", "limit": 50, "view": seen} | behind("1 day")),
        ("messages/groups", "with all users, since the beginning", {"sub": "sub-2", "limit": 50, "since": seen}),
        ("messages/list", "of a long conversation", {"sub": "sub-3", "group": talk, "limit": 50}),
        ("messages/list", "of a long conversation, by handle", {"sub": "sub-3", "other": "user4", "limit": 50}),
        ("messages/delete", "one of a long conversation", {"sub": "sub-3", "group": talk, "uuid": said}),
        ("messages/read", "a long conversation", {"sub": "sub-3", "group": talk}),
        ("messages/append", "to a long conversation", hello | {"sub": "sub-3", "group": talk}),
        ("messages/start", "in a long conversation", hello | {"sub": "sub-3", "group": other, "other": "user4"}),
        ("messages/start", "a new one", hello | {"sub": "sub-9", "group": other, "other": "user50"}),
    ]
