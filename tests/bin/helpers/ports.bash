# free_ports COUNT: prints free ports of the loopback interface, one a line, and none twice in a run of bin/check. They are above the
# ports that the system gives to clients; tests/http/ports.py takes those below.
free_ports() {
  local count=$1 from=10000 to=20000 last port lock file=${CHECK_SHARED:-$BATS_RUN_TMPDIR}/ports
  read -r _ last </proc/sys/net/ipv4/ip_local_port_range
  ((last > 65000)) || from=$((last + 1)) to=65536
  exec {lock}>>"$file"
  flock "$lock"
  port=$(<"$file")
  port=${port:-$((from + RANDOM % (to - from)))}
  while ((count > 0)); do
    port=$((port + 1 < to ? port + 1 : from))
    if ! (exec 4<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      printf '%s\n' "$port"
      count=$((count - 1))
    fi
  done
  printf '%s' "$port" >"$file"
  exec {lock}>&-
}
