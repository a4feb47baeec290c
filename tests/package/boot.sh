#!/usr/bin/env bash
# boot.sh FOLDER: boots the Debian in FOLDER by its own systemd, as a container whose only network is the loopback interface; /sys and
# the kernel's variables are read-only there. Runs as root, until the container is shut down or its first process is killed.
set -euo pipefail

readonly FOLDER=$1 STAGE=${2:-}
readonly DEVICES='null zero full random urandom tty'

# start: the container's control groups are below a group of its own, which is removed at the end.
start() {
  local groups group
  groups=$(mktemp -d /tmp/cruddur-groups.XXXXXX)
  mount -t cgroup2 cgroup2 "$groups"
  group=$groups/${groups##*/}
  mkdir "$group"
  bash -c 'echo $$ >"$1/cgroup.procs" && exec "${@:2}"' bash "$group" \
    unshare --mount --net --pid --cgroup --ipc --uts --fork --kill-child "$0" "$FOLDER" boot || true
  find "$group" -depth -type d -exec rmdir {} +
  umount "$groups"
  rmdir "$groups"
}

make_devices() {
  local name
  mount -t tmpfs -o mode=755 tmpfs dev
  for name in $DEVICES; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
  done
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
  mount -t tmpfs tmpfs dev/shm
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
}

# boot: in the namespaces, as their first process.
boot() {
  mount --make-rprivate /
  mount --bind "$FOLDER" "$FOLDER"
  cd "$FOLDER"
  mount -t proc proc proc
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o ro sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=755 tmpfs run
  make_devices
  ip link set lo up
  pivot_root . mnt
  umount --lazy mnt
  mount --make-rshared / # so that the credentials of a unit reach its namespace
  exec env -i container=cruddur PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /lib/systemd/systemd </dev/null
}

"${STAGE:-start}"
