#!/usr/bin/env bats
# `make sbom`: the bill of materials is what SPDX 2.3 requires, names all linked and vendored software, and is the same each time.

load helpers/common
load helpers/build

setup_file() {
  ROOM=$(mktemp -d "${CHECK_FOLDER:-/tmp}/cruddur-sbom.XXXXXX")
  export ROOM
  take_build "$ROOM/data"
}

teardown_file() { rm -rf "$ROOM"; }

# make_sbom: makes $ROOM/data/build/cruddur.spdx.json.
make_sbom() {
  rm -f "$ROOM/data/build/cruddur.spdx.json"
  make --silent -C "$ROOM/data/build" sbom
}

# told EXPRESSION: prints the value of a Python expression, in which `it` is the document.
told() {
  /usr/bin/python3 -c 'import json, sys; it = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$ROOM/data/build/cruddur.spdx.json" "$1"
}

is_valid() { /usr/bin/python3 -B "$BATS_TEST_DIRNAME/helpers/spdx.py" "$ROOM/data/build/cruddur.spdx.json"; }

@test "it is what the specification requires, and the same bytes again" {
  local version
  export SOURCE_DATE_EPOCH=1795860000
  make_sbom
  is_valid
  cp "$ROOM/data/build/cruddur.spdx.json" "$ROOM/first"
  make_sbom
  cmp "$ROOM/first" "$ROOM/data/build/cruddur.spdx.json"
  [[ $(told 'it["creationInfo"]["created"]') == 2026-11-28T10:00:00Z ]]
  version=$(sed -n 's/^AC_INIT(\[cruddur\], \[\(.*\)\])/\1/p' "$BIN/../configure.ac")
  [[ $(told '[it["packages"][0][field] for field in ("name", "versionInfo", "licenseDeclared")]') == "['cruddur', '$version', 'MIT']" ]]
  SOURCE_DATE_EPOCH=1795860001 make_sbom
  run ! cmp "$ROOM/first" "$ROOM/data/build/cruddur.spdx.json"
}

@test "every library that a program is linked to is there, in the version that is installed" {
  command -v dpkg-query >/dev/null || skip 'dpkg-query is missing'
  make_sbom
  local name version
  for name in libpq5 libjson-c5 libfcgi0ldbl libc6; do
    run -0 dpkg-query --show --showformat='${Version}' "$name"
    version=$output
    [[ $(told "[each['versionInfo'] for each in it['packages'] if each['name'] == '$name']") == "['$version']" ]]
  done
  [[ $(told "len([each for each in it['packages'] if each['name'].startswith('libcurl')])") == 1 ]] # for the fetcher
  [[ $(told "[each['name'] for each in it['packages'] if '.so' in each['name']]") == '[]' ]]
}

@test "without dpkg libraries have their own names, and no version is made up" {
  mkdir "$ROOM/tools"
  ln -s /usr/bin/python3 "$(command -v bash)" "$(command -v objdump)" "$(command -v ldd)" "$ROOM/tools"
  PATH=$ROOM/tools "$ROOM/tools/python3" "$BIN/../doc/sbom.py" --name cruddur --version 1 --source "$BIN/.." "$ROOM/data/build/cruddurd" \
    >"$ROOM/data/build/cruddur.spdx.json"
  is_valid
  [[ $(told "['versionInfo' in each for each in it['packages'] if each['name'] == 'libpq.so.5']") == '[False]' ]]
}

@test "what is vendored is there with its checksums, and must be what it was" {
  make_sbom
  local file sums
  for file in uPlot.iife.min.js uPlot-LICENSE.txt; do
    sums=$(for program in sha1sum sha256sum; do "$program" <"$BIN/../web/vendor/$file" | cut -d ' ' -f 1; done)
    [[ $(told "'\n'.join(sum['checksumValue'] for each in it['files'] if each['fileName'] == './web/vendor/$file' for sum in each['checksums'])") == "$sums" ]]
  done
  [[ $(told 'len(it["files"])') == 2 && $(told '[each["versionInfo"] for each in it["packages"] if each["name"] == "uPlot"]') == "['1.6."* ]]
  mkdir -p "$ROOM/changed/web"
  cp -r "$BIN/../web/vendor" "$ROOM/changed/web"
  echo ' ' >>"$ROOM/changed/web/vendor/uPlot.iife.min.js"
  run -1 "$BIN/../doc/sbom.py" --name cruddur --version 1 --source "$ROOM/changed" "$ROOM/data/build/cruddurd"
  [[ $output == 'sbom: web/vendor/uPlot.iife.min.js is not the file of SHA256SUMS' ]]
  run -1 "$BIN/../doc/sbom.py" --name cruddur --version 1 --source "$BIN/.." /etc/passwd
  [[ $output == 'sbom: /etc/passwd is no program that objdump reads, or is linked to nothing' ]]
}
