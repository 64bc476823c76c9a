"""Seals secrets' values and opens them again."""

import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from loopyard.kit.errors import Unavailable
from loopyard.secret.keys import Key, KeyFile, KeyRing, new_key

_NONCE_BYTES = 12
SEAL_BYTES = _NONCE_BYTES + 16
"""How much longer a sealed value is than the value: the nonce, and AES-GCM's tag."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value that only the key of this id opens: 12 bytes of nonce, then AES-GCM's text and tag."""

    data: bytes = field(repr=False)
    key_id: str


class Vault:
    """Seals with AES-256-GCM. A sealed value is bound to its secret's id: in another row it does not open."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def seal(self, secret_id: str, value: str) -> Sealed:
        """Seal with the first key. Call it in the transaction that writes the row, after `repository.hold_keys`."""
        key = self._first()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return Sealed(nonce + AESGCM(key.value).encrypt(nonce, value.encode(), secret_id.encode()), key.id)

    def open(self, secret_id: str, sealed: Sealed) -> str:
        """The value.

        Raises:
            Unavailable: Its key is not here, or it is not what was sealed.
        """
        key = next((key for key in self._ring.all() if key.id == sealed.key_id), None)
        if key is None:
            raise Unavailable(f"Secret {secret_id} cannot be read: this server does not have its key {sealed.key_id}.")
        nonce, text = sealed.data[:_NONCE_BYTES], sealed.data[_NONCE_BYTES:]
        try:
            return AESGCM(key.value).decrypt(nonce, text, secret_id.encode()).decode()
        except InvalidTag:
            raise Unavailable(f"Secret {secret_id} cannot be read: it was changed in the database.") from None

    def _first(self) -> Key:
        keys = self._ring.all()
        if keys:
            return keys[0]
        if not isinstance(self._ring, KeyFile):
            raise Unavailable("This server has no key for secrets.")
        key = new_key()
        self._ring.write([key])
        return key
