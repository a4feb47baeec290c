"""A token issuer for the tests: keys, tokens good and forged, and the HTTPS server of its key set."""

import base64
import datetime
import functools
import http.server
import ipaddress
import json
import pathlib
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from places import CRUDDURD, Folder
from service import Pool, Service

ISSUER = "https://issuer.example/pool"
CLIENT = "client-of-the-tests"
TOKEN_PERIOD = 600  # s, much less than a token's lifetime
FETCHER = str(pathlib.Path(CRUDDURD).parent / "cruddur-fetch-keys")


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encoded(document):
    """A part of a token; bytes are encoded unchanged."""
    return base64url(document if isinstance(document, bytes) else json.dumps(document).encode())


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def claims_for(subject="mock-andrewbrown", **more):
    """An access token's claims; a claim that is None is left out."""
    now = int(time.time())
    claims = {"iss": ISSUER, "client_id": CLIENT, "token_use": "access", "sub": subject, "iat": now, "exp": now + 3600}
    return {name: value for name, value in (claims | more).items() if value is not None}


class Key:
    def __init__(self, kid, bits=2048):
        self.kid = kid
        self.bits = bits

    @functools.cached_property
    def private(self):
        """Made only when it is used, because each of pytest's workers imports all files of tests."""
        return rsa.generate_private_key(65537, self.bits)

    def jwk(self, **more):
        numbers = self.private.public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": base64url(modulus), "e": "AQAB"} | more

    def public_pem(self):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)

    def signature(self, text, digest=None, scheme=None):
        return self.private.sign(text.encode(), scheme or padding.PKCS1v15(), digest or hashes.SHA256())

    def sign(self, header, payload, **more):
        text = f"{encoded(header)}.{encoded(payload)}"
        return f"{text}.{base64url(self.signature(text, **more))}"

    def token(self, subject="mock-andrewbrown", header=None, **claims):
        """A good token, except for the header and claims that are given."""
        return self.sign({"alg": "RS256", "kid": self.kid} | (header or {}), claims_for(subject, **claims))


def small_key():
    """For the parameters of tests, which all pytest workers make: a large key takes a tenth of a second."""
    return Key("small", 1024)


def key_set(*keys):
    return json.dumps({"keys": [key.jwk() for key in keys]}).encode()


@functools.lru_cache
def service_key():
    """One key for all services, because making one takes as long as starting a service."""
    return Key("the key")


@functools.lru_cache(maxsize=64)
def good_token(key, handle, _period):
    """One token for all requests of a period, because signing takes longer than a request."""
    return key.token(f"mock-{handle}")


class TokenService(Service):
    """A service in token mode with a key file. Users are named by their handle, as the seed knows them."""

    def __init__(self, cluster, **settings):
        self.key = service_key()
        self.keys_folder = Folder()
        self.keys_file = self.keys_folder.path / "jwks.json"
        self.keys_file.write_bytes(key_set(self.key))
        defaults = {"identity": "token", "issuer": ISSUER, "cognito_client": CLIENT, "jwks_file": self.keys_file}
        super().__init__(cluster, **defaults | settings)

    def remove(self):
        super().remove()
        self.keys_folder.remove()

    def token(self, handle, **claims):
        if claims:
            return self.key.token(f"mock-{handle}", **claims)
        return good_token(self.key, handle, time.time() // TOKEN_PERIOD)

    def ask_as(self, handle, method, target, document=None, headers=None):
        """A request with the user's token; handle None: without a token."""
        identity = bearer(self.token(handle)) if handle else {}
        body = None if document is None else json.dumps(document).encode()
        return self.ask(method, target, body, identity | (headers or {}))

    def create_as(self, handle, message="hello", ttl="1-day", **headers):
        reply = self.ask_as(handle, "POST", "/api/activities", {"message": message, "ttl": ttl}, headers)
        assert reply.status == 200, reply
        return reply.json

    def reply_as(self, handle, parent, message="indeed", **headers):
        return self.ask_as(handle, "POST", f"/api/activities/{parent}/reply", {"message": message}, headers)

    def message_as(self, sender, **document):
        return self.ask_as(sender, "POST", "/api/messages", {"message": "psst"} | document)


class TokenPool(Pool):
    """cruddurd without a database, to test how it judges tokens."""

    def __init__(self, **settings):
        super().__init__(**{"identity": "token", "issuer": ISSUER, "cognito_client": CLIENT} | settings)

    def judge(self, token):
        """The status of a create with the token: 422 for a good one, as the body is empty."""
        with self.peer() as peer:
            return peer.ask("POST", "/api/activities", b"{}", HTTP_AUTHORIZATION=f"Bearer {token}").status


GOOD, REFUSED, UNDECIDED = 422, 401, 503


def certificate(name, key, issuer_name, issuer_key, extensions):
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer_name)]
    now = datetime.datetime.utcnow()
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, is_critical)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Authority:
    """A certificate authority, and a server's certificate that it has signed."""

    def __init__(self, folder):
        key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.file = folder / "ca.pem"
        self.file.write_bytes(certificate("test CA", key, "test CA", key, [(x509.BasicConstraints(True, 0), True)]))
        private = server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.server_file = folder / "server.pem"
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        self.server_file.write_bytes(private + certificate("issuer", server_key, "test CA", key, [(address, False)]))


class KeyServer:
    """Serves a key set at self.url. set_answer sets the answer; self.fetches has the times of the requests."""

    def __init__(self, authority, body=b"", is_plain=False):
        self.fetches = []
        self.set_answer(body)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http{'' if is_plain else 's'}://127.0.0.1:{self.port}/jwks.json"
        if not is_plain:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority.server_file)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def set_answer(self, body, status=200, **headers):
        self.answer = (status, body, headers)

    def handler(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.fetches.append(time.monotonic())
                status, body, headers = outer.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

    def stop(self):
        """Closes the port."""
        if self.thread is not None:
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()
            self.thread = None
