# shellcheck shell=bash
# Messages and checks that all scripts share. Sourced, never run.

readonly PROGRAM=${0##*/}

# say COLOUR TEXT: one line on stderr; coloured only on a terminal and without NO_COLOR (https://no-color.org).
say() {
  if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
    printf '\033[%sm%s\033[0m\n' "$1" "$2" >&2
  else
    printf '%s\n' "$2" >&2
  fi
}

heading() { say '1;36' "== $1"; }
note() { say 0 "$1"; }
alert() { say '1;31' "$1"; }

# die MESSAGE: a failure, exit 1.
die() {
  alert "$PROGRAM: $1"
  exit 1
}

# usage_error MESSAGE: misuse or a wrong setting, exit 2.
usage_error() {
  alert "$PROGRAM: $1"
  note "Try '$PROGRAM --help'."
  exit 2
}

# forget_libpq: removes libpq's variables from the environment, so that the user's do not change where a URL of quickstart's leads, or
# how. Only the time that a connection may take stays.
forget_libpq() {
  local timeout=${PGCONNECT_TIMEOUT:-}
  unset "${!PG@}"
  [[ -z $timeout ]] || export PGCONNECT_TIMEOUT=$timeout
}

# require_command NAME [PACKAGE]
require_command() {
  command -v "$1" >/dev/null || die "$1 is missing: apt-get install ${2:-$1}"
}
