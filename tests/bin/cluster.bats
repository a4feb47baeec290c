#!/usr/bin/env bats
# bin/cluster without a cluster: its help, misuse, the refusal without root, and its manual. tests/cluster runs one.

load helpers/common

@test "--help names every fault with its sentence, and the manual has every option" {
  run -0 --separate-stderr "$BIN/cluster" --help
  [[ ${lines[0]} == 'Usage: cluster '* && -z $stderr ]]
  local name
  while IFS= read -r name; do
    grep -qE "^  $name +[A-Zn].*\.\$" <<<"$output"
  done < <(sed -n 's/^@fault("\([a-z-]*\)".*/\1/p' "$BIN/../tests/cluster/faults.py")
  diff <(sed -nE 's/^ +(--[a-z-]+).*/\1/p' <<<"$output" | sort -u) \
    <({ echo --help && sed -nE 's/^\.(It|Op|Cm soak) Fl (-[a-z-]+).*/-\2/p' "$BIN/../man/cluster.8"; } | sort -u)
}

@test "misuse is status 2 and starts nothing" {
  local words
  for words in '' 'up down' 'fault' 'fault --seconds' 'soak' 'soak --hours x' 'soak --hours 1 --pause x' 'up --hours 1' 'ledger --faults a' 'run pg1' 'start' 'up --dir'; do
    # shellcheck disable=SC2086 # several words
    run -2 --separate-stderr "$BIN/cluster" --dir "$BATS_TEST_TMPDIR/none" $words
    [[ -z $output && $stderr == *"Try 'cluster --help'."* ]]
  done
  [[ ! -e $BATS_TEST_TMPDIR/none ]]
}

@test "a folder without a cluster: status 3, and down is done" {
  ((EUID == 0)) || skip 'it takes root'
  mkdir "$BATS_TEST_TMPDIR/none"
  run -3 "$BIN/cluster" status --dir "$BATS_TEST_TMPDIR/none"
  [[ $output == *'bin/cluster up starts it'* ]]
  run -3 "$BIN/cluster" fault switchover --dir "$BATS_TEST_TMPDIR/none"
  run -2 "$BIN/cluster" fault no-such --dir "$BATS_TEST_TMPDIR/none"
  [[ $output == *'no such fault: no-such; there are nothing, switchover'* ]]
  run -0 "$BIN/cluster" down --dir "$BATS_TEST_TMPDIR/none"
}

@test "other users than root are told why not" {
  ((EUID == 0)) || skip 'it takes root to become another user'
  run -1 setpriv --reuid nobody --clear-groups "$BIN/cluster" status
  [[ $output == *'it takes root: each host of the cluster is a network namespace of its own'* ]]
}

@test "Patroni and etcd are asked without a proxy" {
  http_proxy=http://127.0.0.1:9 no_proxy='' PYTHONPATH=$BIN/../tests/cluster:$BIN/../tests/http run -0 --separate-stderr /usr/bin/python3 -B -c '
import http.server, threading
import nodes
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.handle_request, daemon=True).start()
print(nodes.fetch(f"http://127.0.0.1:{server.server_port}/none", seconds=60)[0])'
  [[ $output == 404 ]]
}
