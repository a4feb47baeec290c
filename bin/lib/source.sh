# shellcheck shell=bash
# A copy of the checkout to build from. Sourced, never run.

TOP=$(readlink -f "${BASH_SOURCE[0]%/*}/../..")
readonly TOP
readonly MARKER=.cruddur-quickstart # a file in every folder that bin/quickstart, bin/bench or bin/cluster made

# copy_source FOLDER: copies the sources without the files that an earlier autogen.sh, configure, make or run left beside them. So a
# checkout can be built out of place even if it was built in, is read-only, or belongs to another user. In a copy that exists only files
# that differ are replaced, with the current time whatever their time in the checkout, so that make builds just those.
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

# checksums FOLDER: prints for each file in it "SHA-256  NAME", followed by a zero byte; sorted.
checksums() {
  (cd "$1" && find . -type f -exec sha256sum --zero {} + | LC_ALL=C sort --zero-terminated)
}
