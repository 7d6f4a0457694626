"""A certificate authority of a test's own, and certificates that are wrong in one way each."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class Authority:
    """Signs certificates for files in a folder."""

    def __init__(self, folder, name):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed(name, self.key, [x509.BasicConstraints(True, None)])
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name, *, host="localhost", days=1):
        """A certificate and its key as files: `(certificate, key, both in one)`."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = [x509.DNSName(host)]
        if host == "localhost":
            named.append(x509.IPAddress(ip_address("127.0.0.1")))
        made = self._signed(name, key, [x509.SubjectAlternativeName(named)], days)
        files = [self.folder / f"{name}.{ending}" for ending in ("crt", "key", "both")]
        public = made.public_bytes(serialization.Encoding.PEM)
        for file, content in zip(files, (public, _pem(key), public + _pem(key)), strict=True):
            file.touch(0o600)
            file.write_bytes(content)
        return files

    def _signed(self, name, key, extensions, days=1):
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + timedelta(days=days))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, hashes.SHA256())
