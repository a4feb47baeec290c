# shellcheck shell=bash
# Completion in bash for cruddurd and the scripts: their options, what an option takes, the word prod, and files where a file is
# wanted. All of it is read from the command's own --help when TAB is pressed, so that no list is kept twice. It is installed for
# bash-completion; in a checkout: source bin/lib/completion.bash. bin/check and bin/bench are left out: other commands may have
# such names.

# _cruddur COMMAND WORD PREVIOUS-WORD: as `complete -F` calls it.
_cruddur() {
  local command=${1/#\~/$HOME} word=$2 previous=$3 help placeholder reply
  COMPREPLY=()
  help=$("$command" --help 2>/dev/null) || return 0
  if [[ $previous == --* ]]; then
    # Such as "  --backups FOLDER     also look at …".
    placeholder=$(sed -nE "s/^ *$previous ([A-Za-z0-9|]+)( .*)?\$/\\1/p" <<<"$help" | head -n 1)
  fi
  case ${placeholder:-} in
    '') ;;
    *FILE) _cruddur_take "$(compgen -f -- "$word")" && return ;;
    *FOLDER | *DIR) _cruddur_take "$(compgen -d -- "$word")" && return ;;
    *\|*) _cruddur_take "$(compgen -W "${placeholder//|/ }" -- "$word")" && return ;;
    [A-Z]*) return ;; # a value that only the user knows
  esac
  if [[ $word == -* ]]; then
    reply=$(sed -nE 's/^ +(--[a-z][a-z0-9-]*).*/\1/p' <<<"$help")
    _cruddur_take "$(compgen -W "--help $reply" -- "$word")"
    return
  fi
  reply=''
  [[ $help != *'[prod]'* ]] || reply=$(compgen -W prod -- "$word")
  if [[ ${help%%$'\n'*} =~ (FILE|EVENT) ]]; then
    reply+=$'\n'$(compgen -f -- "$word")
  fi
  _cruddur_take "$reply"
}

# _cruddur_take LINES: fills COMPREPLY with the lines, sorted and without duplicates.
_cruddur_take() {
  mapfile -t COMPREPLY < <(sort -u <<<"$1" | sed '/^$/d')
}

complete -o filenames -F _cruddur cluster cruddurd db-backup db-connect db-connections db-create db-doctor db-drop db-migrate \
  db-purge db-rds-update-sg-rule db-restore db-roles db-rollback db-schema-load db-seed db-sessions db-setup dev-token growth \
  learn quickstart rds-connect rds-create rds-start rds-status rds-stop rds-update-sg-rule reports user-confirm user-delete user-export user-suspend
