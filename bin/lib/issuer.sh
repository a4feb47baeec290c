# shellcheck shell=bash
# A token issuer for one machine: a key, its JSON Web Key Set, and tokens like those of a Cognito user pool. Sourced,
# never run. issuer.py is the same issuer as an OpenID provider.

readonly ISSUER_CLIENT=cruddur-quickstart

# issuer_url PORT: the issuer's name, which is also where quickstart's nginx has its endpoints.
issuer_url() {
  printf 'http://127.0.0.1:%s/cruddur-issuer\n' "$1"
}

# base64url: stdin, encoded as JOSE wants it (RFC 7515).
base64url() {
  basenc --base64url --wrap=0 | tr -d '='
}

# issuer_make_key FILE: an RSA key, readable by its owner alone.
issuer_make_key() {
  rm -f "$1"
  (umask 077 && openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1" 2>/dev/null)
}

# issuer_kid KEY-FILE: the key's id, a fingerprint.
issuer_kid() {
  openssl pkey -in "$1" -pubout -outform DER | openssl dgst -sha256 -binary | base64url
}

# issuer_keys KEY-FILE…: the key set. The public exponent is 65537, openssl's own.
issuer_keys() {
  local key separator='{"keys":['
  for key; do
    printf '%s{"kty":"RSA","alg":"RS256","use":"sig","e":"AQAB","kid":"%s","n":"%s"}' "$separator" "$(issuer_kid "$key")" \
      "$(openssl rsa -in "$key" -noout -modulus | cut -d = -f 2 | tr -d '\n' | basenc --base16 --decode | base64url)"
    separator=,
  done
  printf ']}\n'
}

# issuer_token KEY-FILE URL SUBJECT SECONDS: prints an access token of the issuer with this URL, valid for SECONDS from now. The scope is
# the one that a user pool writes; without that scope Amplify, in a page, does not look up the signed-in user.
issuer_token() {
  local now subject claims unsigned
  now=$(date +%s)
  subject=${3//\\/\\\\}
  subject=${subject//\"/\\\"}
  claims=$(printf '{"iss":"%s","client_id":"%s","token_use":"access","scope":"%s","sub":"%s","iat":%d,"exp":%d}' \
    "$2" "$ISSUER_CLIENT" aws.cognito.signin.user.admin "$subject" "$now" "$((now + $4))")
  unsigned=$(printf '{"alg":"RS256","kid":"%s"}' "$(issuer_kid "$1")" | base64url).$(printf '%s' "$claims" | base64url)
  printf '%s.%s\n' "$unsigned" "$(printf '%s' "$unsigned" | openssl dgst -sha256 -sign "$1" -binary | base64url)"
}
