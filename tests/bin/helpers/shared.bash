# What the test files of one run share: folders that the first file makes, and that each copies for itself. Files may run at
# the same time. CHECK_SHARED names the run's folder for them; a bats that was started by hand has one of its own.

# shared NAME FUNCTION: leaves in SHARED the folder NAME, which FUNCTION FOLDER makes if there is none yet.
shared() {
  local lock
  SHARED=${CHECK_SHARED:-$BATS_RUN_TMPDIR}/$1
  exec {lock}>"$SHARED.lock"
  flock "$lock"
  if [[ ! -e $SHARED ]]; then
    rm -rf "$SHARED.new" # what a file left that was killed
    "$2" "$SHARED.new"
    mv "$SHARED.new" "$SHARED"
  fi
  exec {lock}>&-
}

# take_shared NAME FUNCTION FOLDER: copies what shared() leaves into FOLDER.
take_shared() {
  shared "$1" "$2"
  mkdir -p "$3"
  cp -a --reflink=auto "$SHARED/." "$3"
}
