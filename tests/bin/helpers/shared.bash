# What the test files of one run share: folders that the first file makes, and that each file copies. Files may run at the same time.
# CHECK_SHARED names the run's folder for these folders; a bats that was started by hand uses its own.

# shared NAME FUNCTION: leaves in SHARED the path of the folder NAME; calls FUNCTION with a path to make it, if it does not exist yet.
shared() {
  local lock
  SHARED=${CHECK_SHARED:-$BATS_RUN_TMPDIR}/$1
  exec {lock}>"$SHARED.lock"
  flock "$lock"
  if [[ ! -e $SHARED ]]; then
    rm -rf "$SHARED.new" # left by a test file that was killed
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
