"""The keys that secrets are sealed with: from the setting `secret_keys`, else a file of the data folder."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from loopyard.kit.host.private_files import write_private

KEY_FILE = "secret-keys"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A key of AES-256. Its id is a part of its hash, so the same key has the same id wherever it comes from."""

    value: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return hashlib.sha256(b"loopyard secret key\0" + self.value).hexdigest()[:16]

    @property
    def text(self) -> str:
        """As settings and files have it: base64."""
        return base64.b64encode(self.value).decode()


def new_key() -> Key:
    return Key(secrets.token_bytes(KEY_BYTES))


def parse(text: str) -> list[Key]:
    """Keys in base64, apart by commas or white space.

    Raises:
        ValueError: One is not 32 bytes in base64. The message does not tell it.
    """
    keys: list[Key] = []
    for part in text.replace(",", " ").split():
        try:
            value = base64.b64decode(part, validate=True)
        except (binascii.Error, ValueError):
            value = b""
        if len(value) != KEY_BYTES:
            raise ValueError("each key is 32 bytes in base64, such as `openssl rand -base64 32` prints")
        keys.append(Key(value))
    return keys


class KeyRing(Protocol):
    """Where the keys are. The first is the one to seal with; the others open what was sealed before."""

    def all(self) -> Sequence[Key]:
        """The keys as they are now; none if there never was one."""
        ...


class FixedKeys:
    """Keys that the operator set."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)

    def all(self) -> Sequence[Key]:
        return self._keys


class KeyFile:
    """Keys in a file that only the server's user may read (mode 0600), one a line. It is read anew at each use, since
    `loopyard secret rotate-key` may change it under a running server."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / KEY_FILE

    def all(self) -> Sequence[Key]:
        try:
            return parse(self._path.read_text())
        except FileNotFoundError:
            return ()

    def write(self, keys: Sequence[Key]) -> None:
        """Replace them all; on the disk when this returns."""
        write_private(self._path, "".join(f"{key.text}\n" for key in keys).encode())


def key_ring(configured: str | None, data_dir: Path) -> KeyRing:
    """The keys of a server.

    Raises:
        ValueError: The configured ones are no keys.
    """
    return KeyFile(data_dir) if configured is None else FixedKeys(parse(configured))
