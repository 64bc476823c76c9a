"""The scripts and styles of the pages: this project's own, and those that `./run setup` fetches and checks by hash."""

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
OWN = HERE / "static"
VENDOR = HERE / "vendor"
MANIFEST = HERE / "vendor.json"

_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    packed: bytes
    """Content compressed by gzip."""
    type: str
    version: str
    """The beginning of its SHA-256."""


def names() -> set[str]:
    """All files that pages may load."""
    return {path.name for path in OWN.iterdir() if path.suffix in _TYPES} | fetched().keys()


@cache
def fetched() -> dict[str, str]:
    """The fetched files, each with its SHA-256."""
    listed: dict[str, dict[str, str]] = json.loads(MANIFEST.read_text())
    return {name: entry["sha256"] for name, entry in listed.items()}


@cache
def missing() -> str | None:
    """Says that fetched files are not there or not what they should be; None if all is well."""
    wrong = [name for name, wanted in fetched().items() if _sha256(VENDOR / name) != wanted]
    if not wrong:
        return None
    return (
        f"Files of the console are missing: {', '.join(sorted(wrong))}. Run `./run setup` in the checkout, or install "
        "a wheel that was built after it. Pages work without them, but are not live and have no terminal."
    )


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


@cache
def load(name: str) -> Asset | None:
    """A file that pages load; None if there is none of this name, or it is not what it should be."""
    if name not in names():
        return None
    wanted = fetched().get(name)
    path = (OWN if wanted is None else VENDOR) / name
    if not path.is_file() or (wanted is not None and _sha256(path) != wanted):
        return None
    content = path.read_bytes()
    return Asset(
        content, gzip.compress(content, 9, mtime=0), _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:12]
    )


def address(name: str) -> str:
    """URL that a page loads the file from. It changes with the content, so that browsers may keep it."""
    asset = load(name)
    return f"/console/static/{name}" + (f"?v={asset.version}" if asset is not None else "")
