# shellcheck shell=bash
# The folder $dir, in which a script makes everything. It belongs to no other user, the servers can reach it, and it is locked while the
# script runs. Sourced, never run; the caller has sourced common.sh, processes.sh and source.sh.

# refuse_foreign_folder: stops unless $dir is new, empty, or was made by one of these scripts, and belongs to this user.
refuse_foreign_folder() {
  [[ -e $dir ]] || return 0
  [[ -d $dir ]] || die "$dir is no folder; give another --dir"
  [[ -e $dir/$MARKER || -z $(ls -A "$dir") ]] || die "$dir has other things in it; give another --dir"
  [[ -O $dir ]] || die "$dir belongs to $(stat -L --format=%U "$dir"); give another --dir"
}

# prepare_folder: makes $dir. If root runs the script, the servers run under other accounts, which have no access to a folder such as
# /root: then the folder is made in /var/lib, and DIR is a link to it.
prepare_folder() {
  local as
  mkdir -p "$dir" || die "cannot make $dir; give another --dir"
  become nobody
  if ((EUID == 0)) && ! "${as[@]}" test -d "$dir/."; then
    rmdir "$dir" || die "others than root cannot enter $dir; give another --dir"
    ln -s "$(mktemp -d /var/lib/cruddur.XXXXXXXX)" "$dir"
    chmod 755 "$dir/."
    note "others than root cannot enter it, so $dir is a link to $(readlink "$dir")"
  fi
  dir=$(readlink -f "$dir")
  touch "$dir/$MARKER"
}

# take_lock [SECONDS]: locks the marker for as long as this process lives. bin/quickstart then writes its process id into the marker.
take_lock() {
  exec {lock}<"$dir/$MARKER"
  flock --timeout "${1:-0}" "$lock"
}
