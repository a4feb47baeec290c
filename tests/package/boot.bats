#!/usr/bin/env bats
# A machine that was set up by doc/production.md, a Debian 12 with its cloud kernel, is booted under qemu, which emulates the processor
# (TCG). In it a service runs booted.py with pytest, writes the report to the second serial port, and powers the machine off. Each test
# here is a test of booted.py, or about the machine's start and end. Needs root, amd64, control groups of version 2, and a Debian archive
# within reach; bin/check boot runs it.

bats_require_minimum_version 1.5.0

load room

PATIENCE=540 # s, for one step of a slow machine; bin/check gives up after ten minutes without a step

setup_file() {
  export TOP ROOM PLACE=bookworm
  TOP=${BATS_TEST_DIRNAME%/tests/package}
  ROOM=$(mktemp -d /tmp/cruddur-boot.XXXXXX)
  build_package first
}

teardown() {
  kill_place
  [[ -n $BATS_TEST_COMPLETED || ! -e $ROOM/console ]] || {
    echo '--- the console'
    tail -n 40 "$ROOM/console"
  }
}

teardown_file() {
  [[ ! -e $ROOM/qemu.pid ]] || kill "$(<"$ROOM/qemu.pid")" || true
  rm -rf "$ROOM"
}

# copy_tests: copies the files of the checkout that booted.py needs.
copy_tests() {
  mkdir "$ROOM/$PLACE/root/checkout"
  copy_checkout "$ROOM/$PLACE/root/checkout" sql tests/http tests/package
}

# write_service: writes the unit of the tests. Its type is not oneshot: the boot would be complete only when the tests have ended.
write_service() {
  cat >"$ROOM/$PLACE/etc/systemd/system/tests.service" <<'UNIT'
[Unit]
Description=Tests of this machine
After=dev-ttyS1.device
SuccessAction=poweroff
FailureAction=poweroff

[Service]
Type=exec
WorkingDirectory=/root/checkout/tests/package
Environment=PLACE=/ INIT=1 CRUDDURD=/usr/sbin/cruddurd PYTHONPATH=/root/checkout/tests/http PYTHONDONTWRITEBYTECODE=1 COLUMNS=150
ExecStart=/usr/bin/python3 -m pytest -v --color=no -p no:cacheprovider booted.py
StandardOutput=tty
StandardError=inherit
TTYPath=/dev/ttyS1
UNIT
  ln -s ../tests.service "$ROOM/$PLACE/etc/systemd/system/multi-user.target.wants/tests.service"
}

# write_settings: adds settings to those of follow.sh: PURGE_INTERVAL is 0, as the page says for a purge by the timer. With SANDBOX=on a
# worker starts only with all of its sandbox. The shipped time-outs are for faster machines: a reload tries each statement before a new
# worker takes over.
write_settings() {
  printf 'CRUDDUR_%s\n' WORKERS=2 PURGE_INTERVAL=0 SANDBOX=on {STATEMENT,SLOW}_TIMEOUT=50000 {DEADLINE,REQUEST_TIMEOUT}=60000 \
    STUCK_TIMEOUT=600000 DRAIN_TIMEOUT=25000 >>"$ROOM/$PLACE/etc/cruddur/cruddur.conf"
  mkdir "$ROOM/$PLACE/etc/systemd/system.conf.d"
  printf '[Manager]\nDefaultEnvironment=PGCONNECT_TIMEOUT=300\n' >"$ROOM/$PLACE/etc/systemd/system.conf.d/patience.conf"
  sed -Ei 's/^fastcgi_(connect|send|read)_timeout .*/fastcgi_\1_timeout 120s;/' "$ROOM/$PLACE/usr/share/cruddur/nginx/cruddur.conf"
}

# make_disk: makes a disk with the Debian, and a gigabyte of free space.
make_disk() {
  local size
  size=$(du --summarize --block-size=1M "$ROOM/$PLACE" | cut -f 1)
  /sbin/mke2fs -q -t ext4 -d "$ROOM/$PLACE" "$ROOM/disk" "$((size + 1024))M"
}

# start_machine: its first serial port is the console, the second has pytest's output. The file `ended` gets qemu's exit status.
start_machine() {
  (
    qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -smp 2 -m 1280 -nic none -display none -no-reboot -pidfile "$ROOM/qemu.pid" \
      -kernel "$ROOM/$PLACE"/boot/vmlinuz-*-cloud-amd64 -initrd "$ROOM/$PLACE"/boot/initrd.img-*-cloud-amd64 \
      -append 'root=/dev/vda rw console=ttyS0 panic=-1' -drive "file=$ROOM/disk,format=raw,if=virtio,cache=unsafe" -device virtio-rng-pci \
      -serial "file:$ROOM/console" -serial "file:$ROOM/report" -monitor none && status=0 || status=$?
    echo "$status" >"$ROOM/ended"
  ) >"$ROOM/qemu.log" 2>&1 3>&- &
}

# machine_until COMMAND…: waits until the command succeeds, as long as the machine runs.
machine_until() {
  local end=$((SECONDS + PATIENCE))
  until "$@"; do
    [[ ! -e $ROOM/ended ]] || { "$@" && return || echo 'the machine has ended' && cat "$ROOM/qemu.log" && return 1; }
    ((SECONDS < end)) || { echo "in vain: $*" && return 1; }
    sleep 0.5
  done
}

has_ended() { [[ -e $ROOM/ended ]]; }

# outcome NAME: prints pytest's word for the result of a test of booted.py.
outcome() { sed -nE "s/^booted\.py::$1 ([A-Z]+) .*/\1/p" "$ROOM/report" | grep .; }

# passed NAME: waits for the test, and checks that it passed. pytest reports the reason of a failure only after all tests.
passed() {
  machine_until outcome "$1"
  [[ $(outcome "$1") == PASSED ]] || {
    machine_until has_ended
    tr -d '\r' <"$ROOM/report" | awk -v name="$1" '/^_+ .* _+$/ { on = index($0, " " name " ") } /^=/ { on = 0 } on'
    return 1
  }
}

@test "a Debian comes from the archive" { make_root "$PLACE" "$PLACE"; }

@test "it has the cloud kernel, and what the page and the tests need" {
  furnish linux-image-cloud-amd64 initramfs-tools python3-{cryptography,psycopg2,pytest}
}

@test "doc/production.md is followed in it" {
  start_place
  enter /root/follow.sh prepare
  follow_page
  stop_place
}

@test "a disk is made of it" {
  copy_tests
  write_service
  write_settings
  make_disk
}

@test "the machine boots from the disk" {
  start_machine
  machine_until grep -qs '^booted.py::' "$ROOM/report"
}

@test "the kernel is the cloud kernel, and systemd its first process" { passed test_kernel; }

@test "after the boot no unit has failed" { passed test_boot; }

@test "the socket is open, for nginx only" { passed test_socket; }

@test "a request starts the service" { passed test_start; }

@test "the URL of the database is a credential" { passed test_credentials; }

@test "a post by a token is read back" { passed test_post; }

@test "workers are in the sandbox, by seccomp and Landlock" { passed test_sandbox; }

@test "the exposure of the service is 1.5 at most" { passed test_exposure; }

@test "a killed worker is replaced" { passed test_killed_worker; }

@test "a killed service is started again" { passed test_killed_master; }

@test "a service that hangs is started again by the watchdog" { passed test_watchdog; }

@test "a reload fails no request" { passed test_reload; }

@test "a service that was stopped with its socket stays so" { passed test_stop; }

@test "the timer of the purge fires" { passed test_purge_timer; }

@test "the timer of the backup fires" { passed test_backup_timer; }

@test "the journal has no complaint" { passed test_journal; }

@test "booted.py has no other tests, and no errors" {
  machine_until has_ended
  run ! grep -E '^=.* errors? in ' "$ROOM/report"
  diff <(sed -n 's/^def \(test_[a-z_]*\)(.*/\1/p' "$BATS_TEST_DIRNAME/booted.py") <(sed -n 's/.*{ passed \(test_[a-z_]*\); }$/\1/p' "$BATS_TEST_FILENAME")
}

@test "it powers off, and has stopped everything before" {
  machine_until has_ended
  [[ $(<"$ROOM/ended") == 0 ]]
  grep -q 'reboot: Power down' "$ROOM/console"
  /sbin/e2fsck -fn "$ROOM/disk"
  /sbin/debugfs -R "rdump /var/log $ROOM/$PLACE/root" "$ROOM/disk"
  tail -n 1 "$ROOM/$PLACE"/root/log/postgresql/*.log | grep 'database system is shut down'
  inside journalctl --directory=/root/log/journal --boot --no-pager --output=cat --unit=cruddurd | tail -n 5 >"$ROOM/last"
  cat "$ROOM/last"
  grep '^cruddurd.service: Deactivated successfully' "$ROOM/last"
}
