"""Writes the requests: files of paths and bodies, the file that nginx serves, pgbench's scripts."""

import hashlib
import json
import pathlib
import random
import time
import uuid

import settings
from bench import fetch

TTLS = ("30-days", "7-days", "3-days", "1-day")
WORDS = "coffee weather the new release today finally works on my machine café cloud week four is fast ☀️ again".split()

# The values for a statement's parameters in pgbench, where a variable cannot be null.
NULL = "nullif(:none, 'none')"
LIVE = r"\set n 10 * random(0, :rows / 10 - 1) + random(1, 9)"
AUTHOR = r"\set n random(1, 1000)"
SCRIPTS = {
    "home": ("", (":limit", f"{NULL}::bigint", f"{NULL}::uuid")),
    "show": (LIVE, ("md5('activity ' || :n)", NULL, NULL, NULL)),
    "create": (AUTHOR, ("gen_random_uuid()", NULL, "('bench' || :n)", ":message", ":ttl")),
}


def activity(number):
    return uuid.UUID(hashlib.md5(f"activity {number}".encode()).hexdigest())


def live_path(rows, dice):
    return f"/api/activities/{activity(10 * dice.randrange(rows // 10) + dice.randint(1, 9))}"


def create_body(dice):
    body = {
        "user_handle": f"bench{dice.randint(1, 1000)}",
        "message": " ".join(dice.choices(WORDS, k=dice.randint(6, 28))),
        "ttl": dice.choice(TTLS),
    }
    return json.dumps(body, ensure_ascii=False)


def write_lines(bench, action, lines):
    bench.request_file(action).write_text("".join(f"{line}\n" for line in lines))


def write_requests(bench):
    dice = random.Random(20261121)
    bench.request_file("").mkdir(exist_ok=True)
    write_lines(bench, "constant", [settings.CONSTANT_PATH])
    write_lines(bench, "livez", ["/livez"])
    write_lines(bench, "kept", [settings.HOME_PATH])
    write_lines(bench, "home", [settings.HOME_PATH])
    write_lines(bench, "show", [live_path(bench.rows, dice) for _ in range(settings.REQUEST_LINES)])
    write_lines(bench, "create", [create_body(dice) for _ in range(settings.REQUEST_LINES)])
    mix = []
    for action, share in settings.MEMORY_MIX:
        lines = bench.request_file(action).read_text().splitlines()
        mix += [lines[i % len(lines)] for i in range(share * settings.REQUEST_LINES // 10)]
    dice.shuffle(mix)
    write_lines(bench, "mix", mix)


def write_scripts(bench):
    """Writes the same statements for pgbench, with its variables in place of $1, $2, …"""
    for name, (first, values) in SCRIPTS.items():
        sql = (bench.dir / f"statements/{name}.sql").read_text()
        for number in range(len(values), 0, -1):
            sql = sql.replace(f"${number}", values[number - 1])
        (bench.dir / f"statements/{name}.pgbench").write_text(f"{first}\n{sql};\n")


def busy_share(seconds=1):
    """The share of the machine that other processes use. Call it while the bench's own ones are idle."""

    def ticks():
        values = [int(value) for value in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(values), values[3] + values[4]

    before = ticks()
    time.sleep(seconds)
    after = ticks()
    return 1 - (after[1] - before[1]) / (after[0] - before[0])


def settled_share():
    """busy_share() when the last peer has started and PostgreSQL has finished its work after the load; if it stays high, others cause it."""
    end = time.monotonic() + settings.SETTLE_SECONDS
    busy = busy_share()
    while busy > settings.SETTLED_SHARE and time.monotonic() < end:
        busy = busy_share()
    return busy


def run(bench):
    busy = settled_share()
    bench.record("machine/busy", busy)
    bench.notes.append(f"Before the first run others kept {busy * 100:.0f} % of the machine busy.")
    write_requests(bench)
    write_scripts(bench)
    status, _, body = fetch(bench.subject("cruddurd").url("kept") + settings.HOME_PATH)
    if status != 200:
        raise SystemExit(f"home answers {status}")
    (bench.dir / "nginx/home.json").write_bytes(body)
    bench.record("bytes/home", len(body))
