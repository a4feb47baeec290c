# shellcheck shell=bash
# What package.bats and boot.bats have in common: the package, built from a copy of the checkout; a fresh Debian in $ROOM/$PLACE; and a
# service in it that was set up by doc/production.md while the Debian's own systemd ran as a container (boot.sh). The caller sets TOP,
# the checkout, and ROOM, a folder that it removes at the end. Must run as root.

# make_root SUITE NAME: makes a fresh Debian in $ROOM/NAME. The archive's address and proxy are those of this machine's apt. The mounts
# of debootstrap end with its mount namespace.
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

# copy_checkout FOLDER [PATH…]: copies git's files into the folder.
copy_checkout() {
  git -C "$TOP" ls-files -z --cached --others --exclude-standard "${@:2}" | tar -C "$TOP" --null --files-from=- -cf - | tar -xf - -C "$1"
}

# build_package NAME [SED…]: builds it from a copy of the checkout, changed by sed with these arguments, into $ROOM/NAME/build/deb.
build_package() {
  local name=$1
  shift
  mkdir -p "$ROOM/$name/build"
  copy_checkout "$ROOM/$name"
  (
    cd "$ROOM/$name" || exit
    (($# == 0)) || sed -i "$@"
    ./autogen.sh
    cd build || exit
    ../configure --quiet
    make --silent deb
  )
}

# inside COMMAND…: runs it in the fresh Debian, or in the one that PLACE names, with a /proc that is mounted for this command only.
inside() {
  # shellcheck disable=SC2016 # the inner shell's
  ROOT=$ROOM/${PLACE:-root} unshare --mount bash -c 'mount -t proc proc "$ROOT/proc" && exec chroot "$ROOT" env DEBIAN_FRONTEND=noninteractive "$@"' bash "$@"
}

# enter COMMAND…: runs it in the Debian PLACE, which is booted; INIT is its first process.
enter() {
  nsenter --target "$INIT" --mount --pid --net --ipc --uts --cgroup --root --wd \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

# libraries: prints the packages of the libraries that the built package needs.
libraries() {
  dpkg-deb --field "$ROOM"/first/build/deb/cruddur_*.deb Depends | grep -oE '\blib[a-z0-9.+-]+'
}

# furnish PACKAGE…: installs these packages and those that the page's reader has already in the Debian PLACE, and copies the built package
# there. No service is started, since no init runs yet.
furnish() {
  local place=$ROOM/$PLACE libraries
  mapfile -t libraries < <(libraries)
  printf '#!/bin/sh\nexit 101\n' >"$place/usr/sbin/policy-rc.d"
  chmod 755 "$place/usr/sbin/policy-rc.d"
  inside apt-get -qq update
  inside apt-get install -qq -y --no-install-recommends \
    curl nginx openssl postgresql postgresql-client procps python3 systemd systemd-sysv "${libraries[@]}" "$@"
  rm "$place/usr/sbin/policy-rc.d"
  echo 'APT::Get::Assume-Yes "true";' >"$place/etc/apt/apt.conf.d/assume-yes"
  mkdir "$place/root/deb"
  cp "$ROOM"/first/build/deb/cruddur_*.deb "$place/root/deb"
  cp "$TOP/doc/production.md" "$TOP/tests/package/follow.sh" "$place/root"
}

# start_place: boots PLACE; leaves in BOOT the process id of boot.sh, in INIT that of the Debian's first process.
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

# stop_place: powers it off as its administrator would.
stop_place() {
  enter systemctl poweroff
  wait "$BOOT"
  INIT=
}

# kill_place: kills it if it runs.
kill_place() {
  [[ -n ${INIT:-} ]] || return 0
  kill -s KILL "$INIT"
  wait "$BOOT" || true
}

# follow_page: follows the page in PLACE, which runs.
follow_page() {
  enter /root/follow.sh follow >"$ROOM/followed" || {
    cat "$ROOM/followed"
    enter journalctl --no-pager --lines 50
    return 1
  }
  [[ $(<"$ROOM/followed") == *'== block 9'*'== followed' ]]
}
