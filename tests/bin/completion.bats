#!/usr/bin/env bats
# Completion in bash: the options of every command, what an option takes, prod, and files.

load helpers/common

setup() {
  # shellcheck source=bin/lib/completion.bash
  source "$BIN/lib/completion.bash"
  cd "$BATS_TEST_TMPDIR" || return
}

# completed COMMAND WORD…: what the last word becomes, on one line.
completed() {
  _cruddur "$1" "${*: -1}" "${*: -2:1}"
  printf '%s\n' "${COMPREPLY[*]}"
}

@test "every command completes to all of its options" {
  local command
  for command in "$BIN"/*; do
    [[ ! -d $command && ! ${command##*/} =~ ^(bench|check)$ ]] || continue
    complete -p "${command##*/}"
    diff <(completed "$command" -- | tr ' ' '\n') <({ "$command" --help && echo ' --help'; } | sed -nE 's/^ +(--[a-z-]+).*/\1/p' | sort -u)
  done
  [[ $(completed "$BIN/db-purge" --ba) == --batch ]]
}

@test "what an option takes: a file, a folder, one of some words, or what is not known" {
  mkdir 'a folder' && touch 'a file'
  [[ $(completed "$BIN/db-doctor" --backups a) == 'a folder' ]]
  [[ $(completed "$BIN/db-roles" --passwords '') == 'a folder' ]]
  [[ $(completed "$BIN/db-doctor" --workers '') == '' ]]
  printf '#!/bin/sh\necho "Usage: cruddurd\n\n  --compat none|week4   CRUDDUR_COMPAT   [none]\n  --jwks-file FILE   CRUDDUR_JWKS_FILE"\n' >cruddurd
  chmod +x cruddurd
  [[ $(completed ./cruddurd --compat '') == 'none week4' ]]
  [[ $(completed ./cruddurd --compat w) == week4 ]]
  [[ $(completed ./cruddurd --jwks-file 'a') == 'a file a folder' ]]
}

@test "prod where there is such a word, and files where one is named" {
  touch x.dump
  [[ $(completed "$BIN/db-sessions" '') == prod ]]
  [[ $(completed "$BIN/db-restore" '') == 'prod x.dump' ]]
  [[ $(completed "$BIN/db-restore" x) == x.dump ]]
  [[ $(completed "$BIN/quickstart" '') == '' ]]
}

@test "a command that is not there completes to nothing" {
  [[ $(completed "$BATS_TEST_TMPDIR/none" --) == '' ]]
}
