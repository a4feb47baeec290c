#!/usr/bin/env bats
# bin/dev-token: a token is valid for as long as the option says, and a token that is made as expired is refused.

load helpers/common
load helpers/cluster

setup_file() {
  cluster_start
  CONNECTION_URL=$(socket_url issued) "$BIN/db-setup"
  DATA=$BATS_FILE_TMPDIR/data
  mkdir -p "$DATA/secrets"
  socket_url issued >"$DATA/secrets/owner-url"
  openssl genrsa -out "$DATA/secrets/issuer-key.pem" 2048
  chmod 600 "$DATA"/secrets/*
  export DATA
}

teardown_file() { cluster_stop; }

# expires_in SECONDS: makes a token with that option, and leaves in REPLY for how many seconds from now it is valid.
expires_in() {
  run -0 --separate-stderr "$BIN/dev-token" --dir "$DATA" --seconds "$1" londo
  REPLY=$(/usr/bin/python3 -c 'import base64, json, sys, time
payload = sys.argv[1].split(".")[1]
print(int(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"] - time.time()))' "$output")
}

@test "a token is good for so long" {
  for seconds in 100000 0100000; do
    expires_in "$seconds"
    ((REPLY > 90000 && REPLY <= 100000))
  done
}

@test "the databases of the environment are not asked" {
  local variables=(CONNECTION_URL=postgresql://x/y PROD_CONNECTION_URL=none PROD_CONNECTION_URL_FILE=/none PGHOSTADDR=127.0.0.1 PGPORT=1
    PGUSER=x PGSERVICE=none PGOPTIONS=-csearch_path=none)
  # shellcheck disable=SC2163 # the variables' names come with their values
  export "${variables[@]}"
  expires_in 100
  ((REPLY > 0 && REPLY <= 100))
}

# The leeway is TOKEN_LEEWAY_S in src/identity/token.h.
@test "an expired one is older than the leeway by which the service lets clocks differ" {
  for seconds in 0 -0 -1 -10 -29 -30 -08; do
    expires_in "$seconds"
    ((REPLY <= -30))
  done
  [[ $(sed -n 's/.*TOKEN_LEEWAY_S = \([0-9]*\).*/\1/p' "$BIN/../src/identity/token.h") == "$(sed -n 's/^readonly LEEWAY=\([0-9]*\).*/\1/p' "$BIN/dev-token")" ]]
}

@test "what is no number of seconds" {
  for seconds in '' x 1.5 1e3 --5 99999999999; do
    run -2 "$BIN/dev-token" --dir "$DATA" --seconds "$seconds" londo
  done
}
