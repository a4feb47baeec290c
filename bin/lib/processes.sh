# shellcheck shell=bash
# The servers of one folder, $dir (absolute, without links): started in the background in sessions of their own, found
# again, stopped. A server's NAME is its program's; its pid is in $dir/pids/NAME, its output in $dir/log/NAME.log (the run
# before: NAME.log.1), and its command line has "$dir/" in it, which tells it from another process that got the same pid
# later. Sourced, never run.

readonly PATIENCE_SECONDS=120 # the longest wait for what takes longer on a slower machine

dir=''  # set by the caller
lock='' # the descriptor of the lock on $dir, which the servers must not inherit

# wait_until SECONDS COMMAND…: polls; fails when the time is over.
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.05
  done
}

# wait_for WHAT COMMAND…: polls; fails after PATIENCE_SECONDS, and before that says on stderr what it waits for.
wait_for() {
  local what=$1 begun=$SECONDS said=''
  shift
  until "$@"; do
    ((SECONDS - begun < PATIENCE_SECONDS)) || return 1
    if [[ -z $said ]] && ((SECONDS - begun >= 5)); then
      note "waiting for $what"
      said=yes
    fi
    sleep 0.05
  done
}

# become USER: leaves in the array `as` what to put before a command to run it as USER, which only root can.
become() {
  as=()
  ((EUID != 0)) || as=(setpriv --reuid "$1" --regid "$(id --group "$1")" --init-groups --)
}

# start_server NAME USER FOLDER COMMAND…: returns once the program runs, or has ended already.
start_server() {
  local name=$1 folder=$3 pid as
  become "$2"
  shift 3
  [[ ! -e $dir/log/$name.log ]] || mv "$dir/log/$name.log" "$dir/log/$name.log.1"
  (
    exec {lock}>&- </dev/null >>"$dir/log/$name.log" 2>&1
    cd "$folder" && exec setsid "${as[@]}" "$@"
  ) &
  pid=$!
  printf '%s\n' "$pid" >"$dir/pids/$name"
  wait_for "$name (process $pid) to start" has_begun "$name" "$pid" || die "$name does not start: $dir/log/$name.log"
}

has_begun() {
  is_running "$1" || ! kill -0 "$2" 2>/dev/null
}

is_running() {
  local REPLY
  find_server "$1"
}

# server_pid NAME: prints the server's pid while it runs.
server_pid() {
  local REPLY
  ! find_server "$1" || printf '%s\n' "$REPLY"
}

# find_server NAME: leaves the server's pid in REPLY while it runs, and fails when it does not.
find_server() {
  local name words
  first_line "$dir/pids/$1" REPLY && first_line "/proc/$REPLY/comm" name && [[ $name == "$1" ]] || return 1
  { mapfile -d '' words <"/proc/$REPLY/cmdline"; } 2>/dev/null && [[ "${words[*]}" == *"$dir/"* ]]
}

# first_line FILE VARIABLE: fails where there is no such file, or no longer.
first_line() {
  { read -r "$2" <"$1"; } 2>/dev/null
}

# orphans NAME: prints the pids of children that outlived the server (cruddur-worker is one of cruddurd); they are still in its
# session.
orphans() {
  local session file line fields
  first_line "$dir/pids/$1" session && has_ended "$session" || return 0
  for file in /proc/[0-9]*/stat; do
    first_line "$file" line || continue
    read -ra fields <<<"${line##*) }" # state, parent, group, session
    if [[ $line == *"(${1:0:7}"* && ${fields[0]} != Z && ${fields[3]} == "$session" ]]; then
      file=${file%/stat}
      printf '%s\n' "${file#/proc/}"
    fi
  done
}

# stop_server NAME SIGNAL: sends the signal, kills the server if it runs ten seconds later, and kills the children that it left.
stop_server() {
  local pid
  pid=$(server_pid "$1")
  if [[ -n $pid ]]; then
    kill -s "$2" "$pid" 2>/dev/null || true
    wait_until 10 has_ended "$pid" || kill -s KILL "$pid" 2>/dev/null || true
    wait_for "the end of $1 (process $pid)" has_ended "$pid" || die "$1 (process $pid) does not end: see $dir/log/$1.log, and end it by hand (kill -KILL $pid)"
  fi
  for pid in $(orphans "$1"); do
    kill -s KILL "$pid" 2>/dev/null || true
    wait_for "the end of $1 (process $pid)" has_ended "$pid" || die "$1 (process $pid) does not end: see $dir/log/$1.log, and end it by hand (kill -KILL $pid)"
  done
  rm -f "$dir/pids/$1"
}

# has_ended PID: gone, or a zombie that its parent has not reaped yet.
has_ended() {
  local line
  first_line "/proc/$1/stat" line || return 0
  [[ ${line##*) } == Z* ]]
}
