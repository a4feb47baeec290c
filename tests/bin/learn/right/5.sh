#!/usr/bin/env bash
set -euo pipefail

if (($#)); then
  echo "${0##*/}: unknown argument: $1" >&2
  exit 2
fi
url=${CONNECTION_URL:-$(cat "$CONNECTION_URL_FILE")}
psql --no-psqlrc --set ON_ERROR_STOP=1 --tuples-only --no-align --dbname "$url" <<<'select count(*) from users'
