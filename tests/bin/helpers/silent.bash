# A server that takes connections and never answers, and a look at the processes that wait for it.

# silent_server_start: for one test file; leaves its port in SILENT.
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

# processes_with TEXT: the /proc/PID/cmdline of all processes that were given it. (grep has it from a file, to be none.)
processes_with() {
  printf '%s\n' "$1" >"$BATS_TEST_TMPDIR/text"
  grep -slF -f "$BATS_TEST_TMPDIR/text" /proc/[0-9]*/cmdline
}

# waiting_psql: the /proc/PID of the psql that waits for the silent server.
waiting_psql() {
  local file
  file=$(processes_with "$SILENT" | xargs -r grep -slz '^--no-psqlrc$')
  [[ -n $file ]] && printf '%s\n' "${file%/cmdline}"
}
