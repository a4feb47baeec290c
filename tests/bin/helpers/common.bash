# For every test of a script: the scripts' folder, a clean environment, and waiting with a deadline.

BIN=${BATS_TEST_DIRNAME%/tests/bin}/bin
PATIENCE=300 # s; longer than anything takes on the slowest machine
bats_require_minimum_version 1.5.0

# clean_environment: only PGBIN, the PostgreSQL to test with, is taken from the tester's environment; no other setting of this machine may
# reach a script. PGCONNECT_TIMEOUT is set because the scripts' own 5 seconds may be too few for a slow machine.
clean_environment() {
  local programs=${PGBIN:-}
  unset "${!PG@}" "${!AWS_@}" "${!DB_SG_@}" "${!CONNECTION_URL@}" "${!PROD_CONNECTION_URL@}" "${!READ_CONNECTION_URL@}" \
    "${!CRUDDUR_@}" "${!QUICKSTART_@}" FRONTEND_URL BACKEND_URL GITPOD_IP IP_SERVICE_URL NO_COLOR
  export PGCONNECT_TIMEOUT=$PATIENCE
  [[ -z $programs ]] || export PGBIN=$programs
}

# skip_wrappers: puts PostgreSQL's own programs first in PATH, since Debian's wrapper around psql is a Perl script.
skip_wrappers() {
  export PATH=$PROGRAMS:$PATH
}

# encode TEXT: prints every byte as %XX.
encode() {
  local LC_ALL=C at
  for ((at = 0; at < ${#1}; at++)); do
    printf '%%%02x' "'${1:at:1}"
  done
}

# eventually COMMAND…: tries until it succeeds.
eventually() {
  local deadline=$((SECONDS + PATIENCE))
  until "$@"; do
    if ((SECONDS >= deadline)); then
      echo "not true after $PATIENCE s: $*" >&2
      return 1
    fi
    sleep 0.1
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
for PROGRAMS in /usr/lib/postgresql/??/bin; do :; done # the last is the newest
PROGRAMS=${PGBIN:-$PROGRAMS}
