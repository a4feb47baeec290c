#!/usr/bin/env bats
# bin/bench for real, as small as it goes.

load helpers/bench

setup_file() {
  make_room
  http_proxy=http://127.0.0.1:9 bench --quick --rounds 1 --seconds 0.1 --requests 1000 --rows 2000 --only cruddurd,nginx >"$ROOM/out" 2>&1 \
    || { cat "$ROOM/out" >&2 && return 1; }
}

teardown_file() { rm -rf "$ROOM"; }

result() {
  local file
  file=$(echo "$ROOM"/results/*-quick."$1")
  printf '%s\n' "$file"
}

# measured PROGRAM: runs a line of Python over the results; `found` is their JSON, `measures` the measures in it.
measured() {
  /usr/bin/python3 -B -c "
import json, sys
found = json.load(open(sys.argv[1]))
measures = found['measures']
$1" "$(result json)"
}

# report PROGRAM: changes the measures of a copy of the results by a line of Python and prints the target's verdicts.
report() {
  /usr/bin/python3 -B -c "
import json, sys
sys.path.insert(0, sys.argv[2])
import targets
found = json.load(open(sys.argv[1]))
measures, left_out = found['measures'], found['left_out']
$1
for verdict in targets.judge_all(measures, left_out):
    print(verdict.target, verdict.state, verdict.why, sep='|')" "$(result json)" "$TOP/bench/measure"
}

@test "--help explains, misuse is refused" {
  run -0 bench --help
  [[ $output == Usage:*--quick* ]]
  run -2 bench --only apache
  run -2 bench --rounds 0
  run -2 bench --rows
  run -2 bench --seconds 0.09
  run -2 bench --seconds 0
  run -2 bench --tune everything
  run -2 bench --only-faults --tune commit
  run -2 bench --only-faults --only nginx
  run -2 bench --faults worker_killed,flood
  run -2 bench surplus
}

@test "the table has a row for every target, with a verdict" {
  local target
  while IFS=$'\t' read -r target _; do
    [[ $target == '#'* ]] || grep -qF "| $target | " "$(result md)" || {
      echo "no row: $target" >&2
      return 1
    }
  done <"$TOP/bench/targets.tsv"
  measured '
assert len(found["targets"]) >= 25
assert {target["state"] for target in found["targets"]} <= {"met", "not met", "not measured", "invalid"}'
}

@test "it measured what was asked for, and says who was left out" {
  measured '
for key in ("constant/c32", "kept/c32", "home/c32", "show/c64", "create/c8", "create/c64"):
    assert measures[f"rate/cruddurd/{key}"]["value"] > 0, key
for key in ("constant/c32", "kept/c32"):
    assert measures[f"rate/nginx/{key}"]["value"] > 0, key
import re
for key, measure in measures.items(): # a machine may be too slow for a load, and leave a part of it unanswered
    for count, words in re.findall(r"(\d+) ([a-z2 -]+)", measure["invalid"] or ""):
        assert words in ("time-outs", "requests without an answer", "answers without 2xx"), (key, measure)
        assert not key.startswith("rate/") or int(count) < measure["value"] / 2, (key, measure)
    assert "no answer at all" not in (measure["invalid"] or ""), (key, measure)
assert measures["starved/cruddurd"]["value"] < 64
assert measures["stale/cruddurd"]["value"] == 0
assert measures["memory/quickstart"]["value"] > 1
assert measures["start/first answer"]["value"] > 1
assert set(found["left_out"]) == {"pgbench", "blocking", "flask", "node", "php", "go", "kore"}'
  grep -q 'against Go (c32) .* not asked for' "$(result md)"
}

@test "the results name no path of this machine, and the plots are XML" {
  run -1 grep -rF -e "$ROOM" -e "$TOP" "$ROOM/results"
  /usr/bin/python3 -B -c 'import sys, xml.dom.minidom as x; [x.parse(name) for name in sys.argv[1:]]' "$ROOM"/results/*.svg
}

@test "nothing of it runs on" {
  [[ -z $(processes "$ROOM/") ]]
}

@test "a run with an answer other than 2xx makes its target invalid" {
  run -0 report 'measures["rate/nginx/constant/c32"]["invalid"] = "run 1: 3 answers without 2xx"'
  [[ $output == *'nginx `return`'*'|invalid|rate/nginx/constant/c32: run 1: 3 answers without 2xx'* ]]
}

@test "wrk's and pace's figures for a server that answers 404 and 200 by turns are not taken for good ones" {
  /usr/bin/python3 -B - "$TOP/bench/measure" "$ROOM/data" <<'PY'
import http.server
import pathlib
import sys
import tempfile
import threading
import types

sys.path.insert(0, sys.argv[1])
import generators


class Turns(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    turn = 0

    def do_GET(self):
        Turns.turn += 1
        self.send_response(404 if Turns.turn % 2 else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments):
        pass


def with_bad_answers(measure):
    """A slow machine may have no answer at all within the second."""
    while True:
        figures = measure()
        if figures["answers" if "answers" in figures else "requests"] > 1:
            return figures


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Turns)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_port
with tempfile.NamedTemporaryFile("w") as requests:
    requests.write("/x\n")
    requests.flush()
    figures = with_bad_answers(lambda: generators.wrk(f"http://127.0.0.1:{port}", requests.name, 2, 1))
    assert "without 2xx" in figures["errors"], figures
    bench = types.SimpleNamespace(dir=pathlib.Path(sys.argv[2]))
    stream = ("get", 50, 2, "get", requests.name)
    figures = with_bad_answers(lambda: generators.pace(bench, port, 1, "/", [stream])["get"])
    assert "without 2xx" in figures["errors"], figures
PY
}

@test "a target's verdict follows from its measures" {
  run -0 report '
measures["rate/cruddurd/constant/c32"] = {"value": 40.0, "invalid": None}
measures["rate/nginx/constant/c32"] = {"value": 100.0, "invalid": None}
measures["memory/pool"] = {"value": 5.0, "invalid": None}
measures["starved/cruddurd"] = {"value": 2, "invalid": None}'
  [[ $output == *'same bytes (c32)|not met|20 % short'* ]]
  [[ $output == *'pool of 8 workers, PSS|met|'* ]]
  [[ $output == *'of 64|not met|2 too many'* ]]
}

@test "a value that is over its bound is told apart from what the machine was busy with" {
  run -0 report '
def measure(value, **machine):
    return {"value": value, "invalid": None, **machine}
measures["fault/PostgreSQL frozen/livez"] = measure(60.0, stall=20.0, busy=0.5)
measures["fault/PostgreSQL killed/livez"] = measure(90.0, stall=20.0, busy=0.5)
measures["fault/cable cut/livez"] = measure(90.0, stall=20.0, busy=0.01)
measures["fault/slow clients/p99 beside them"] = measure(50.0, stall=60.0, busy=0.01)
measures["fault/slow clients/p99 beside none"] = measure(10.0, stall=60.0, busy=0.01)'
  [[ $output == *'PostgreSQL frozen: /livez, at worst|not measured|20 % over, and the machine may account for it'*'up to 20 ms'* ]]
  [[ $output == *'PostgreSQL killed: /livez, at worst|not met|80 % over, while others kept 50 % of the machine busy'$'\n'* ]]
  [[ $output == *"cable cut: /livez, at worst|not met|80 % over"$'\n'* ]]
  [[ $output == *'against beside none|not met|150 % over'$'\n'* ]]
}
