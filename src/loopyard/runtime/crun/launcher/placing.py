"""Content for a sandbox's root file system, placed before it starts: folders, its user, own lines in files.

What the image, or whoever worked in the sandbox before, has there stays. The server owns its own lines only: account
files are added to, and in the files of the network it writes between two marks. A file that is something else by now,
such as a folder, or that cannot be written, is left alone: a sandbox comes up with what it has.
"""

import os
import stat
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from loopyard.runtime.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

BEGIN = "# Loopyard's own lines, written anew at each start. What stands elsewhere in this file is kept."
END = "# End of Loopyard's own lines."

_MARKS = (BEGIN.encode(), END.encode())
_OWN_WORDS = ([b"search"], [b"nameserver"], [b"127.0.0.1"], [b"::1"])
"""First words of the server's own lines."""

_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_MOST_BYTES = 4 << 20
"""A larger file of these is left alone."""


def put(root: int, place: Mapping[str, Any], uid_base: int, *, kept: bool) -> None:
    """Put all of it into a root file system in which nothing runs. Links in there lead to nowhere but there.

    Args:
        root: A descriptor of its top.
        place: `folders` maps paths to the uids of those that are missing, `lines` paths to the server's own lines,
            `files` paths to the content and mode of files that are only made where there is none, `account` is the row
            of a user in each account file, with `more` files and folders of theirs; None for a user of the image's.
        uid_base: The host's uid of the sandbox's root.
        kept: Whether somebody has worked in the sandbox before, or in that of its snapshot.

    Raises:
        OSError: One of the folders that the sandbox cannot do without is missing, and cannot be made.
    """
    top = openat2(root, ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for path in place["needed"]:
            _make_folder(top, path, uid_base)
        for path, owner in place["folders"].items():
            with suppress(OSError):
                _make_folder(top, path, uid_base + owner)
        for path, lines in place["lines"].items():
            with suppress(OSError):
                _own_lines(top, path, lines, kept=kept)
        for path, (content, mode) in place["files"].items():
            with suppress(OSError):
                _make_file(top, path, content.encode(), mode, kept=kept)
        if place["account"] is not None:
            with suppress(OSError):
                _add_account(top, place["account"], uid_base, kept=kept)
    finally:
        os.close(top)


def append(root: int, path: str, rows: Sequence[bytes]) -> None:
    """Put rows at the end of a file, which is made if it is missing; nothing where it is something else by now."""

    def change(content: bytes) -> bytes:
        between = b"" if not content or content.endswith(b"\n") else b"\n"
        return content + between + b"".join(row + b"\n" for row in rows)

    with suppress(OSError):
        _change(root, path, change, 0o644, replace_links=True)


def with_own_lines(content: bytes, lines: Sequence[str]) -> bytes:
    """The content of a file with the server's own lines between their marks, and all others as they were. A line of the
    server's that has more words behind it, such as another name of the host, stays so."""
    rows = content.splitlines(keepends=True)
    before, block, after = _split(rows)
    ours = [row for row in block if row.split()[:1] in _OWN_WORDS]
    theirs = [row for row in block if row not in ours and row.rstrip(b"\r\n") not in _MARKS]
    wanted = [line.encode() for line in lines]
    if all(any(_extends(row, line) for row in rows) for line in wanted) and all(
        any(_extends(row, line) for line in wanted) for row in ours
    ):
        return content
    others = [row for row in (*before, *theirs, *after) if row.rstrip(b"\r\n") not in wanted]
    own = b"".join(f"{line}\n".encode() for line in (BEGIN, *lines, END))
    return own + b"".join(others)


def _extends(row: bytes, line: bytes) -> bool:
    """True if a row is the line, or has more words behind it."""
    return row.startswith(line) and row[len(line) : len(line) + 1] in (b"", b"\n", b"\r", b" ", b"\t")


def _split(rows: list[bytes]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Rows before the server's block, the block with its marks, and what is behind it."""
    begin_mark, end_mark = _MARKS
    marks = [row.rstrip(b"\r\n") for row in rows]
    if begin_mark not in marks:
        return [], [], rows
    begin = marks.index(begin_mark)
    end = marks.index(end_mark, begin) + 1 if end_mark in marks[begin:] else begin + 1
    return rows[:begin], rows[begin:end], rows[end:]


def _own_lines(top: int, path: str, lines: Sequence[str], *, kept: bool) -> None:
    def change(content: bytes) -> bytes:
        return with_own_lines(content, lines)

    _change(top, path, change, 0o644, replace_links=not kept)


def _make_file(top: int, path: str, content: bytes, mode: int, *, kept: bool) -> None:
    """Write a file where there is none, or only an empty one."""
    _change(top, path, lambda found: found if found.strip() else content, mode, replace_links=not kept)


def _add_account(top: int, account: Mapping[str, Any], uid_base: int, *, kept: bool) -> None:
    """Add a user to the account files, with what else belongs to one, unless there is one of this number; or of this
    name, where somebody has worked before."""
    name, uid = account["name"].encode(), str(account["uid"]).encode()
    rows = [row.split(b":") for row in _content(top, "etc/passwd").splitlines()]
    if any(len(row) >= 3 and row[2] == uid for row in rows) or (kept and any(row[0] == name for row in rows)):
        return
    for path, row in account["rows"].items():
        if path == "etc/shadow" and not _content(top, path):
            continue

        def change(content: bytes, row: str = row) -> bytes:
            others = [one for one in content.splitlines(keepends=True) if kept or not one.startswith(name + b":")]
            if kept and any(one.startswith(name + b":") for one in others):
                return content
            if others and not others[-1].endswith(b"\n"):
                others[-1] += b"\n"
            return b"".join([*others, row.encode() + b"\n"])

        with suppress(OSError):
            _change(top, path, change, 0o640 if path == "etc/shadow" else 0o644, replace_links=not kept)
    for path, owner in account["folders"].items():
        with suppress(OSError):
            _make_folder(top, path, uid_base + owner)
    for path, (content, mode) in account["files"].items():
        with suppress(OSError):
            _make_file(top, path, content.encode(), mode, kept=kept)


def _make_folder(top: int, path: str, owner: int) -> None:
    """Make a folder, if nothing is there; `owner` is the host's uid of whom it then belongs to."""
    with _parent(top, path) as (parent, name):
        try:
            os.mkdir(name, 0o755, dir_fd=parent)
        except FileExistsError:
            return
        os.chown(name, owner, owner, dir_fd=parent, follow_symlinks=False)


def _content(top: int, path: str) -> bytes:
    """Content of an ordinary file, through links; empty, where that is none, or a very large one."""
    try:
        file = _open_ordinary(top, path, os.O_RDONLY)
    except OSError:
        return b""
    with os.fdopen(file, "rb", buffering=0) as stream:
        return _read(stream.fileno()) or b""


def _change(top: int, path: str, change: Callable[[bytes], bytes], mode: int, *, replace_links: bool) -> None:
    """Change an ordinary file in place, so that it keeps all else that it has, or make it. A link that leads nowhere is
    replaced if so asked.

    Raises:
        OSError: It is something else, or cannot be written.
    """
    try:
        file = _open_ordinary(top, path, os.O_RDWR)
    except FileNotFoundError:
        with _parent(top, path) as (parent, name):
            if replace_links:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=parent)
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=parent)
        with os.fdopen(file, "wb", buffering=0) as stream:
            os.fchmod(stream.fileno(), mode)
            os.write(stream.fileno(), change(b""))
        return
    with os.fdopen(file, "r+b", buffering=0) as stream:
        content = _read(stream.fileno())
        if content is None:
            return
        changed = change(content)
        if changed == content:
            return
        if not content:  # builds leave such where something was mounted, open to nobody but root
            os.fchmod(stream.fileno(), mode)
        # What is added comes behind what was there, if it can: then a crash leaves nothing half written.
        same = len(content) if changed.startswith(content) else 0
        if os.pwrite(stream.fileno(), changed[same:], same) == len(changed) - same:
            os.ftruncate(stream.fileno(), len(changed))


def _read(file: int) -> bytes | None:
    size = os.fstat(file).st_size
    return None if size > _MOST_BYTES else os.pread(file, size, 0)


def _open_ordinary(top: int, path: str, flags: int) -> int:
    """An ordinary file, through links that lead to one.

    Raises:
        FileNotFoundError: There is none, or only a link that leads nowhere.
        OSError: It is something else, or may not be opened.
    """
    looked_at = openat2(top, path, os.O_PATH, 0, _RESOLVE)
    try:
        if not stat.S_ISREG(os.fstat(looked_at).st_mode):
            raise IsADirectoryError(f"{path}: not an ordinary file")
    finally:
        os.close(looked_at)
    return openat2(top, path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0, _RESOLVE)


@contextmanager
def _parent(top: int, path: str) -> Generator[tuple[int, str]]:
    folder, name = os.path.split(path)
    parent = openat2(top, folder or ".", os.O_RDONLY | os.O_DIRECTORY, 0, _RESOLVE)
    try:
        yield parent, name
    finally:
        os.close(parent)
