#!/usr/bin/env bats
# The Debian package: built twice, looked at by lintian, and installed, upgraded and purged in a fresh Debian below a folder. Then
# doc/production.md is followed word by word on a Debian 12 and 13 that their own systemd runs (boot.sh), the tests of this folder ask
# what came of it, and upgrade it under load. As root, with control groups of version 2 and with a Debian archive within reach;
# bin/check package runs it.

bats_require_minimum_version 1.5.0

setup_file() {
  export TOP ROOM
  TOP=${BATS_TEST_DIRNAME%/tests/package}
  ROOM=$(mktemp -d /tmp/cruddur-package.XXXXXX)
  build_package first
  make_root bookworm root
}

teardown_file() { rm -rf "$ROOM"; }

# make_root SUITE NAME: a fresh Debian in $ROOM/NAME. The archive's address and proxy are those of this machine's apt. What
# debootstrap mounts goes with its mount namespace.
make_root() {
  local proxy
  proxy=$(apt-config dump | sed -n 's/^Acquire::http::Proxy "\(.*\)";/\1/p')
  http_proxy=$proxy unshare --mount debootstrap --variant=minbase "$1" "$ROOM/$2" >"$ROOM/debootstrap.log" 2>&1 || {
    tail -n 20 "$ROOM/debootstrap.log"
    echo "Debian $1 could not be had from the archive"
    return 1
  }
  [[ -z $proxy ]] || echo "Acquire::http::Proxy \"$proxy\";" >"$ROOM/$2/etc/apt/apt.conf.d/proxy"
}

# build_package NAME [SED…]: from a copy of the checkout, changed by sed's arguments, into $ROOM/NAME/build/deb.
build_package() {
  local name=$1
  shift
  mkdir -p "$ROOM/$name/build"
  git -C "$TOP" ls-files -z --cached --others --exclude-standard | tar -C "$TOP" --null --files-from=- -cf - | tar -xf - -C "$ROOM/$name"
  (
    cd "$ROOM/$name" || exit
    (($# == 0)) || sed -i "$@"
    ./autogen.sh
    cd build || exit
    ../configure --quiet
    make --silent deb
  )
}

# build_next: the same with a later version, once.
build_next() {
  [[ -d $ROOM/next ]] \
    || build_package next -e '1s/^cruddur ([^)]*)/cruddur (99.0.0)/; s/^AC_INIT(\[cruddur\], \[[^]]*\])/AC_INIT([cruddur], [99.0.0])/' debian/changelog configure.ac
}

# inside COMMAND…: in the fresh Debian, or the one that PLACE names, with a /proc that is mounted for this command only.
inside() {
  # shellcheck disable=SC2016 # the inner shell's
  ROOT=$ROOM/${PLACE:-root} unshare --mount bash -c 'mount -t proc proc "$ROOT/proc" && exec chroot "$ROOT" env DEBIAN_FRONTEND=noninteractive "$@"' bash "$@"
}

# install_package NAME: with what it needs, as an administrator would.
install_package() {
  cp "$ROOM/$1"/build/deb/cruddur_*.deb "$ROOM/root/tmp/cruddur.deb"
  inside apt-get install -qq -y --no-install-recommends /tmp/cruddur.deb
}

# files: all of the Debian that a package could have made; not what apt, dpkg, systemd and the programs for users keep of every package,
# nor what belongs to its root and to PostgreSQL.
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
  # What it needs is there before, so that the list of files shows what is its own.
  local libraries
  mapfile -t libraries < <(dpkg-deb --field "$ROOM"/first/build/deb/cruddur_*.deb Depends | grep -oE '\blib[a-z0-9.+-]+')
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

# enter COMMAND…: in the Debian PLACE, which runs with the first process INIT.
enter() {
  nsenter --target "$INIT" --mount --pid --net --ipc --uts --cgroup --root --wd \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

# furnish: the Debian PLACE with what the page's reader has before, and both packages. No init is there yet to start anything.
furnish() {
  local place=$ROOM/$PLACE libraries
  mapfile -t libraries < <(dpkg-deb --field "$ROOM"/first/build/deb/cruddur_*.deb Depends | grep -oE '\blib[a-z0-9.+-]+')
  printf '#!/bin/sh\nexit 101\n' >"$place/usr/sbin/policy-rc.d"
  chmod 755 "$place/usr/sbin/policy-rc.d"
  inside apt-get -qq update
  inside apt-get install -qq -y --no-install-recommends \
    curl nginx openssl postgresql postgresql-client procps python3 systemd systemd-sysv "${libraries[@]}"
  rm "$place/usr/sbin/policy-rc.d"
  echo 'APT::Get::Assume-Yes "true";' >"$place/etc/apt/apt.conf.d/assume-yes"
  mkdir "$place"/root/{deb,next}
  cp "$ROOM"/first/build/deb/cruddur_*.deb "$place/root/deb"
  cp "$ROOM"/next/build/deb/cruddur_*.deb "$place/root/next"
  cp "$TOP/doc/production.md" "$TOP/tests/package/follow.sh" "$place/root"
}

# start_place: boots PLACE, with BOOT and INIT as its processes.
start_place() {
  "$TOP/tests/package/boot.sh" "$ROOM/$PLACE" >"$ROOM/boot.log" 2>&1 3>&- &
  BOOT=$!
  wait_for is_booted
  wait_for enter systemctl --quiet is-active nginx postgresql
}

is_booted() {
  INIT=$(pgrep --parent "$(pgrep --parent "$BOOT")") && [[ $(enter systemctl is-system-running) == @(running|degraded) ]]
}

wait_for() {
  local end=$((SECONDS + 120))
  until "$@"; do
    ((SECONDS < end)) || { echo "in vain: $*" && cat "$ROOM/boot.log" && return 1; }
    sleep 0.2
  done
}

teardown() {
  [[ -n ${INIT:-} ]] || return 0
  kill -s KILL "$INIT"
  wait "$BOOT" || true
}

# ask_deployed: tests/package's tests of what the page has set up, in the network of PLACE.
ask_deployed() {
  [[ -d $ROOM/program ]] || dpkg-deb --extract "$ROOM"/first/build/deb/cruddur_*.deb "$ROOM/program"
  nsenter --target "$INIT" --net --wd="$TOP/tests/package" \
    env CRUDDURD="$ROOM/program/usr/sbin/cruddurd" PLACE="$ROOM/$PLACE" INIT="$INIT" PYTHONPATH="$TOP/tests/http" PYTHONDONTWRITEBYTECODE=1 \
    /usr/bin/python3 -m pytest -q -p no:cacheprovider --capture=no .
}

# The page says what a purge leaves. Beside that there is what its reader has made for nginx, and the hook's two files and drop-in.
LEFT='./etc/cruddur
./etc/cruddur/backup-url
./etc/cruddur/connection-url
./etc/cruddur/hook-connection-url
./etc/cruddur/hook-secret
./etc/nginx/sites-available/cruddur
./etc/nginx/sites-enabled/cruddur
./etc/systemd/system/cruddurd.service.d
./etc/systemd/system/cruddurd.service.d/override.conf
./var/backups/cruddur
./var/lib/cruddur-backups
./var/lib/private/cruddur-backups'

# follow SUITE: the page in a Debian of that suite, the tests of what came of it, and the purge.
follow() {
  PLACE=$1
  build_next
  make_root "$1" "$1"
  furnish
  start_place
  enter /root/follow.sh prepare
  files >"$ROOM/before"
  enter /root/follow.sh follow >"$ROOM/followed" || {
    cat "$ROOM/followed"
    enter journalctl --no-pager --lines 50
    return 1
  }
  [[ $(<"$ROOM/followed") == *'== block 9'*'== followed' ]]
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
