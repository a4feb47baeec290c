# A finished build, for tests that do not test the build itself.

load helpers/shared

# take_build FOLDER: makes it a --dir in which bin/quickstart has built before, so that its make finds nothing to do.
take_build() {
  take_shared build make_build "$1"
  touch "$1/.cruddur-quickstart"
}

# make_build FOLDER: builds with quickstart's own function. If bin/check has set CHECK_BUILD, the build begins with a copy of this
# finished build folder, whose sources are in ../src.
make_build() {
  mkdir -p "$1/log"
  if [[ -n ${CHECK_BUILD:-} ]]; then
    cp -a --reflink=auto "$CHECK_BUILD/../src" "$1/src"
    cp -a --reflink=auto "$CHECK_BUILD" "$1/build"
  fi
  bash -c 'set -euo pipefail; umask 022; source "$1/lib/quickstart.sh"; dir=$2; build' bash "$BIN" "$1" 3>&-
  rm -r "$1/log"
}
