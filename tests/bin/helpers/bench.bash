# A room for bin/bench, with a finished build.

load helpers/common
load helpers/build
load helpers/processes

# make_room: leaves ROOM, and TOP, the checkout.
make_room() {
  ROOM=$(mktemp -d "${CHECK_FOLDER:-/tmp}/cruddur-bench.XXXXXX")
  TOP=${BIN%/bin}
  export ROOM TOP
  skip_wrappers
  chmod 755 "$ROOM"
  take_build "$ROOM/data"
}

bench() {
  "$TOP/bin/bench" --no-install --dir "$ROOM/data" --results "$ROOM/results" "$@" 3>&-
}
