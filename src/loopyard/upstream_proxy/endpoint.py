"""URLs of upstreams."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_DOTS = re.compile(r"(^|/)(\.|%2e){1,2}(/|$)", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}

MAX_CHARACTERS = 2048


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An upstream's URL in parts. `path` has no `/` at its end; it is empty for a host alone."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> "Endpoint":
        """The parts of a URL.

        Raises:
            ValueError: It is no URL that can be an upstream's; the message says why.
        """
        if len(url) > MAX_CHARACTERS:
            raise ValueError(f"must have at most {MAX_CHARACTERS} characters")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("must be a URL such as https://api.example.com") from None
        if parts.scheme.lower() not in _PORTS or not parts.hostname:
            raise ValueError("must be a URL that begins with https:// or http://, such as https://api.example.com")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must have no user name or password; give the credential as a secret")
        if parts.query or parts.fragment or "?" in url or "#" in url:
            raise ValueError("must have no query and no fragment")
        host = parts.hostname.lower()
        if not _is_host(host):
            raise ValueError("must name a host in ASCII, such as api.example.com")
        if not _PATH.fullmatch(parts.path) or has_dots(parts.path):
            raise ValueError("must have a path of URL characters, without . or .. segments")
        scheme = parts.scheme.lower()
        return cls(scheme, host, port or _PORTS[scheme], parts.path.rstrip("/"))

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def target(self, target: str) -> str:
        """Upstream's target when `target`, a path with its query, is asked of the gateway.

        Raises:
            ValueError: It would lead out of the endpoint's path.
        """
        if self.path and has_dots(target.partition("?")[0]):
            raise ValueError("the path has . or .. segments, which could lead out of the endpoint's path")
        if self.path and target == "/":
            return self.path
        return self.path + target


def has_dots(path: str) -> bool:
    """True if a path has `.` or `..` segments, encoded or not."""
    return _DOTS.search(path) is not None


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return len(host) <= 253 and _HOST.fullmatch(host) is not None and not host.rpartition(".")[2].isdigit()
    return True
