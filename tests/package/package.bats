#!/usr/bin/env bats
# The Debian package: built twice, checked by lintian, and installed, upgraded and purged in a fresh Debian below a folder. Then
# doc/production.md is followed word by word on a Debian 12 and 13 that their own systemd runs (boot.sh); the tests of this folder check
# the resulting service, and upgrade it under load. Needs root, control groups of version 2, and a Debian archive within reach;
# bin/check package runs it.

bats_require_minimum_version 1.5.0

load room

setup_file() {
  export TOP ROOM
  TOP=${BATS_TEST_DIRNAME%/tests/package}
  ROOM=$(mktemp -d /tmp/cruddur-package.XXXXXX)
  build_package first
  make_root bookworm root
}

teardown_file() { rm -rf "$ROOM"; }

# build_next: builds the same package with a later version, once.
build_next() {
  [[ -d $ROOM/next ]] \
    || build_package next -e '1s/^cruddur ([^)]*)/cruddur (99.0.0)/; s/^AC_INIT(\[cruddur\], \[[^]]*\])/AC_INIT([cruddur], [99.0.0])/' debian/changelog configure.ac
}

# install_package NAME: installs it with its dependencies, as an administrator would.
install_package() {
  cp "$ROOM/$1"/build/deb/cruddur_*.deb "$ROOM/root/tmp/cruddur.deb"
  inside apt-get install -qq -y --no-install-recommends /tmp/cruddur.deb
}

# files: prints all files of the Debian that a package could have made, except those that apt, dpkg, systemd and the programs for users
# keep about every package, and those of root and of PostgreSQL.
files() {
  (cd "$ROOM/${PLACE:-root}" && find . -xdev '(' -path ./proc -o -path ./tmp -o -path ./root -o -path ./var/lib/postgresql -o -path ./var/cache/apt -o -path ./var/cache/debconf -o -path ./var/lib/apt \
    -o -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/lib/systemd -o -path "./etc/*-" ')' -prune -o -print | sort)
}

@test "two builds give equal packages" {
  build_package second
  (cd "$ROOM/first/build/deb" && sha256sum ./*.deb) >"$ROOM/first.sums"
  (cd "$ROOM/second/build/deb" && sha256sum ./*.deb) >"$ROOM/second.sums"
  (($(wc -l <"$ROOM/first.sums") == 2)) # with the debugging symbols
  diff "$ROOM/first.sums" "$ROOM/second.sums"
}

@test "lintian has nothing to say" {
  run -0 lintian --allow-root --pedantic --fail-on error,warning,info,pedantic "$ROOM"/first/build/deb/cruddur_*.changes
  [[ -z $output ]]
}

@test "it installs on a fresh Debian and touches no database" {
  inside apt-get -qq update
  # Its dependencies are installed before, so that the lists of files differ only by the package's own files.
  local libraries
  mapfile -t libraries < <(libraries)
  inside apt-get install -qq -y --no-install-recommends postgresql-client procps systemd-standalone-sysusers "${libraries[@]}"
  files >"$ROOM/before"
  install_package first
  [[ $(inside cruddurd --version) == "cruddurd $(sed -n 's/^AC_INIT(\[cruddur\], \[\(.*\)\])/\1/p' "$TOP/configure.ac")" ]]
  [[ $(inside stat --format='%U %G %a' /etc/cruddur/cruddur.conf) == 'root cruddur 640' ]]
  inside setpriv --reuid cruddur --regid cruddur --clear-groups cruddurd --settings-file /etc/cruddur/cruddur.conf --print-settings >"$ROOM/printed"
  diff "$ROOM/printed" "$ROOM/root/etc/cruddur/cruddur.conf"
  /usr/bin/python3 -B "$TOP/tests/bin/helpers/spdx.py" "$ROOM/root/usr/share/doc/cruddur/cruddur.spdx.json"
  [[ -L $ROOM/root/etc/systemd/system/sockets.target.wants/cruddurd.socket ]]
  run ! compgen -G "$ROOM/root/etc/systemd/system/timers.target.wants/cruddur-*"
  local unit
  for unit in cruddurd.service cruddurd.socket cruddur-{backup,purge}.{service,timer}; do
    [[ -e $ROOM/root/lib/systemd/system/$unit ]]
  done
}

@test "an upgrade keeps what the administrator has written" {
  echo CRUDDUR_WORKERS=3 >>"$ROOM/root/etc/cruddur/cruddur.conf"
  echo postgresql://app@db.example/cruddur >"$ROOM/root/etc/cruddur/connection-url"
  build_next
  install_package next
  # shellcheck disable=SC2016 # dpkg-query's
  [[ $(inside dpkg-query --show --showformat='${Version}' cruddur) == 99.0.0 ]]
  grep -q '^CRUDDUR_WORKERS=3$' "$ROOM/root/etc/cruddur/cruddur.conf"
  [[ $(inside stat --format='%U %G %a' /etc/cruddur/cruddur.conf) == 'root cruddur 640' ]]
}

@test "a purge leaves what the administrator has made, and the user" {
  inside apt-get purge -qq -y cruddur
  files >"$ROOM/after"
  diff "$ROOM/before" "$ROOM/after" >"$ROOM/rest" || true
  cat "$ROOM/rest"
  [[ $(sed -n 's/^> //p' "$ROOM/rest") == $'./etc/cruddur\n./etc/cruddur/connection-url' ]]
  run ! grep '^<' "$ROOM/rest"
  inside getent passwd cruddur
}

teardown() { kill_place; }

# ask_deployed: runs the tests of tests/package, in the network of PLACE, against the service that was set up by the page.
ask_deployed() {
  [[ -d $ROOM/program ]] || dpkg-deb --extract "$ROOM"/first/build/deb/cruddur_*.deb "$ROOM/program"
  nsenter --target "$INIT" --net --wd="$TOP/tests/package" \
    env CRUDDURD="$ROOM/program/usr/sbin/cruddurd" PLACE="$ROOM/$PLACE" INIT="$INIT" PYTHONPATH="$TOP/tests/http" PYTHONDONTWRITEBYTECODE=1 \
    /usr/bin/python3 -m pytest -q -p no:cacheprovider --capture=no .
}

# The files that a purge leaves: those that the page names, those that its reader has made for nginx and the web page, and the hook's drop-in.
LEFT='./etc/cruddur
./etc/cruddur/backup-url
./etc/cruddur/connection-url
./etc/cruddur/hook-connection-url
./etc/cruddur/hook-secret
./etc/cruddur/web.json
./etc/nginx/sites-available/cruddur
./etc/nginx/sites-enabled/cruddur
./etc/systemd/system/cruddurd.service.d
./etc/systemd/system/cruddurd.service.d/override.conf
./var/backups/cruddur
./var/lib/cruddur-backups
./var/lib/private/cruddur-backups'

# follow SUITE: follows the page in a Debian of that suite, tests the resulting service, and purges the package.
follow() {
  PLACE=$1
  build_next
  make_root "$1" "$1"
  furnish
  mkdir "$ROOM/$PLACE/root/next"
  cp "$ROOM"/next/build/deb/cruddur_*.deb "$ROOM/$PLACE/root/next"
  start_place
  enter /root/follow.sh prepare
  files >"$ROOM/before"
  follow_page
  ask_deployed
  enter apt-get purge --quiet=2 cruddur
  files >"$ROOM/after"
  diff "$ROOM/before" "$ROOM/after" >"$ROOM/rest" || true
  cat "$ROOM/rest"
  diff <(echo "$LEFT") <(sed -n 's/^> //p' "$ROOM/rest" | grep -vE '/cruddur-[0-9]*T[0-9]*Z\.dump')
  run ! grep '^<' "$ROOM/rest"
}

@test "production.md word by word on Debian 12, an upgrade and a purge" { follow bookworm; }

@test "production.md word by word on Debian 13, an upgrade and a purge" { follow trixie; }
