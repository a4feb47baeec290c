#!/usr/bin/env bats
# bin/lib/packages.sh with a dpkg-query that knows no package and an apt-get that installs none.

load helpers/common

POLICY=/usr/sbin/policy-rc.d

setup() {
  ((EUID == 0)) || skip 'the policy and the lock take root'
  export ROOM=$BATS_TEST_TMPDIR
  PATH=$ROOM/bin:$PATH
  mkdir "$ROOM/bin"
  stub dpkg-query 'exit 1'
  POLICY_BEFORE=$(policy)
  # As the scripts have packages installed; one package.
  # shellcheck disable=SC2016 # for that shell
  INSTALL=(bash -c 'set -euo pipefail
    source "$1/lib/common.sh"; source "$1/lib/packages.sh"
    ensure_packages yes bench_kore; echo done' bash "$BIN")
}

teardown() {
  stop_background
  [[ $(policy) == "$POLICY_BEFORE" ]]
}

# stub NAME TEXT: makes a program that is found before the real one.
stub() {
  printf '#!/bin/sh\n%s\n' "$2" >"$ROOM/bin/$1"
  chmod 755 "$ROOM/bin/$1"
}

# policy: prints which file forbids the start of servers, if there is one.
policy() {
  stat --format='%i %Z' "$POLICY" 2>/dev/null || true
}

@test "if apt-get fails, so does the script" {
  # shellcheck disable=SC2016 # for the stub
  stub apt-get 'case $* in *install*) exit 100 ;; esac'
  run -1 "${INSTALL[@]}"
  [[ $output == *'the packages could not be installed'*'apt-get install kore' ]]
  stub apt-get 'exit 0'
  run -0 "${INSTALL[@]}"
  [[ $output == *done ]]
}

# The first apt-get ends when the second installation says that it waits, or when its apt-get runs, too.
@test "a second installation waits for the first one, and both have a policy" {
  # shellcheck disable=SC2016 # for the stub
  stub apt-get 'case $* in *install*) ;; *) exit 0 ;; esac
mkdir "$ROOM/running" || touch "$ROOM/together"
[ -e /usr/sbin/policy-rc.d ] || touch "$ROOM/unguarded"
until grep -qs "waiting for another installation" "$ROOM/second" || [ -e "$ROOM/together" ]; do sleep 0.1; done
rmdir "$ROOM/running"'
  start_in_background "${INSTALL[@]}"
  eventually test -d "$ROOM/running"
  "${INSTALL[@]}" 2>"$ROOM/second" 3>&-
  wait "$BACKGROUND"
  [[ ! -e $ROOM/together && ! -e $ROOM/unguarded ]]
}
