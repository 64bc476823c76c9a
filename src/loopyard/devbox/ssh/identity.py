"""Identity of the SSH gateway: its host key and its certificate, made once and kept in the data folder."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncssh
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from loopyard.kit.host.private_files import write_private

_HOST_KEY, _CERTIFICATE = "ssh-host-key", "ssh-tls.pem"
_CERTIFICATE_DAYS = 20 * 365


def new_key(comment: str) -> asyncssh.SSHKey:
    """A new key pair."""
    return asyncssh.generate_private_key("ssh-ed25519", comment=comment)  # pyright: ignore[reportUnknownMemberType]


def host_key(data_dir: Path) -> asyncssh.SSHKey:
    """The gateway's host key."""
    path = data_dir / _HOST_KEY
    if not path.exists():
        write_private(path, new_key("loopyard").export_private_key("openssh"))
    return asyncssh.read_private_key(path)


def tls(data_dir: Path, certificate: Path | None) -> ssl.SSLContext:
    """TLS context with the operator's certificate, or with a self-signed one."""
    path = certificate or data_dir / _CERTIFICATE
    if certificate is None and not path.exists():
        write_private(path, _self_signed())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


def _self_signed() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Loopyard SSH")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_CERTIFICATE_DAYS))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + private
