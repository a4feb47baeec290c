# shellcheck shell=bash
# The Debian packages that Cruddur needs, named here and nowhere else, and their installation. Sourced, never run;
# the caller has sourced common.sh.

declare -rA PACKAGES=(
  [build]='autoconf automake gcc libc6-dev libcurl4-openssl-dev libfcgi-dev libjson-c-dev libpq-dev libseccomp-dev
    libssl-dev make pkg-config python3-yaml uuid-dev'
  [run]='curl nginx openssl postgresql python3'
  [test]='awscli bats clang-format cppcheck elfutils git haproxy iproute2 libcmocka-dev libfaketime
    nftables nodejs npm openapi-specification pgbouncer procps prometheus python3 python3-cryptography python3-hypothesis
    python3-jsonschema python3-psycopg2 python3-pytest python3-pytest-xdist shellcheck shfmt spawn-fcgi strace xz-utils'
  [web]='chromium chromium-driver fonts-noto-core python3-selenium'
  [fuzz]='clang libclang-rt-14-dev llvm-14'
  [containers]='buildah crun debootstrap docker-compose'
  [package]='debhelper debootstrap dpkg-dev fakeroot lintian'
  [boot]='debhelper debootstrap dpkg-dev e2fsprogs fakeroot qemu-system-x86'
  [bench]='python3 wrk'
  [cluster]='etcd-client etcd-server iproute2 libfaketime nftables patroni python3 python3-cryptography python3-etcd
    python3-psycopg2 util-linux'
  # The packages of the peers of bin/bench. If they cannot be installed, the peer's row in the results says so.
  [bench_blocking]='git'
  [bench_flask]='gunicorn python3-flask python3-psycopg python3-psycopg-pool'
  [bench_go]='golang-go golang-github-jackc-pgx-v4-dev'
  [bench_kore]='kore'
  [bench_node]='nodejs'
  [bench_php]='php-fpm php-pgsql'
)

# ensure_packages yes|no GROUP…: installs the missing packages of the groups, or with "no" names them and fails. If none is missing, it
# needs neither the network nor root.
ensure_packages() {
  local install=$1 missing as_root=()
  shift
  if ! command -v dpkg-query >/dev/null; then
    note 'this is no Debian: whether the packages are there is not checked'
    return
  fi
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  [[ $install == yes ]] || die "missing packages: apt-get install ${missing[*]}"
  heading "installing ${missing[*]}"
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "no sudo here; as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  # A new bash, also if this is root: in a function or subshell that stands before || the shell ignores set -e.
  "${as_root[@]}" bash -c "$(declare -f install_packages); install_packages \"\$@\"" bash "${missing[@]}" \
    || die "the packages could not be installed, for the reason above; by hand: apt-get install ${missing[*]}"
}

# missing_packages GROUP…: prints the names of the packages that are neither installed nor provided by another package, as a nodejs from
# elsewhere provides npm.
missing_packages() {
  local group name status provided names=()
  local -A installed=()
  for group; do
    read -rd '' -a names <<<"${names[*]} ${PACKAGES[$group]}" || true
  done
  while read -r status provided; do
    [[ $status == installed ]] || continue
    for name in ${provided//,/ }; do
      installed[$name]=yes
    done
  done < <(dpkg-query --show --showformat='${db:Status-Status} ${Package} ${Provides}\n' 2>/dev/null)
  for name in "${names[@]}"; do
    [[ -v installed[$name] ]] || printf '%s\n' "$name"
  done
}

# install_packages NAME…: as root, in a shell of its own. The packages of PostgreSQL, nginx, PgBouncer, HAProxy, Prometheus, etcd and
# Patroni would start servers on their usual ports; during the installation a policy forbids that, and no cluster is made. An
# nginx, PgBouncer, HAProxy, Prometheus, etcd or Patroni that is newly installed is not started at boot either.
# One installation at a time: a second one would find the policy of the first, which removes it when it ends. The lock is in /run, where
# only root can make files. apt-get does not inherit it, since a process that a package starts would keep it.
install_packages() {
  set -euo pipefail
  local lock server policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d/cruddur.conf
  exec {lock}>/run/cruddur-packages.lock
  flock --nonblock "$lock" || {
    echo 'waiting for another installation of packages' >&2
    flock "$lock"
  }
  if [[ ! -e $policy ]]; then
    # shellcheck disable=SC2064 # the path of now
    trap "rm -f $policy $cluster" EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  else
    # shellcheck disable=SC2064 # the path of now
    trap "rm -f $cluster" EXIT
  fi
  mkdir -p "${cluster%/*}"
  printf 'create_main_cluster = false\n' >$cluster

  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || echo 'apt-get update failed, going on with the lists that are here' >&2
  apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" {lock}>&- >/dev/null
  for server in nginx pgbouncer haproxy prometheus etcd-server patroni; do
    if [[ " $* " == *" $server "* && -d /run/systemd/system ]]; then
      systemctl disable --quiet "${server%-server}" # the unit of etcd-server is etcd
    fi
  done
}
