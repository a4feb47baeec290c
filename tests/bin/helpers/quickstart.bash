# A copy of the checkout that is like a fresh clone, with a folder for bin/quickstart and a port.

load helpers/common
load helpers/ports
load helpers/processes

# Time-outs of the service that are long enough for a slow machine.
export CRUDDUR_STATEMENT_TIMEOUT=50000 CRUDDUR_DEADLINE=60000 CRUDDUR_STUCK_TIMEOUT=600000 CRUDDUR_REQUEST_TIMEOUT=60000

# make_room: leaves PORT and the folder ROOM, and in it CLONE and the path DATA, which does not exist yet.
make_room() {
  ROOM=$(mktemp -d "${CHECK_FOLDER:-/tmp}/cruddur-quickstart.XXXXXX")
  CLONE=$ROOM/clone
  DATA=$ROOM/data
  PORT=$(free_ports 1)
  export ROOM CLONE DATA PORT
  chmod 755 "$ROOM"
  clone
}

remove_room() {
  local data
  for data in "$DATA" "$ROOM"/*/data "$ROOM"/other/* "$CLONE/var"; do
    [[ ! -e $data ]] || "$CLONE/bin/quickstart" --stop --dir "$data"
    [[ ! -L $data ]] || rm -rf "$(readlink -f "$data")"
  done
  rm -rf "$ROOM"
}

# clone: makes what `git clone` would make after a commit of all files, so without ignored files. nginx's time-outs are as long
# as the service's.
clone() {
  local top=${BIN%/bin} file
  mkdir "$CLONE"
  git -c safe.directory='*' -C "$top" ls-files -z --cached --others --exclude-standard \
    | while IFS= read -r -d '' file; do
      [[ ! -e $top/$file ]] || printf '%s\0' "$file"
    done | tar --create --directory "$top" --null --files-from=- | tar --extract --directory "$CLONE"
  sed -i 's/\(_timeout\) [0-9]*s;/\1 300s;/' "$CLONE/nginx/cruddur.conf"
}

quickstart() {
  "$CLONE/bin/quickstart" --no-install --dir "$DATA" --port "$PORT" "$@" 3>&-
}

# start_quickstart: starts it in the foreground of a process group of its own; returns when the service answers.
start_quickstart() {
  start_in_background env --default-signal=INT "$CLONE/bin/quickstart" --no-install --dir "$DATA" --port "$PORT"
  eventually has_answered_or_ended
  quickstart --status
}

has_answered_or_ended() {
  quickstart --status >/dev/null || ! kill -0 "$BACKGROUND" 2>/dev/null
}

home() {
  curl --fail --silent --show-error --max-time "$PATIENCE" "http://127.0.0.1:${1:-$PORT}/api/activities/home"
}

post() {
  curl --fail --silent --show-error --max-time "$PATIENCE" "http://127.0.0.1:$PORT/api/activities" \
    --header 'Content-Type: application/json' --data "{\"user_handle\":\"andrewbrown\",\"message\":\"$1\",\"ttl\":\"1-day\"}"
}
