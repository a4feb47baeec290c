# shellcheck shell=bash
# What bin/bench --tune compares: cruddurd with other settings, of itself, nginx and PostgreSQL. Sourced after stack.sh,
# never run.
# shellcheck disable=SC2154 # dir, sockets, rows, quick and tuning are bin/bench's

# GROUP NAME WORKERS [WHAT=VALUE…]; what is in capitals is cruddurd's, keepalive and fastcgi_keep_conn are nginx's, the
# others PostgreSQL's. The groups run one after the other, the variants of one by turns.
readonly TUNING=(
  'workers workers-1 1'
  'workers workers-2 2'
  'workers workers-4 4'
  'workers workers-8 8'
  'workers workers-16 16'
  'nginx keepalive-64 4'
  'nginx keepalive-8 4 keepalive=8'
  'nginx no-keepalive 4 fastcgi_keep_conn=off'
  'nginx backlog-16 4 CRUDDUR_BACKLOG=16'
  'commit as-it-is 4'
  'commit commit_delay-200 4 commit_delay=200 commit_siblings=2'
  'commit commit_delay-1000 4 commit_delay=1000 commit_siblings=2'
  'commit asynchronous 4 synchronous_commit=off'
)
# shellcheck disable=SC2034 # for bin/bench
readonly TUNING_GROUPS=(workers nginx commit)

# Over the variants: VARIANT FUNCTION GROUP calls FUNCTION NAME WORKERS [WHAT=VALUE…] for each of the group, or of all.
each_variant() {
  local variant words
  for variant in "${TUNING[@]}"; do
    read -ra words <<<"$variant"
    [[ $2 != "${words[0]}" && $2 != all ]] || "$1" "${words[@]:1}"
  done
}

make_variant() {
  make_pool "$1" "$dir"
}

# write_variant NAME WORKERS [WHAT=VALUE…]: its server, at the next of `ports`.
write_variant() {
  local setting
  at=$((at + 1))
  write_upstream "$1" "$sockets/$1/web/cruddurd.sock" >"$dir/upstream"
  write_server "$1" "${ports[at]}" "fastcgi_pass $1" >"$dir/server"
  for setting in "${@:3}"; do
    case $setting in
      keepalive=*) sed -i "s/keepalive 64/keepalive ${setting#*=}/" "$dir/upstream" ;;
      fastcgi_keep_conn=*) sed -i "s/fastcgi_keep_conn on/fastcgi_keep_conn ${setting#*=}/" "$dir/nginx/cruddur-$1.conf" ;;
    esac
  done
  cat "$dir/upstream" "$dir/server"
  printf '%s\t%s\n' "$1" "${ports[at]}" >>"$dir/variants"
}

# start_variant NAME WORKERS [WHAT=VALUE…]: PostgreSQL's settings hold for the sessions that this pool begins.
start_variant() {
  local setting action mine=() warm_up=1 # s, in which each worker begins its sessions
  [[ $quick == no ]] || warm_up=0.3
  for setting in "${@:3}"; do
    case $setting in
      [A-Z]*) mine+=("$setting") ;;
      keepalive=* | fastcgi_keep_conn=*) ;;
      *) ask cruddur "alter role cruddur set ${setting%%=*} = '${setting#*=}'" ;;
    esac
  done
  start_another_pool "$1" "$2" "${mine[@]}"
  port=$(awk -v name="$1" '$1 == name { print $2 }' "$dir/variants")
  wait_until 30 answers "$port" /readyz || fail "$1 does not answer" cruddurd nginx
  for action in show,0,64,get create,0,64,post; do
    "$dir/build/bench/pace/pace" "$port" "$warm_up" / "$action,$dir/requests/${action%%,*}" >/dev/null
  done
  ask cruddur 'alter role cruddur reset all'
  add_subject "$1" "$port" constant,kept,show,create
}

# start_tuning: PostgreSQL with its data, nginx with a server for each variant; no pool yet.
start_tuning() {
  local at=0
  mapfile -t ports < <(free_ports $((${#TUNING[@]} + 1)))
  port=${ports[0]}
  start_database
  heading "loading $rows activities"
  load_data cruddur "$rows"
  : >"$dir/variants"
  each_variant make_variant all
  write_nginx
  each_variant write_variant all >"$dir/servers"
  add_servers <"$dir/servers"
  start_nginx
}

# run_tuning: the groups of `tuning` in turn.
run_tuning() {
  local group
  measure requests
  for group in "${tuning[@]}"; do
    heading "$group"
    : >"$dir/subjects"
    each_variant start_variant "$group"
    measure "tune_$group"
    each_variant stop_pool "$group"
  done
  measure tuned
}
