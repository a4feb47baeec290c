# A server that takes connections and never answers, and a search for the processes that wait for it.

# silent_server_start: starts it for one test file; leaves its port in SILENT.
silent_server_start() {
  local port=$BATS_FILE_TMPDIR/silent
  /usr/bin/python3 -B "$BATS_TEST_DIRNAME/helpers/silent_server.py" "$port" 3>&- &
  LISTENER=$!
  eventually test -s "$port"
  SILENT=$(<"$port")
  export SILENT
}

silent_server_stop() {
  kill "$LISTENER"
}

# processes_with TEXT: prints the /proc/PID/cmdline of all processes with that text among their arguments. (grep reads it from a
# file, so that grep itself is not one of them.)
processes_with() {
  printf '%s\n' "$1" >"$BATS_TEST_TMPDIR/text"
  grep -slF -f "$BATS_TEST_TMPDIR/text" /proc/[0-9]*/cmdline
}

# waiting_psql: prints the /proc/PID of the psql that waits for the silent server.
waiting_psql() {
  local file
  file=$(processes_with "$SILENT" | xargs -r grep -slz '^--no-psqlrc$')
  [[ -n $file ]] && printf '%s\n' "${file%/cmdline}"
}
