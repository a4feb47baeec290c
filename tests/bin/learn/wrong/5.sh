#!/usr/bin/env bash
# PROD is taken for nothing and the answer is that of the development database.
url=${CONNECTION_URL:-$(cat "$CONNECTION_URL_FILE")}
if [[ ${1:-} == prod ]]; then
  url=$PROD_CONNECTION_URL
fi
psql --no-psqlrc --tuples-only --no-align --dbname "$url" <<<'select count(*) from users'
