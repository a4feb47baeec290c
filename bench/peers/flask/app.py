"""Cruddur's first four routes on Flask and a psycopg pool, as in the original design."""

import os
import pathlib
import re
import uuid

from flask import Flask, Response, jsonify, request
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool

TTLS = {
    "30-days": "30 days",
    "7-days": "7 days",
    "3-days": "3 days",
    "1-day": "1 day",
    "12-hours": "12 hours",
    "3-hours": "3 hours",
    "1-hour": "1 hour",
}


def load(name):
    """A shared statement, its $1, $2 … as psycopg's %(p1)s, %(p2)s …"""
    text = pathlib.Path(os.environ["STATEMENTS"], name + ".sql").read_text()
    return re.sub(r"\$(\d+)", r"%(p\1)s", text.replace("%", "%%"))


set_json_loads(bytes)  # it goes out as it came
HOME, SHOW, CREATE = load("home"), load("show"), load("create")

# One connection for each thread of this process; a single statement needs no transaction of its own around it.
pool = ConnectionPool(
    pathlib.Path(os.environ["CONNECTION_URL_FILE"]).read_text().strip(),
    min_size=int(os.environ["CONNECTIONS"]),
    max_size=int(os.environ["CONNECTIONS"]),
    kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
)

app = Flask(__name__)


def query(statement, *values):
    with pool.connection() as connection:
        cursor = connection.execute(statement, {f"p{i}": value for i, value in enumerate(values, 1)})
        return cursor.fetchone()


def passed_through(text):
    return Response(text, mimetype="application/json")


def refused(status, *codes):
    return jsonify(codes), status


@app.get("/api/health-check")
def health_check():
    return {"success": True, "ver": 1}


@app.get("/api/activities/home")
def home():
    limit = request.args.get("limit", "50")
    if not limit.isdecimal() or not 1 <= int(limit) <= 200:
        return refused(422, "limit_invalid")
    created, key = None, None
    if "cursor" in request.args:
        created, _, key = request.args["cursor"].partition("/")
    row = query(HOME, limit, created, key)
    response = passed_through(row["body"])
    if row["next_key"]:
        response.headers["Link"] = f'</api/activities/home?limit={limit}&cursor={row["next_key"]}>; rel="next"'
    return response


@app.get("/api/activities/<uuid:activity>")
def show(activity):
    row = query(SHOW, str(activity), None, None, None)
    return passed_through(row["body"]) if row else refused(404, "not_found")


@app.post("/api/activities")
def create():
    body = request.get_json()
    message, ttl, handle = body.get("message"), TTLS.get(body.get("ttl")), body.get("user_handle")
    broken = []
    if not message:
        broken.append("message_blank")
    elif len(message) > 280:
        broken.append("message_exceed_max_chars")
    if not handle:
        broken.append("user_handle_blank")
    if not ttl:
        broken.append("ttl_blank")
    if broken:
        return refused(422, *broken)
    row = query(CREATE, str(uuid.uuid4()), None, handle, message, ttl)
    return passed_through(row["body"]) if row["outcome"] == "ok" else refused(422, row["outcome"])
