# shellcheck shell=bash
# A copy of the checkout to build from. Sourced, never run.

TOP=$(readlink -f "${BASH_SOURCE[0]%/*}/../..")
readonly TOP
readonly MARKER=.cruddur-quickstart # a file in every folder that bin/quickstart, bin/bench or bin/cluster made
readonly COPIED=.cruddur-copied     # a file in every copy of the sources: the names of the files that were copied into it

# copy_source FOLDER: copies the sources without the files that an earlier autogen.sh, configure, make or run left beside them. So a
# checkout can be built out of place even if it was built in, is read-only, or belongs to another user. In a copy that exists only files
# that differ are replaced, with the current time whatever their time in the checkout, so that make builds just those; and those are removed
# that were copied earlier and are no longer in the checkout, but nothing that was made in the copy. False after any error, also where the
# caller's condition switches set -e off. Takes pipefail.
copy_source() {
  local made fresh=$1.new
  made=(Makefile Makefile.in aclocal.m4 autom4te.cache build-aux config.h config.h.in config.log config.status configure
    doc/api.html secrets .env stamp-h1 var var-bench var-cluster "$COPIED")
  rm -rf "$fresh" && mkdir -p "$fresh" || return
  tar --create --directory "$TOP" --exclude-tag-all="$MARKER" --anchored --exclude=./.git "${made[@]/#/--exclude=./}" \
    --no-anchored --exclude='*.o' --exclude='*.a' --exclude=.deps --exclude=.dirstamp --exclude=__pycache__ . \
    | tar --extract --directory "$fresh" --no-same-owner --touch || return
  (cd "$fresh" && find . ! -type d -print0 | LC_ALL=C sort --zero-terminated >"../${fresh##*/}.names" && mv "../${fresh##*/}.names" "$COPIED") || return
  # What was copied into a copy without a list is not known: such a copy, of an earlier release, is made anew.
  if [[ ! -e $1/$COPIED ]]; then
    rm -rf "$1" && mv "$fresh" "$1"
    return
  fi
  # The list is replaced last: after an interruption this begins again.
  LC_ALL=C comm --zero-terminated -13 "$fresh/$COPIED" "$1/$COPIED" | (cd "$1" && xargs --null --no-run-if-empty rm -f --) || return
  LC_ALL=C comm --zero-terminated -23 <(checksums "$fresh") <(checksums "$1") | cut --zero-terminated --bytes=67- \
    | tar --create --directory "$fresh" --null --files-from=- | tar --extract --directory "$1" --no-same-owner --touch || return
  cmp --quiet "$fresh/$COPIED" "$1/$COPIED" || cp "$fresh/$COPIED" "$1" || return
  rm -rf "$fresh"
}

# checksums FOLDER: prints for each file in it but the list of names "SHA-256  NAME", followed by a zero byte; sorted.
checksums() {
  (cd "$1" && find . -type f ! -path "./$COPIED" -exec sha256sum --zero {} + | LC_ALL=C sort --zero-terminated)
}
