"""An authority of a test's own: certificates with the names, the times and the purpose that a test wants."""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


@dataclass
class Issued:
    """A certificate and its key, PEM, and what a token may know it by."""

    pem: bytes
    key: bytes
    key_sha256: bytes

    def write(self, directory, name):
        """The files of both."""
        certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
        certificate.write_bytes(self.pem)
        key.write_bytes(self.key)
        key.chmod(0o600)
        return certificate, key


class Authority:
    """Signs what it is asked for."""

    def __init__(self, name):
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = self._begun(self.name, self.key, -DAY, 2 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.pem = builder.sign(self.key, hashes.SHA256()).public_bytes(PEM)

    def issue(self, *, uris=(), names=(), address=None, usage=CLIENT, begins=-DAY, ends=DAY):
        """A certificate of a new key. `begins` and `ends` are counted from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issued")])
        known = [x509.UniformResourceIdentifier(uri) for uri in uris] + [x509.DNSName(name) for name in names]
        known += [x509.IPAddress(ipaddress.ip_address(address))] if address else []
        builder = self._begun(subject, key, begins, ends)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if known:
            builder = builder.add_extension(x509.SubjectAlternativeName(known), critical=False)
        pem = builder.sign(self.key, hashes.SHA256()).public_bytes(PEM)
        unlocked = serialization.NoEncryption()
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, unlocked)
        public = key.public_key().public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return Issued(pem, private, hashlib.sha256(public).digest())

    def _begun(self, subject, key, begins, ends):
        now = datetime.now(timezone.utc)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now + begins).not_valid_after(now + ends)
