# shellcheck shell=bash
# A copy of the checkout to build from. Sourced, never run.

TOP=$(readlink -f "${BASH_SOURCE[0]%/*}/../..")
readonly TOP
readonly MARKER=.cruddur-quickstart # is in every folder that bin/quickstart made

# copy_source FOLDER: the sources without what an earlier autogen.sh, configure, make or run left beside them, so that a
# checkout that is built in, read-only or somebody else's can be built out of place all the same. What differs from the
# copy that was there is new in it, whatever its time in the checkout: make builds just that.
copy_source() {
  local made fresh=$1.new
  made=(Makefile Makefile.in aclocal.m4 autom4te.cache build-aux config.h config.h.in config.log config.status configure
    doc/api.html secrets .env stamp-h1 var var-bench var-cluster)
  rm -rf "$fresh"
  mkdir -p "$fresh"
  tar --create --directory "$TOP" --exclude-tag-all="$MARKER" --anchored --exclude=./.git "${made[@]/#/--exclude=./}" \
    --no-anchored --exclude='*.o' --exclude='*.a' --exclude=.deps --exclude=.dirstamp --exclude=__pycache__ . \
    | tar --extract --directory "$fresh" --no-same-owner --touch
  if [[ ! -e $1 ]]; then
    mv "$fresh" "$1"
    return
  fi
  LC_ALL=C comm --zero-terminated -23 <(checksums "$fresh") <(checksums "$1") | cut --zero-terminated --bytes=67- \
    | tar --create --directory "$fresh" --null --files-from=- | tar --extract --directory "$1" --no-same-owner --touch
  rm -rf "$fresh"
}

# checksums FOLDER: for each file in it "SHA-256  NAME" with a zero byte behind, sorted.
checksums() {
  (cd "$1" && find . -type f -exec sha256sum --zero {} + | LC_ALL=C sort --zero-terminated)
}
