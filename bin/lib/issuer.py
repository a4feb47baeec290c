#!/usr/bin/python3
"""The OpenID provider of bin/quickstart, for one machine: discovery, authorize, token and end-session endpoints on a Unix socket
behind quickstart's nginx.

    issuer.py --socket PATH --url URL --origin ORIGIN… --client ID --key FILE --hook-secret FILE --api URL [--token-seconds N]

There are no passwords: the authorize page lets the visitor choose a user, or make a new one through the service's post-confirmation
hook. Users come from the API. A code is valid once and for CODE_SECONDS. A refresh token is signed and not stored, so that it
outlives a restart; signing out revokes it until the next restart.
"""

import argparse
import base64
import hashlib
import hmac
import html
import http.client
import http.server
import json
import os
import pathlib
import re
import secrets
import socketserver
import subprocess
import threading
import time
import urllib.parse
import uuid

CODE_SECONDS = 120
TRANSACTION_SECONDS = 3600
REFRESH_SECONDS = 30 * 24 * 3600
PENDING_MAX = 10000  # transactions and codes that are kept; the oldest ones go first
BODY_MAX = 16384
PROCESS_NAME = "cruddur-issuer"  # by which bin/quickstart finds the process

# The sentence that the form shows for each code of the hook.
SENTENCES = {
    "handle_taken": "Another user has this handle. Choose another one.",
    "email_taken": "Another user has this handle. Choose another one.",
    "user_handle_blank": "Give a handle.",
    "user_handle_invalid": "A handle has letters, digits, “_”, “.” and “-”, and no blanks.",
    "display_name_blank": "Give a name.",
    "display_name_exceed_max_chars": "The name is too long.",
    "display_name_invalid": "The name has a character that a name cannot have.",
}

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in</title><style nonce="{nonce}">
:root {{ color-scheme: light dark; --ink: light-dark(#1c1b22, #ecebf2); --paper: light-dark(#f6f5fa, #131218);
  --card: light-dark(#fff, #1d1b25); --line: light-dark(#d9d6e3, #3a3648); --accent: light-dark(#5b2bd0, #b9a3ff);
  --soft: light-dark(#5d5969, #aaa5b8); --on: light-dark(#fff, #17131f); --bad: light-dark(#a8122a, #ff9aa8); }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; font: 1rem/1.5 system-ui, sans-serif; background: var(--paper); color: var(--ink); padding: 1rem; }}
main {{ max-width: 26rem; margin: 6vh auto; background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: 1.5rem; }}
h1 {{ font-size: 1.35rem; margin: 0 0 .25rem; }} h2 {{ font-size: 1rem; margin: 1.5rem 0 .5rem; }}
p {{ margin: 0 0 1rem; color: var(--soft); }} ul {{ list-style: none; margin: 0; padding: 0; display: grid; gap: .5rem; }}
button {{ font: inherit; cursor: pointer; border-radius: .6rem; padding: .6rem .9rem; min-height: 2.75rem; }}
.user {{ width: 100%; text-align: left; border: 1px solid var(--line); background: none; color: inherit; overflow-wrap: anywhere; }}
.user small {{ color: var(--soft); }} .user:hover {{ border-color: var(--accent); }}
.main {{ border: 0; background: var(--accent); color: var(--on); font-weight: 600; }}
label {{ display: block; margin: 0 0 .75rem; font-weight: 600; }}
input {{ display: block; width: 100%; font: inherit; padding: .55rem .7rem; margin-top: .25rem; border: 1px solid var(--soft); border-radius: .6rem;
  background: var(--paper); color: inherit; }}
:focus-visible {{ outline: 3px solid var(--accent); outline-offset: 2px; }} .error {{ color: var(--bad); font-weight: 600; }}
</style></head><body><main><h1>Sign in to Cruddur</h1>
<p>This is the sign-in page of bin/quickstart, on this machine only. It asks for no password.</p>
{body}</main></body></html>
"""


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Signer:
    """The RSA key. openssl signs with it; this process reads the file only for the secret of the refresh tokens."""

    def __init__(self, file):
        self.file = file
        der = self.openssl("pkey", "-in", file, "-pubout", "-outform", "DER")
        self.kid = encoded(hashlib.sha256(der).digest())
        modulus = self.openssl("rsa", "-in", file, "-noout", "-modulus").decode().strip().partition("=")[2]
        self.jwk = {"kty": "RSA", "alg": "RS256", "use": "sig", "e": "AQAB", "kid": self.kid, "n": encoded(bytes.fromhex(modulus))}
        self.secret = hashlib.sha256(b"refresh tokens" + pathlib.Path(file).read_bytes()).digest()

    @staticmethod
    def openssl(*arguments, data=b""):
        return subprocess.run(["openssl", *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout

    def token(self, claims):
        """A JSON Web Token, RS256."""
        header = {"alg": "RS256", "kid": self.kid}
        unsigned = ".".join(encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return f"{unsigned}.{encoded(self.openssl('dgst', '-sha256', '-sign', self.file, '-binary', data=unsigned.encode()))}"

    def seal(self, value):
        text = encoded(json.dumps(value).encode())
        return f"{text}.{encoded(hmac.digest(self.secret, text.encode(), 'sha256'))}"

    def unseal(self, sealed):
        """What was sealed, or None."""
        text, _, mac = sealed.partition(".")
        if not hmac.compare_digest(mac.encode(), encoded(hmac.digest(self.secret, text.encode(), "sha256")).encode()):
            return None
        return json.loads(decoded(text))


class Pending:
    """Values that can be taken once, by an unguessable name, within some seconds."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.values = {}  # in the order of their expiry
        self.lock = threading.Lock()

    def put(self, value):
        name = secrets.token_urlsafe(32)
        with self.lock:
            now = time.monotonic()
            for old in [*self.values][: max(0, len(self.values) - PENDING_MAX)]:
                del self.values[old]
            self.values = {key: entry for key, entry in self.values.items() if entry[0] > now}
            self.values[name] = (now + self.seconds, value)
        return name

    def get(self, name):
        with self.lock:
            expires_at, value = self.values.get(name, (0, None))
        return value if expires_at > time.monotonic() else None

    def take(self, name):
        with self.lock:
            expires_at, value = self.values.pop(name, (0, None))
        return value if expires_at > time.monotonic() else None


class Away(Exception):
    """The API does not answer, or answers with an error, so that it is not known whether there is such a user."""


class Users:
    """Cruddur's users, through the API."""

    def __init__(self, url, hook_secret_file):
        self.address = urllib.parse.urlsplit(url).netloc
        self.hook_secret_file = pathlib.Path(hook_secret_file)

    def request(self, method, path, body=None, headers=None):
        """The status and the JSON of the answer. Raises Away if there is none, or a server error."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            if answer.status >= 500:
                raise Away
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Away from error
        finally:
            connection.close()

    def some(self):
        status, users = self.request("GET", "/api/users/suggested")
        return users if status == 200 else []

    def find(self, handle):
        """The subject, handle and name of a user, or None."""
        status, page = self.request("GET", f"/api/activities/@{urllib.parse.quote(handle, safe='')}?limit=1")
        if status != 200:
            return None
        return {"sub": page["profile"]["cognito_user_uuid"], "handle": page["profile"]["handle"], "name": page["profile"]["display_name"]}

    def confirm(self, handle, name):
        """Makes a user as the user pool does when a sign-up was confirmed. Returns the user and None, or None and the error's code."""
        attributes = {"sub": str(uuid.uuid4()), "preferred_username": handle, "name": name, "email": f"{secrets.token_hex(8)}@example.com"}
        event = {"version": "1", "userPoolId": "quickstart", "triggerSource": "PostConfirmation_ConfirmSignUp", "userName": attributes["sub"],
                 "request": {"userAttributes": attributes}, "response": {}}  # fmt: skip
        body = json.dumps(event).encode()
        now = int(time.time())
        mac = hmac.new(self.hook_secret_file.read_bytes().strip(), f"{now}.".encode() + body, "sha256").hexdigest()
        headers = {"Content-Type": "application/json", "X-Cruddur-Signature": f"t={now},v1={mac}"}
        status, answer = self.request("POST", "/api/hooks/cognito/post-confirmation", body, headers)
        if status != 200:
            return None, answer[0]
        return {"sub": attributes["sub"], "handle": handle, "name": name}, None


class Provider:
    """The state of the issuer: transactions (an authorization request whose page is open), codes, and sessions that signed out."""

    def __init__(self, options):
        self.url = options.url
        self.client = options.client
        self.origins = options.origin
        self.redirects = [f"{origin}/signed-in" for origin in options.origin]
        self.ends = [f"{origin}/" for origin in options.origin]
        self.token_seconds = options.token_seconds
        self.signer = Signer(options.key)
        self.users = Users(options.api, options.hook_secret)
        self.transactions = Pending(TRANSACTION_SECONDS)
        self.codes = Pending(CODE_SECONDS)
        self.signed_out = set()

    def discovery(self):
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/sign-out",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "scopes_supported": ["openid"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
        }

    def refusal(self, query):
        """Why an authorization request is refused on the page itself, because its redirect URI cannot be trusted; None if it can."""
        if query.get("client_id") != self.client:
            return "The client is not known here."
        if query.get("redirect_uri") not in self.redirects:
            return "The page that asks is not known here."
        return None

    def fault(self, query):
        """The error that is sent to the redirect URI of a request, or None."""
        if query.get("response_type") != "code":
            return "unsupported_response_type"
        if query.get("code_challenge_method") != "S256" or not re.fullmatch(r"[A-Za-z0-9_-]{43}", query.get("code_challenge", "")):
            return "invalid_request"
        if "openid" not in query.get("scope", "").split():
            return "invalid_scope"
        return "login_required" if query.get("prompt") == "none" else None

    def code_for(self, request, user):
        return self.codes.put({"request": request, "user": user})

    def tokens(self, user, sid, nonce=None):
        now = int(time.time())
        common = {"iss": self.url, "sub": user["sub"], "iat": now, "exp": now + self.token_seconds}
        access = common | {"client_id": self.client, "token_use": "access", "scope": "openid aws.cognito.signin.user.admin", "jti": secrets.token_hex(16)}
        identity = common | {"aud": self.client, "token_use": "id", "sid": sid, "preferred_username": user["handle"], "name": user["name"]}
        if nonce:
            identity["nonce"] = nonce
        return {
            "access_token": self.signer.token(access),
            "id_token": self.signer.token(identity),
            "refresh_token": self.signer.seal({"user": user, "sid": sid, "exp": now + REFRESH_SECONDS}),
            "token_type": "Bearer",
            "expires_in": self.token_seconds,
        }

    def exchange(self, form):
        """The answer to a token request: status and body."""
        if form.get("client_id") != self.client:
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") == "authorization_code":
            return self.exchange_code(form)
        if form.get("grant_type") == "refresh_token":
            return self.exchange_refresh_token(form)
        return 400, {"error": "unsupported_grant_type"}

    def exchange_code(self, form):
        entry = self.codes.take(form.get("code", ""))
        if entry is None or entry["request"]["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        challenge = encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not hmac.compare_digest(challenge, entry["request"]["code_challenge"]):
            return 400, {"error": "invalid_grant"}
        return 200, self.tokens(entry["user"], secrets.token_hex(16), entry["request"].get("nonce"))

    def exchange_refresh_token(self, form):
        value = self.signer.unseal(form.get("refresh_token", ""))
        if value is None or value["exp"] < time.time() or value["sid"] in self.signed_out or self.users.find(value["user"]["handle"]) is None:
            return 400, {"error": "invalid_grant"}
        return 200, self.tokens(value["user"], value["sid"])

    def sign_out(self, query):
        """Ends the session of the ID token. Returns the address to redirect to, or None."""
        parts = query.get("id_token_hint", "").split(".")
        if len(parts) == 3:
            try:
                self.signed_out.add(json.loads(decoded(parts[1]))["sid"])
            except (ValueError, KeyError, TypeError):
                pass
        target = query.get("post_logout_redirect_uri")
        return target if target in self.ends else None


class Handler(http.server.BaseHTTPRequestHandler):
    server_version = "cruddur-issuer"
    sys_version = ""
    protocol_version = "HTTP/1.0"

    def address_string(self):
        return "nginx"

    def log_message(self, *_):
        """Logs nothing, because a request line has codes in it."""

    @property
    def provider(self):
        return self.server.provider

    def route(self):
        """The path below the issuer's URL, and the query."""
        url = urllib.parse.urlsplit(self.path)
        prefix = urllib.parse.urlsplit(self.provider.url).path
        return url.path.removeprefix(prefix), dict(urllib.parse.parse_qsl(url.query))

    def form(self):
        length = int(self.headers.get("Content-Length") or 0)
        return dict(urllib.parse.parse_qsl(self.rfile.read(min(length, BODY_MAX)).decode(errors="replace")))

    def do_GET(self):
        self.unless_away(self.get)

    def do_POST(self):
        self.unless_away(self.post)

    def unless_away(self, answer):
        try:
            answer()
        except Away:
            self.send_json(503, {"error": "temporarily_unavailable"})

    def get(self):
        path, query = self.route()
        if path == "/.well-known/openid-configuration":
            self.send_json(200, self.provider.discovery())
        elif path == "/keys":
            self.send_json(200, {"keys": [self.provider.signer.jwk]})
        elif path == "/authorize":
            self.authorize(query)
        elif path == "/sign-out":
            target = self.provider.sign_out(query)
            if target:
                self.redirect(target)
            else:
                self.send_page(200, "<p>You are signed out.</p>")
        else:
            self.send_json(404, {"error": "not_found"})

    def post(self):
        path, _ = self.route()
        form = self.form()
        if path == "/token":
            self.send_json(*self.provider.exchange(form))
        elif path == "/authorize":
            self.choose(form)
        else:
            self.send_json(404, {"error": "not_found"})

    def do_OPTIONS(self):
        self.send_response(204)
        self.allow_origin()
        self.send_header("Access-Control-Allow-Methods", "GET, POST")
        self.send_header("Access-Control-Allow-Headers", "Content-Type")
        self.end_headers()

    def authorize(self, query):
        refusal = self.provider.refusal(query)
        if refusal:
            self.send_page(400, f'<p class="error">{html.escape(refusal)}</p>')
            return
        error = self.provider.fault(query)
        if error:
            self.answer(query, {"error": error})
            return
        self.send_choice(self.provider.transactions.put(query))

    def choose(self, form):
        """The visitor has chosen a user, or wants to become a new one."""
        name = form.get("transaction", "")
        request = self.provider.transactions.get(name)
        if request is None:
            self.send_page(400, '<p class="error">This page is too old. Go back to Cruddur and sign in again.</p>')
            return
        if "new_handle" in form:
            user, code = self.provider.users.confirm(form["new_handle"].strip().removeprefix("@"), form.get("name", "").strip())
            error = user is None and SENTENCES.get(code, f"The service refuses this: {code}.")
        else:
            user = self.provider.users.find(form.get("handle", ""))
            error = user is None and "There is no such user."
        if user is None:
            self.send_choice(name, error, form)
            return
        self.provider.transactions.take(name)
        self.answer(request, {"code": self.provider.code_for(request, user)})

    def answer(self, request, parameters):
        """Redirects to the redirect URI of the authorization request."""
        if "state" in request:
            parameters["state"] = request["state"]
        parameters["iss"] = self.provider.url
        self.redirect(f"{request['redirect_uri']}?{urllib.parse.urlencode(parameters)}")

    def send_choice(self, transaction, error=None, form=None):
        action = html.escape(f"{self.provider.url}/authorize")
        hidden = f'<input type="hidden" name="transaction" value="{html.escape(transaction)}">'
        users = "".join(
            f'<li><button class="user" name="handle" value="{html.escape(user["handle"])}"><bdi>{html.escape(user["display_name"])}</bdi>'
            f' <small>@{html.escape(user["handle"])}</small></button></li>'
            for user in self.provider.users.some()
        )
        alert = f'<p class="error" role="alert">{html.escape(error)}</p>' if error else ""
        form = form or {}
        body = f"""{alert}<h2>Continue as</h2><form method="post" action="{action}">{hidden}<ul>{users}</ul></form>
<h2>Or join as someone new</h2><form method="post" action="{action}">{hidden}
<label>Name<input name="name" required maxlength="255" autocomplete="off" value="{html.escape(form.get("name", ""))}"></label>
<label>Handle<input name="new_handle" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false"
 value="{html.escape(form.get("new_handle", ""))}"></label><button class="main">Join</button></form>"""
        self.send_page(400 if error else 200, body)

    def redirect(self, target):
        self.send_response(303)
        self.send_header("Location", target)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_page(self, status, body):
        nonce = secrets.token_urlsafe(16)
        targets = " ".join(["'self'", *self.provider.origins])
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
        self.send(status, "text/html; charset=utf-8", PAGE.format(nonce=nonce, body=body), {"Content-Security-Policy": policy})

    def send_json(self, status, value):
        self.send(status, "application/json", json.dumps(value), {})

    def send(self, status, kind, text, headers):
        data = text.encode()
        self.send_response(status)
        for name, value in (headers | {"Content-Type": kind, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}).items():
            self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(len(data)))
        self.allow_origin()
        self.end_headers()
        self.wfile.write(data)

    def allow_origin(self):
        self.send_header("Vary", "Origin")
        if self.headers.get("Origin") in self.provider.origins:
            self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


def parse():
    parser = argparse.ArgumentParser()
    for name in ("socket", "url", "client", "key", "hook-secret", "api"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--origin", required=True, action="append")
    parser.add_argument("--token-seconds", type=int, default=3600)
    return parser.parse_args()


def main():
    options = parse()
    pathlib.Path("/proc/self/comm").write_text(PROCESS_NAME)
    if os.path.exists(options.socket):
        os.unlink(options.socket)
    with Server(options.socket, Handler) as server:
        server.provider = Provider(options)
        server.serve_forever()


main()
