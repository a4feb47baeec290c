#!/usr/bin/env bats
# The Debian package: built twice, looked at by lintian, and installed, upgraded and purged in a fresh Debian below a folder. As
# root and with a Debian archive within reach; bin/check package runs it.

bats_require_minimum_version 1.5.0

setup_file() {
  export TOP ROOM
  TOP=${BATS_TEST_DIRNAME%/tests/package}
  ROOM=$(mktemp -d /tmp/cruddur-package.XXXXXX)
  build_package first
  # The archive's address and proxy are those of this machine's apt.
  local proxy
  proxy=$(apt-config dump | sed -n 's/^Acquire::http::Proxy "\(.*\)";/\1/p')
  # What it mounts below the folder goes with its mount namespace.
  http_proxy=$proxy unshare --mount debootstrap --variant=minbase bookworm "$ROOM/root" >"$ROOM/debootstrap.log" 2>&1
  [[ -z $proxy ]] || echo "Acquire::http::Proxy \"$proxy\";" >"$ROOM/root/etc/apt/apt.conf.d/proxy"
}

teardown_file() { rm -rf "$ROOM"; }

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

# inside COMMAND…: in the fresh Debian, with a /proc that is mounted for this command only.
inside() {
  # shellcheck disable=SC2016 # the inner shell's
  ROOT=$ROOM/root unshare --mount bash -c 'mount -t proc proc "$ROOT/proc" && exec chroot "$ROOT" env DEBIAN_FRONTEND=noninteractive "$@"' bash "$@"
}

# install_package NAME: with what it needs, as an administrator would.
install_package() {
  cp "$ROOM/$1"/build/deb/cruddur_*.deb "$ROOM/root/tmp/cruddur.deb"
  inside apt-get install -qq -y --no-install-recommends /tmp/cruddur.deb
}

# files: all of the fresh Debian that a package could have made; not what apt, dpkg, systemd and the programs for users keep of every package.
files() {
  (cd "$ROOM/root" && find . -xdev '(' -path ./proc -o -path ./tmp -o -path ./var/cache/apt -o -path ./var/cache/debconf -o -path ./var/lib/apt \
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
  build_package next -e '1s/(.*)/(99.0.0)/' debian/changelog
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
