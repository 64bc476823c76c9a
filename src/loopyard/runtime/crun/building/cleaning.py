"""Takes out of a step's changes what the server had put there: its own lines in files of the network, empty folders and
files that mounts stood on. What the step itself has written there stays."""

import contextlib
import os
import posixpath
import stat
from collections.abc import Iterable

from loopyard.runtime.crun.building.merged import Entry, Merged, is_opaque
from loopyard.runtime.crun.launcher.placing import BEGIN, END

LENT_FILES = ("etc/resolv.conf", "etc/hosts", "etc/hostname")
_NEEDED = ("dev", "proc", "sys", "etc")
_MOST_BYTES = 4 << 20
_MARKS = (BEGIN.encode(), END.encode())


def missing_targets(below: Merged, targets: Iterable[str]) -> list[str]:
    """The paths that have to be made so that mounts at the targets have a place, from the deepest on."""
    found: set[str] = set(_missing(below, _NEEDED))
    for target in targets:
        resolved, entry = below.walk(target)
        if entry is None:
            parts = resolved.split("/")
            found.update(_missing(below, ("/".join(parts[: count + 1]) for count in range(len(parts)))))
    return sorted(found, key=lambda path: path.count("/"), reverse=True)


def _missing(below: Merged, paths: Iterable[str]) -> Iterable[str]:
    return (path for path in paths if below.find(path, follow=False) is None)


def clean(upper: str, below: Merged, hostname: str, stubs: Iterable[str]) -> None:
    """Do it in a folder of changes whose overlay is not mounted any more. `stubs` were missing before the step."""
    for path in LENT_FILES:
        _strip(upper, below, path, hostname)
    for path in stubs:
        _remove_empty(f"{upper}/{path}")
    parents = {path.rpartition("/")[0] for path in stubs if "/" in path}
    for path in (*_NEEDED, *parents):
        _drop_if_same(f"{upper}/{path}", below.find(path, follow=False))


def _strip(upper: str, below: Merged, path: str, hostname: str) -> None:
    real = f"{upper}/{path}"
    folder = posixpath.dirname(real)
    try:
        if not stat.S_ISDIR(os.lstat(folder).st_mode) or not stat.S_ISREG(os.lstat(real).st_mode):
            return
        file = os.open(real, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    with os.fdopen(file, "r+b", buffering=0) as stream:
        status = os.fstat(file)
        if status.st_size > _MOST_BYTES:
            return
        content = stream.read()
        left = _without_own(content)
        if path == "etc/hostname" and left.strip() == hostname.encode():
            left = b""
        before = below.find(path, follow=False)
        if _was(before, left, status):
            os.unlink(real)  # noqa: PTH108
        elif left != content:
            stream.seek(0)
            stream.write(left)
            stream.truncate()


def _without_own(content: bytes) -> bytes:
    rows = content.splitlines(keepends=True)
    marks = [row.rstrip(b"\r\n") for row in rows]
    begin, end = _MARKS
    if begin not in marks:
        return content
    first = marks.index(begin)
    last = marks.index(end, first) if end in marks[first:] else first
    own = (b"search", b"nameserver", b"127.0.0.1", b"::1")
    added = [row for row in rows[first:last] if row.split()[:1] and row.split()[0] not in own and row[:1] != b"#"]
    return b"".join((*rows[:first], *added, *rows[last + 1 :]))


def _was(before: Entry | None, left: bytes, status: os.stat_result) -> bool:
    """Tell whether the file is as it was, or was not there, before the server wrote to it."""
    if before is None or before.kind == "link":
        return not left.strip()
    if before.kind != "file" or before.status.st_size > _MOST_BYTES:
        return False
    same = (before.status.st_mode, before.status.st_uid, before.status.st_gid)
    if same != (status.st_mode, status.st_uid, status.st_gid) and before.status.st_size:
        return False
    with open(before.real, "rb") as file:  # noqa: PTH123
        known = file.read()
    return known == left or (not known.strip() and not left.strip())


def _remove_empty(real: str) -> None:
    with contextlib.suppress(OSError):
        status = os.lstat(real)
        if stat.S_ISDIR(status.st_mode):
            os.rmdir(real)  # noqa: PTH106
        elif stat.S_ISREG(status.st_mode) and status.st_size == 0:
            os.unlink(real)  # noqa: PTH108


def _drop_if_same(real: str, before: Entry | None) -> None:
    """Remove an empty folder that says nothing that the one below it does not say."""
    if before is None or before.kind != "folder":
        return
    with contextlib.suppress(OSError):
        status = os.lstat(real)
        known = before.status
        same = (known.st_mode, known.st_uid, known.st_gid) == (status.st_mode, status.st_uid, status.st_gid)
        if stat.S_ISDIR(status.st_mode) and same and not is_opaque(real):
            os.rmdir(real)  # noqa: PTH106
