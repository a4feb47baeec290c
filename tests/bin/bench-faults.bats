#!/usr/bin/env bats
# bin/bench --only-faults for real, each fault once.

load helpers/bench

setup_file() { make_room; }
teardown_file() { rm -rf "$ROOM"; }

@test "--only-faults measures the faults and nothing else" {
  run -0 bench --quick --only-faults --seconds 0.2 --rows 2000 --results "$ROOM/faults"
  /usr/bin/python3 -B - "$ROOM"/faults/*-faults-quick.json "$TOP/bench/targets.tsv" <<'PY'
import json
import os
import sys

found = json.load(open(sys.argv[1]))
rows = [line.split("\t") for line in open(sys.argv[2]) if not line.startswith("#")]
wanted = [row[0] for row in rows if row[1].startswith(("fault/", "streams/")) or row[1].endswith(("beyond the backlog", "beside streams"))]
assert len(wanted) >= 20 and [target["target"] for target in found["targets"]] == wanted, found["targets"]
assert not [key for key in found["measures"] if key.startswith(("memory/", "rate/nginx", "start/"))]
for target in found["targets"]:
    # How many of the connections are refused depends on how fast the machine makes them.
    assert target["state"] != "invalid" or "refusals" in target["why"], target
    is_left_out = "cable" in target["target"] and os.geteuid() != 0
    assert (target["value"] is None) == is_left_out, target
measures = found["measures"]
# Both are time-outs of cruddurd: no machine is so fast that they take less.
assert measures["fault/PostgreSQL frozen/other answers"]["value"] > 2000
assert measures["fault/issuer silent/answer to an unknown key"]["value"] > 1000
PY
  grep -q '^| PostgreSQL frozen: livez | [0-9.]* | [0-9.]* | [0-9.]* | 1 | [0-9.]* |$' "$ROOM"/faults/*.md
  run -1 grep -rF -e "$ROOM" -e "$TOP" "$ROOM/faults"
}

is_frozen() {
  grep -qs '^State:.T' "/proc/$(cat "$ROOM/data/pids/postgres" 2>/dev/null)/status"
}

@test "ended while PostgreSQL is frozen it leaves nothing behind" {
  "$TOP/bin/bench" --no-install --dir "$ROOM/data" --results "$ROOM/faults" --quick --faults postgresql_frozen --rows 2000 \
    >"$ROOM/ended" 2>&1 3>&- &
  local bench=$! status=0
  eventually is_frozen
  kill -s TERM "$bench"
  wait "$bench" || status=$?
  ((status == 130))
  run ! grep -lsaF -- "$ROOM/" /proc/[0-9]*/cmdline
}
