"""Which servers share a folder of images, and what of it they use.

Each server that uses the folder is written down in it. So any of them can tell what nobody needs.
"""

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loopyard.runtime.layout import read_json, write_whole

_FORGOTTEN_SECONDS = 7 * 24 * 3600
"""After how long a data folder that is not there any more counts as deleted: its disk may only not be mounted."""


_USERS = ("sandboxes/*/meta.json", "ready/*/meta.json", "snapshots/*.json")
"""Files that name a folder which something stands on."""


@dataclass(slots=True)
class References:
    """`roots` are folders that sandboxes and snapshots stand on, `ids` the images that servers have made, `tags` what
    the storage calls those of older versions, `steps` the keys of the steps that the others were built of. `complete`
    is false while a server's data folder cannot be looked at."""

    roots: set[Path] = field(default_factory=set[Path])
    ids: set[str] = field(default_factory=set[str])
    tags: set[str] = field(default_factory=set[str])
    steps: set[str] = field(default_factory=set[str])
    complete: bool = True


def register(images: Path, data: Path) -> None:
    """Write down that the server over this data folder uses the images."""
    folder = images / "servers"
    folder.mkdir(mode=0o700, exist_ok=True)
    write_whole(folder / f"{hashlib.sha256(str(data).encode()).hexdigest()[:16]}.json", str(data))


def references(images: Path) -> References:
    """Images that all servers use."""
    found = References()
    for file in (images / "servers").glob("*.json"):
        data = Path(str(read_json(file)))
        if not data.is_dir():
            if time.time() - file.stat().st_mtime < _FORGOTTEN_SECONDS:
                found.complete = False
            else:
                file.unlink(missing_ok=True)
            continue
        for made in (data / "builds").glob("*.json"):
            found.ids.add(made.stem)
            content: dict[str, Any] = read_json(made) or {}
            if tag := content.get("tag"):
                found.tags.add(tag)
            found.steps.update(content.get("steps", ()))
        for user in (file for kind in _USERS for file in data.glob(kind)):
            if root := _field(user, "image"):
                found.roots.add(Path(root))
    return found


def _field(file: Path, name: str) -> str | None:
    content: dict[str, Any] | None = read_json(file)
    return None if content is None else content.get(name)
