"""Signs the URLs under which this server takes and gives objects' contents without an API key."""

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Literal

from loopyard.kit.clock import now_ms
from loopyard.kit.errors import Forbidden
from loopyard.kit.host.private_files import write_private

Action = Literal["upload", "download"]

KEY_FILE = "object-url-key"


class Signer:
    """Signs by HMAC-SHA256, with a key of the data folder. A signature is good for one object, one action, one
    time, and as long as the API key is that it was made with."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / KEY_FILE
        self._key: bytes | None = None

    def load(self) -> None:
        """Read the key, or make it."""
        if not self._path.exists():
            write_private(self._path, secrets.token_bytes(32))
        self._key = self._path.read_bytes()

    def sign(self, action: Action, object_id: str, expires: int, made_by: str | None) -> str:
        """The signature, in hexadecimal. `expires` is in seconds since the epoch, `made_by` the id of an API key."""
        if self._key is None:
            raise RuntimeError("the key is not loaded")
        text = f"{action}\n{object_id}\n{expires}{'' if made_by is None else chr(10) + made_by}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    def check(self, action: Action, object_id: str, expires: int, made_by: str | None, signature: str) -> None:
        """Raises Forbidden if the signature is not right, or its time has passed."""
        if not hmac.compare_digest(self.sign(action, object_id, expires, made_by).encode(), signature.encode()):
            raise Forbidden("The signature of this URL is not valid.", field="signature")
        if expires * 1000 < now_ms():
            raise Forbidden("This URL has expired; ask for a new one.", field="expires")
