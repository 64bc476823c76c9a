"""Secrets of keys that are made by requests which may be repeated: a repeat is told the same secret, which is not kept.

Such a secret is derived from the key's id and the request's `x-request-id`, by a key of the server's own. The store
forgets the `x-request-id` after a day; then nobody can derive the secret any more.
"""

import base64
import hashlib
import hmac
import secrets
from pathlib import Path

from loopyard.kit.host.private_files import write_private
from loopyard.kit.idempotency import RequestIdentity

KEY_FILE = "repeats-key"
SECRET_BYTES = 32


def random_secret() -> str:
    """The random part of a secret that no repeat will ask for."""
    return secrets.token_urlsafe(SECRET_BYTES)


class RepeatedSecrets:
    """Derives secrets by a key in a file of the data folder, which is made when it is first needed."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / KEY_FILE
        self._key: bytes | None = None

    def secret(self, key_id: str, request: RequestIdentity | None) -> str:
        """The random part of the secret of a key that this request makes, or has made."""
        if request is None:
            return random_secret()
        if self._key is None:
            self._key = self._kept() or self._make()
        told = f"{key_id}\n{request.digest}\n{request.key}".encode()
        return base64.urlsafe_b64encode(hmac.digest(self._key, told, hashlib.sha256)).rstrip(b"=").decode()

    def _kept(self) -> bytes | None:
        return self._path.read_bytes() if self._path.exists() else None

    def _make(self) -> bytes:
        key = secrets.token_bytes(SECRET_BYTES)
        write_private(self._path, key)
        return key
