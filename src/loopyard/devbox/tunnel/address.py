"""Names of tunnels: `{port}-{tunnel_key}.tunnel.{domain}`."""

import re
import secrets
from dataclasses import dataclass
from typing import Literal

Kind = Literal["http", "pty"]

_LETTERS: dict[Kind, str] = {"http": "t", "pty": "p"}
_KEY_BYTES = 20
_NAME = re.compile(r"(?P<port>[0-9]{1,5})-(?P<key>[a-z][0-9a-f]{40})\.tunnel\.(?P<domain>[^:]+?)\.?(?::[0-9]*)?")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request to a tunnel goes."""

    port: int
    tunnel_key: str

    @property
    def is_pty(self) -> bool:
        return self.tunnel_key.startswith(_LETTERS["pty"])


def new_key(kind: Kind) -> str:
    """A new tunnel key: 160 random bits, fit for a label of a host name. It tells nothing of the devbox."""
    return _LETTERS[kind] + secrets.token_hex(_KEY_BYTES)


def parse(host: str, domain: str | None) -> Address | None:
    """Parse a Host header that names a tunnel of `domain`, or of any domain if that is None."""
    found = _NAME.fullmatch(host.lower())
    if found is None or (domain is not None and found["domain"] != domain.lower()):
        return None
    port = int(found["port"])
    return Address(port, found["key"]) if 0 < port < 65536 else None
