"""Lists a folder of a devbox, by a program that runs in it as its user. What it says is the devbox's own word."""

import asyncio
from dataclasses import dataclass
from typing import Literal

from loopyard.devbox.attachment.command import Attachment
from loopyard.devbox.faults import faults_as_answers
from loopyard.kit.errors import BadRequest, Forbidden, NotFound, Unavailable
from loopyard.runtime.protocol import CommandSpec, Runtime

MOST_BYTES = 1 << 20
"""How much of a listing is read: some ten thousand names."""
_SECONDS = 15.0

Kind = Literal["folder", "file", "link", "other"]

_PROGRAM = r"""
[ -e "$1" ] || exit 44
[ -d "$1" ] || exit 45
cd -- "$1" 2>/dev/null || exit 43
[ -r . ] || exit 43
pwd; printf '\0'
if find . -maxdepth 0 -printf '' 2>/dev/null; then
    exec find . -mindepth 1 -maxdepth 1 -printf '%y %s %T@ %f\0' 2>/dev/null
fi
shopt -s nullglob dotglob
for name in *; do
    if [ -h "$name" ]; then kind=l; elif [ -d "$name" ]; then kind=d; elif [ -f "$name" ]; then kind=f; else kind=o; fi
    printf '%s - - %s\0' "$kind" "$name"
done
"""
_KINDS: dict[bytes, Kind] = {b"d": "folder", b"f": "file", b"l": "link"}


@dataclass(frozen=True, slots=True)
class FolderEntry:
    name: str
    kind: Kind
    size: int | None
    changed_ms: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    path: str
    """Where the folder is, absolute."""
    entries: list[FolderEntry]
    """Folders first, by name."""
    is_cut: bool
    """True if there are more than could be read."""


async def list_folder(runtime: Runtime, devbox_id: str, path: str) -> Listing:
    """Content of a folder of a running devbox.

    Raises:
        NotFound, Forbidden, BadRequest: There is none, its user may not read it, or it is no folder.
        Unavailable: The devbox did not answer.
    """
    with faults_as_answers("path"):
        command = await Attachment.start(
            runtime, devbox_id, CommandSpec("", ("/bin/bash", "-c", _PROGRAM, "bash", path), timeout_seconds=_SECONDS)
        )
    read = bytearray()
    status = None
    try:
        command.close_input()
        async with asyncio.timeout(_SECONDS):
            async for piece in command.stdout():
                read += piece
                if len(read) > MOST_BYTES:
                    break
            else:
                status = await command.ended
    except TimeoutError:
        raise Unavailable(f"Listing {path} took longer than {_SECONDS:.0f} seconds.") from None
    finally:
        command.close()
    match status:
        case 43:
            raise Forbidden(f"The devbox's user may not read {path}.", field="path")
        case 44:
            raise NotFound(f"There is no {path} in the devbox.", field="path")
        case 45:
            raise BadRequest(f"{path} is no folder.", field="path")
        case _:
            return _listing(bytes(read), path, is_cut=status is None)


def _listing(read: bytes, path: str, *, is_cut: bool) -> Listing:
    place, *lines = read.split(b"\0")
    entries = [entry for line in lines[:-1] if (entry := _entry(line)) is not None]
    entries.sort(key=lambda one: (one.kind != "folder", one.name))
    return Listing(place.decode(errors="replace").rstrip("\n") or path, entries, is_cut)


def _entry(line: bytes) -> FolderEntry | None:
    parts = line.split(b" ", 3)
    if len(parts) != 4 or not parts[3]:
        return None
    kind, size, changed, name = parts
    return FolderEntry(
        name.decode(errors="replace"),
        _KINDS.get(kind, "other"),
        int(size) if size.isdigit() and len(size) < 19 else None,
        _milliseconds(changed),
    )


def _milliseconds(text: bytes) -> int | None:
    try:
        return int(float(text[:32]) * 1000)
    except (ValueError, OverflowError):
        return None
