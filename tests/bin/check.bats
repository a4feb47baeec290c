#!/usr/bin/env bats
# tests/runner, which bin/check starts, on a small tree of its own with tests of all three kinds.

load helpers/common

setup() {
  TREE=$BATS_TEST_TMPDIR/tree
  WORK=$BATS_TEST_TMPDIR/work
  rm -rf "$TREE" "$WORK" "$WORK.log"
  mkdir -p "$TREE"/tests/{http,bin,unit}
  cp -R "$BIN/../tests/runner" "$TREE/tests"
  printf 'AC_INIT([cruddur], [1])\n' >"$TREE/configure.ac"
  printf 'def test_good(record_property):\n    record_property("small", 0.5)\n\n\ndef test_other():\n    pass\n' >"$TREE/tests/http/test_small.py"
  printf '@test "a good one" {\n  true\n}\n' >"$TREE/tests/bin/small.bats"
  unit_test 'assert_true(1);'
  mkdir -p "$WORK"/{src,log}
  # A configure whose Makefile has all targets that the stages need.
  cat >"$WORK/src/configure" <<CONFIGURE
#!/bin/sh
cat >Makefile <<'MAKEFILE'
all install:
check:
	mkdir -p tests/unit
	gcc -o tests/unit/test_small $TREE/tests/unit/test_small.c $TREE/tests/unit/unit.c -lcmocka
MAKEFILE
CONFIGURE
  chmod 755 "$WORK/src/configure"
}

# unit_test BODY: writes a cmocka program with one test.
unit_test() {
  cp "$BIN/../tests/unit/unit.c" "$BIN/../tests/unit/unit.h" "$TREE/tests/unit"
  cat >"$TREE/tests/unit/test_small.c" <<C
#include <unistd.h>
#include "unit.h"

static void test_one(void **state)
{
    (void)state;
    $1
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
C
}

# check [NAME…]: the runner as bin/check starts it.
check() {
  /usr/bin/python3 -B "$TREE/tests/runner" --work "$WORK" -- "$@" 3>&-
}

last_line() {
  printf '%s\n' "${lines[-1]}"
}

@test "what passes is counted by stage and in all, and nothing is left" {
  run -0 check unit http scripts
  [[ $output == *'unit       3 passed, 0 failed, 0 skipped'* ]] # two builds, one test
  [[ $output == *$'small: 0.5\nhttp       3 passed, 0 failed, 0 skipped'* ]]
  [[ $output == *'scripts    1 passed, 0 failed, 0 skipped'* ]]
  [[ $(last_line) == '7 passed, 0 failed, 0 skipped' ]]
  [[ ! -e $WORK ]]
}

@test "minutes and seconds are of a clock" {
  run -0 env PYTHONPATH="$TREE/tests/runner" /usr/bin/python3 -B -c 'import progress; print(*map(progress.clock, (0, 59.4, 59.6, 779.7)))'
  [[ $output == '0:00 0:59 1:00 13:00' ]]
}

@test "what only computes leaves the processors to the rest" {
  local own
  own=$(nice)
  sed -i "s#^all install:#&\n\tnice >>$TREE/build#; s#^check:#&\n\tnice >$TREE/check#" "$WORK/src/configure"
  run -0 check unit
  [[ $(sort -u "$TREE/build") == "$own" && $(<"$TREE/check") == $((own < 14 ? own + 5 : 19)) ]]
}

@test "a failure of each kind is named with its reason, and the logs stay" {
  printf 'def test_bad():\n    assert 1 == 2\n' >"$TREE/tests/http/test_bad.py"
  printf '@test "a bad one" {\n  echo because\n  false\n}\n' >"$TREE/tests/bin/bad.bats"
  unit_test 'assert_int_equal(3, 4);'
  run -1 check unit http scripts
  [[ $output == *'FAILED http: test_bad.py::test_bad'*'assert 1 == 2'* ]]
  [[ $output == *'FAILED scripts/bad.bats: a bad one'* ]]
  [[ $output == *'# because'* ]]
  [[ $output == *'FAILED unit/test_small: test_one'* ]]
  [[ $output == *'0x3 != 0x4'* ]]
  [[ $(last_line) == '6 passed, 3 failed, 0 skipped' ]]
  [[ -f $WORK.log/http.log ]]
}

@test "an error in a fixture, in a file, a worker that dies: each is a failure" {
  printf 'import pytest\n\n\n@pytest.fixture\ndef broken():\n    yield\n    assert False\n\n\ndef test_it(broken):\n    pass\n' \
    >"$TREE/tests/http/test_fixture.py"
  run -1 check http
  [[ $(last_line) == '3 passed, 1 failed, 0 skipped' ]]
  setup
  printf 'import nothing_of_this_name\n' >"$TREE/tests/http/test_fixture.py"
  run -1 check http
  [[ $(last_line) == *' 1 failed, 0 skipped' ]]
  setup
  printf 'import os\n\n\ndef test_it():\n    os._exit(0)\n' >"$TREE/tests/http/test_fixture.py"
  run -1 check http
  [[ $(last_line) == *' 1 failed, 0 skipped' ]]
}

@test "a setup_file that fails: its tests were not run" {
  printf 'setup_file() {\n  false\n}\n\n@test "one" {\n  true\n}\n\n@test "two" {\n  true\n}\n' >"$TREE/tests/bin/broken.bats"
  run -1 check scripts
  [[ $output == *'not run: 1 of scripts/broken.bats'* ]]
  [[ $(last_line) == '2 passed, 1 failed, 0 skipped' ]]
}

@test "what needs a build that failed is not run, and is no failure of its own" {
  printf '#!/bin/sh\necho no compiler\nexit 1\n' >"$WORK/src/configure"
  run -1 check unit http
  [[ $output == *'FAILED build/sanitized: build/sanitized'*'no compiler'* ]]
  [[ $output == *'not run: 1 of http'* ]]
  [[ $(last_line) == '0 passed, 2 failed, 0 skipped' ]]
}

@test "a skip is none of CI's" {
  printf '@test "a skipped one" {\n  skip "for want of a tool"\n}\n' >"$TREE/tests/bin/small.bats"
  CI='' run -0 check scripts
  [[ $output == *$'skipped scripts/small.bats: a skipped one: for want of a tool\n'* ]]
  [[ $(last_line) == '1 passed, 0 failed, 1 skipped' ]]
  setup
  printf 'import pytest\n\n\ndef test_skipped():\n    pytest.skip("for want of a file")\n' >"$TREE/tests/http/test_small.py"
  CI='' run -0 check http
  [[ $output == *$'skipped http: test_small.py::test_skipped: for want of a file\n'* ]]
  setup
  printf '@test "a skipped one" {\n  skip "for want of a tool"\n}\n' >"$TREE/tests/bin/small.bats"
  CI=true run -1 check scripts
  [[ $(last_line) == '1 passed, 0 failed, 1 skipped' ]]
}

@test "tests that hang are named, with stacks; the rest of their jobs was not run" {
  local status=0 mark=$BATS_TEST_TMPDIR/begun names name output=''
  mv "$WORK/src" "$BATS_TEST_TMPDIR"
  printf 'import pathlib\nimport time\n\n\ndef test_hangs():\n    pathlib.Path("%s.http").touch()\n    time.sleep(1000)\n\n\ndef test_after():\n    pass\n' \
    "$mark" >"$TREE/tests/http/test_small.py"
  printf '@test "hangs too" {\n  touch %s.scripts\n  sleep 1001 3>&-\n}\n\n@test "after it" {\n  true\n}\n' "$mark" >"$TREE/tests/bin/small.bats"
  unit_test "system(\"touch $mark.unit\"); sleep(1002);"
  for names in http 'scripts unit'; do
    mkdir -p "$WORK/log"
    cp -R "$BATS_TEST_TMPDIR/src" "$WORK"
    # shellcheck disable=SC2086 # a word each
    start_in_background /usr/bin/python3 -B "$TREE/tests/runner" --work "$WORK" -- $names
    for name in $names; do
      eventually test -e "$mark.$name"
    done
    kill -s USR1 "$BACKGROUND"
    wait "$BACKGROUND" || status=$?
    ((status == 1))
    output+=$(<"$BATS_TEST_TMPDIR/background.out")
    rm -rf "$WORK" "$WORK.log"
  done
  [[ $output == *'STALLED http:'*'test_small.py::test_hangs has run for'*'test_small.py", line 7 in test_hangs'* ]]
  [[ $output == *'STALLED scripts/small.bats:'*'hangs too has run for'*'sleep 1001'* ]]
  [[ $output == *'STALLED unit/test_small:'*'test_one has run for'*'test_one'* ]]
  [[ $output == *'not run: 1 of http'* ]]
  [[ $output == *'not run: 1 of scripts/small.bats'* ]]
  [[ $output == *'1 passed, 1 failed, 0 skipped'* && $output == *'2 passed, 2 failed, 0 skipped' ]] # the builds
}

@test "what has no result for too long is ended" {
  printf '@test "hangs" {\n  sleep 1001 3>&-\n}\n' >"$TREE/tests/bin/small.bats"
  CHECK_STALL_SECONDS=1 run -1 check small.bats
  [[ $output == *'STALLED scripts/small.bats'*' failed, 0 skipped' ]]
}

@test "ended by a signal, nothing of it runs on" {
  local status name mark=$BATS_TEST_TMPDIR/begun
  mv "$WORK/src" "$BATS_TEST_TMPDIR"
  printf 'import pathlib\nimport time\n\n\ndef test_hangs():\n    pathlib.Path("%s.http").touch()\n    time.sleep(1003)\n' "$mark" \
    >"$TREE/tests/http/test_small.py"
  printf '@test "hangs too" {\n  touch %s.scripts\n  sleep 1003 3>&-\n}\n' "$mark" >"$TREE/tests/bin/small.bats"
  for name in http scripts; do
    mkdir -p "$WORK/log"
    cp -R "$BATS_TEST_TMPDIR/src" "$WORK"
    start_in_background /usr/bin/python3 -B "$TREE/tests/runner" --work "$WORK" -- "$name"
    eventually test -e "$mark.$name"
    kill -s TERM "$BACKGROUND"
    status=0
    wait "$BACKGROUND" || status=$?
    ((status == 143))
    [[ ! -e $WORK ]]
    run ! pgrep -f "$BATS_TEST_TMPDIR"
  done
}

@test "a name is a stage, a file, a test or a part of one's name" {
  run -0 check test_small.py
  [[ $(last_line) == '3 passed, 0 failed, 0 skipped' ]] # a build, two tests
  setup
  run -0 check tests/http/test_small.py::test_other
  [[ $(last_line) == '2 passed, 0 failed, 0 skipped' ]]
  setup
  run -0 check test_other
  [[ $(last_line) == '2 passed, 0 failed, 0 skipped' ]]
  setup
  run -0 check small.bats
  [[ $(last_line) == '2 passed, 0 failed, 0 skipped' ]]
  setup
  run -0 check 'good one'
  [[ $(last_line) == '2 passed, 0 failed, 0 skipped' ]]
  setup
  run -0 check tests/unit/test_small.c
  [[ $(last_line) == '3 passed, 0 failed, 0 skipped' ]]
  setup
  run -0 check test_one
  [[ $(last_line) == '3 passed, 0 failed, 0 skipped' ]]
  setup
  run -2 check test_none
  [[ $output == *'no such stage, test file or test: test_none'* ]]
}

# stub_npm: an npm whose PostgreSQL 15 to 18 is the one under test.
stub_npm() {
  mkdir -p "$TREE/tests/postgresql" "$TREE/stub"
  cp "$BIN"/../tests/postgresql/* "$TREE/tests/postgresql"
  cat >"$TREE/stub/npm" <<NPM
#!/usr/bin/env bash
for version in 15 16 17 18; do
  package=node_modules/postgresql-\$version
  mkdir -p "\$package"/{scripts,native/bin}
  : >"\$package/scripts/hydrate-symlinks.js"
  printf '#!/bin/sh\necho "postgres (PostgreSQL) %s.1"\n' "\$version" >"\$package/native/bin/postgres"
done
NPM
  printf '#!/bin/sh\n' >"$TREE/stub/node"
  chmod 755 "$TREE"/stub/*
}

@test "on each version of PostgreSQL, or one; the client programs are those that take it" {
  local clients=$BATS_TEST_TMPDIR/clients version program
  stub_npm
  mkdir -p "$clients"
  for program in psql pg_dump; do
    printf '#!/bin/sh\necho "%s (PostgreSQL) 16.2 (Debian 16.2-1)"\n' "$program" >"$clients/$program"
    chmod 755 "$clients/$program"
  done
  printf 'import os\n\n\ndef test_bin(record_property):\n    record_property("bin", " ".join(sorted(os.listdir(os.environ["PGBIN"]))))\n' \
    >"$TREE/tests/http/test_small.py"
  printf '# cluster%s\n@test "a good one" {\n  [[ -d $PGBIN && -d $CHECK_SHARED ]]\n}\n' _start >"$TREE/tests/bin/small.bats"
  PATH=$TREE/stub:$PATH CHECK_CLIENTS=$clients run -0 check postgresql
  for version in 15 16; do
    [[ $output == *"bin: pg_dump postgres psql"*"postgresql-$version 3 passed, 0 failed, 0 skipped"* ]]
  done
  for version in 17 18; do
    [[ $output == *"bin: postgres psql"*"postgresql-$version 3 passed, 0 failed, 0 skipped"* ]]
  done
  setup
  stub_npm
  PATH=$TREE/stub:$PATH CHECK_CLIENTS=$clients run -0 check postgresql-18
  [[ $output == *'postgresql-18 '* && $output != *'postgresql-17 '* ]]
}
