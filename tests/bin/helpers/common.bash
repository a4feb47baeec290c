# What every test of a script starts from: the scripts' folder, a clean environment, and waiting with a deadline.

BIN=$(readlink -f "$BATS_TEST_DIRNAME/../../bin")
bats_require_minimum_version 1.5.0

# clean_environment: no setting of the machine's may reach a script.
clean_environment() {
  local name
  for name in $(compgen -e); do
    case $name in
      PG* | *CONNECTION_URL* | AWS_* | DB_SG_* | GITPOD_IP | IP_SERVICE_URL | NO_COLOR) unset "$name" ;;
    esac
  done
}

# encode TEXT: every byte as %XX.
encode() {
  printf '%s' "$1" | od -An -v -tx1 | tr -d '\n' | tr ' ' '%'
}

# eventually COMMAND…: tries until it succeeds, 10 seconds at most.
eventually() {
  local deadline=$((SECONDS + 10))
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

# start_in_background COMMAND…: in a process group of its own, whose id is left in BACKGROUND.
start_in_background() {
  BACKGROUND=""
  setsid "$@" <&0 >"$BATS_TEST_TMPDIR/background.out" 2>&1 3>&- &
  BACKGROUND=$!
}

# stop_background: ends what start_in_background started, children included.
stop_background() {
  [[ -n ${BACKGROUND:-} ]] || return 0
  kill -KILL -- "-$BACKGROUND" 2>/dev/null || true
  wait "$BACKGROUND" 2>/dev/null || true
  BACKGROUND=''
}

clean_environment
