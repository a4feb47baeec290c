#!/usr/bin/env bats
# Files keep their line ends although core.autocrlf writes CRLF into a checkout: checksums of migrations depend on them.

load helpers/common

@test "a clone with core.autocrlf has every file as it was" {
  local folder=$BATS_TEST_TMPDIR file
  mkdir "$folder/made"
  cd "$folder/made"
  cp -r "$BIN/../.gitattributes" "$BIN" "$BIN/../sql" "$BIN/../nginx" "$BIN/../systemd" .
  git init --quiet
  git add --all
  git -c user.name=x -c user.email=x@example.com commit --quiet --message x
  git clone --quiet --config core.autocrlf=true . "$folder/clone"
  diff --recursive --exclude=.git . "$folder/clone"
  # the opposite: without the file they are not kept
  git rm --quiet .gitattributes
  git -c user.name=x -c user.email=x@example.com commit --quiet --message y
  git clone --quiet --config core.autocrlf=true . "$folder/other"
  for file in bin/db-seed sql/schema.sql; do
    run ! cmp "$file" "$folder/other/$file"
  done
}
