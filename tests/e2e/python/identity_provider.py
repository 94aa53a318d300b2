"""An identity provider of the tests: keys, tokens that it signs with them, and a server that publishes them, or is away."""

import base64
import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from http_stub import HttpStub

AUDIENCE = "waymark"
# What its roles may do here, as the configuration has it: the first that a token has counts.
ROLES = [
    '{ value = "wm-admin", role = "admin" }',
    '{ value = "wm-editor", role = "editor" }',
    '{ value = "wm-service", role = "service" }',
    '{ value = "wm-enrollment", role = "enrollment" }',
    '{ value = "wm-viewer", role = "viewer" }',
    '{ value = "wm-desk", role = "viewer", mask_contacts = true }',
    '{ value = "wm-partner", role = "viewer", positions = "approximate" }',
    '{ value = "wm-wallboard", role = "wallboard" }',
    '{ value = "wm-root", role = "operator" }',
    '{ value = "wm-field", role = "field", assigned = "labels.team = north" }',
]
# Seconds that a token lasts unless it is said otherwise.
TOKEN_S = 300


def encoded(data):
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text):
    """What stands in such base64."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value):
    """A number as keys have it."""
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Key:
    """A key that tokens are signed with."""

    def __init__(self, kid, alg="ES256"):
        self.kid, self.alg = kid, alg
        if alg == "ES256":
            self.secret = ec.generate_private_key(ec.SECP256R1())
        elif alg == "EdDSA":
            self.secret = ed25519.Ed25519PrivateKey.generate()
        else:
            self.secret = rsa.generate_private_key(65_537, 2_048)

    def jwk(self):
        """Its public half."""
        public = self.secret.public_key()
        if self.alg == "ES256":
            numbers = public.public_numbers()
            point = {"x": encoded(numbers.x.to_bytes(32, "big")), "y": encoded(numbers.y.to_bytes(32, "big"))}
            return {"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.kid} | point
        if self.alg == "EdDSA":
            return {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": encoded(public.public_bytes_raw())}
        numbers = public.public_numbers()
        return {"kty": "RSA", "kid": self.kid, "alg": self.alg, "n": number(numbers.n), "e": number(numbers.e)}

    def sign(self, data):
        """The signature of some bytes."""
        if self.alg == "ES256":
            r, s = decode_dss_signature(self.secret.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if self.alg == "EdDSA":
            return self.secret.sign(data)
        if self.alg == "PS256":
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
            return self.secret.sign(data, pss, hashes.SHA256())
        return self.secret.sign(data, padding.PKCS1v15(), hashes.SHA256())


class Provider:
    """Keys, and tokens of an issuer."""

    def __init__(self, issuer="https://id.waymark.test"):
        self.issuer = issuer
        self.keys = [Key("first")]

    def jwks(self):
        """What it publishes."""
        return {"keys": [key.jwk() for key in self.keys]}

    def claims(self, account, role="wm-editor", subject="anna", **more):
        """Good claims; `None` takes one away."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + TOKEN_S}
        claims |= {"account": account, "roles": [role]} | more
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, account, role="wm-editor", *, key=None, header=None, **more):
        """A token of good claims, signed with the newest key unless another is given."""
        key = key or self.keys[-1]
        header = {"alg": key.alg, "kid": key.kid, "typ": "JWT"} | (header or {})
        parts = [encoded(json.dumps(part).encode()) for part in (header, self.claims(account, role, **more))]
        signed = ".".join(parts)
        return f"{signed}.{encoded(key.sign(signed.encode()))}"

    def table(self, keys_at, *more):
        """Its table in a configuration; `keys_at` is the line that says where its keys are."""
        lines = [
            "[[auth.jwt]]",
            f'issuer = "{self.issuer}"',
            f'audience = "{AUDIENCE}"',
            keys_at,
            'algorithms = ["ES256", "EdDSA", "RS256", "PS256"]',
            'account_claim = "account"',
            'role_claim = "roles"',
            "leeway_s = 0",
            f"roles = [{', '.join(ROLES)}]",
            *more,
        ]
        return "\n".join(lines) + "\n"

    def table_of_file(self, path):
        """The table, with its keys in a file that is written now."""
        path.write_text(json.dumps(self.jwks()), encoding="utf-8")
        return self.table(f'jwks_file = "{path}"')


class RemoteProvider(HttpStub, Provider):
    """One that publishes its keys at an address, unless it is away."""

    def __init__(self):
        HttpStub.__init__(self)
        Provider.__init__(self, self.url)
        self.is_away, self.asked = False, 0

    def answer(self, request):
        self.asked += 1
        return (503, {}, {}) if self.is_away or request.path != "/keys" else (200, {}, self.jwks())

    def config(self, path, *more):
        """A file of configuration with this provider, whose keys are looked at each second."""
        text = self.table(f'jwks_url = "{self.url}/keys"', "refresh_s = 1", "refresh_pause_s = 1", *more)
        path.write_text(text, encoding="utf-8")
        return path
