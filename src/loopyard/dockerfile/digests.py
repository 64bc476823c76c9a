"""Digests of files that are copied, for the key of the build cache: the same on every host and in every order."""

import hashlib
import os
from collections.abc import Callable, Iterable

from loopyard.dockerfile.selection import Entry, Selected

_SMALL_BYTES, _CHUNK_BYTES = 1 << 16, 1 << 20


def file_digest(path: str) -> str:
    """Digest of a file's content. The file is read without following a link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # Most files are small: a stream and its buffer take longer than they do.
        hashed = hashlib.sha256(first := os.read(descriptor, _SMALL_BYTES))
        if len(first) == _SMALL_BYTES:
            while chunk := os.read(descriptor, _CHUNK_BYTES):
                hashed.update(chunk)
        return hashed.hexdigest()
    finally:
        os.close(descriptor)


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
