"""Digests of files that are copied, for the key of the build cache: the same on every host and in every order."""

import hashlib
import os
from collections.abc import Callable, Iterable

from loopyard.dockerfile.selection import Entry, Selected


def file_digest(path: str) -> str:
    """Digest of a file's content. The file is read without following a link."""
    with open(path, "rb", opener=_no_links) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _no_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def digest(selected: Iterable[Selected], content: Callable[[Entry], str], *, extra: Callable[[Entry], str]) -> str:
    """Digest of what is copied and where it goes: names, kinds, modes, links' targets, contents. `content` gives the
    digest of a file's content, `extra` what else of an entry counts, such as its owner."""
    whole = hashlib.sha256()
    for one in selected:
        entry = one.entry
        inside = content(entry) if entry.kind == "file" else entry.target if entry.kind == "link" else ""
        mode = "" if entry.kind == "link" or (one.top and entry.kind == "folder") else f"{entry.mode:o}"
        for field in (one.below, entry.kind, mode, inside, extra(entry)):
            packed = field.encode(errors="surrogateescape")
            whole.update(len(packed).to_bytes(8, "big"))
            whole.update(packed)
    return whole.hexdigest()
