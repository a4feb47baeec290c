# shellcheck shell=bash
# A copy of the checkout to build from. Sourced, never run.

TOP=$(readlink -f "${BASH_SOURCE[0]%/*}/../..")
readonly TOP
readonly MARKER=.cruddur-quickstart # is in every folder that bin/quickstart made

# copy_source FOLDER: the sources without what an earlier autogen.sh, configure, make or run left beside them, so that a
# checkout that is built in, read-only or somebody else's can be built out of place all the same. Times are kept: make
# builds only what changed.
copy_source() {
  local made
  made=(Makefile Makefile.in aclocal.m4 autom4te.cache build-aux config.h config.h.in config.log config.status configure
    stamp-h1 var)
  mkdir -p "$1"
  tar --create --directory "$TOP" --exclude-vcs --exclude-tag-all="$MARKER" --anchored "${made[@]/#/--exclude=./}" \
    --no-anchored --exclude='*.o' --exclude='*.a' --exclude=.deps --exclude=.dirstamp --exclude=__pycache__ . \
    | tar --extract --directory "$1" --no-same-owner
}
