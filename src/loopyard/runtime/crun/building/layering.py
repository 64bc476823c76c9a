"""Unpacks the layers of an image's archive one over the other: `python -m …layering ARCHIVE FOLDER`, with their places
and lengths in JSON on standard input. Prints how many bytes they have unpacked.

It changes its root to the folder: links of one layer lead no other layer's files out.
"""

import contextlib
import gzip
import io
import json
import os
import shutil
import sys
import tarfile
from typing import IO, Any, cast

_ATTRIBUTE = "SCHILY.xattr."
_KEPT = ("user.", "security.capability")
_GONE, _OPAQUE = ".wh.", ".wh..wh..opq"
_CHUNK_BYTES = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class _Slice(io.RawIOBase):
    """A part of a file."""

    def __init__(self, file: io.FileIO, start: int, size: int) -> None:
        self._file = file
        self._at, self._end = start, start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._end - self._at)
        read = os.preadv(self._file.fileno(), [memoryview(buffer)[:wanted]], self._at) if wanted else 0
        self._at += read
        return read


class Layer:
    """A layer that is being put over those below."""

    def __init__(self) -> None:
        self._own: set[str] = set()
        self._folders: list[tuple[str, tarfile.TarInfo]] = []
        self.bytes = 0

    def put(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = _inside(member.name)
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            self._clear(folder)
        elif name.startswith(_GONE):
            self._remove(f"{folder}/{name.removeprefix(_GONE)}".lstrip("/"))
        else:
            self._write(tar, member, path)

    def end(self) -> None:
        """Give folders what they have, deepest first: writing into them changes their times."""
        for path, member in reversed(self._folders):
            if _is_folder(path):
                _describe(path or ".", member)

    def _write(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        if not (member.isdir() or member.isreg() or member.issym() or member.islnk() or member.isfifo()):
            return  # a device is of no use in a sandbox
        parent = path.rpartition("/")[0]
        if parent:
            os.makedirs(parent, exist_ok=True)
        self._own.add(path)
        if path and not (member.isdir() and _is_folder(path)):
            _delete(path)
        if member.isdir():
            if path and not _is_folder(path):
                os.mkdir(path)
            self._folders.append((path, member))
            return
        if member.islnk():
            os.link(_inside(member.linkname), path, follow_symlinks=False)
            return
        if member.issym():
            os.symlink(member.linkname, path)
        elif member.isfifo():
            os.mkfifo(path)
        else:
            content = cast("IO[bytes]", tar.extractfile(member))
            with open(path, "xb") as file:
                shutil.copyfileobj(content, file, _CHUNK_BYTES)
            self.bytes += member.size
        _describe(path, member)

    def _remove(self, path: str) -> None:
        if path not in self._own:
            _delete(path)

    def _clear(self, folder: str) -> None:
        """Delete what layers below have put into a folder."""
        for below, folders, files in os.walk(folder or ".", topdown=False):
            for name in (*folders, *files):
                path = _inside(f"{below}/{name}")
                if path not in self._own:
                    with contextlib.suppress(OSError):  # a folder with something of this layer
                        os.rmdir(path) if _is_folder(path) else os.unlink(path)


def _inside(name: str) -> str:
    """A path of an archive, from the root."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _is_folder(path: str) -> bool:
    return os.path.isdir(path or ".") and not os.path.islink(path)


def _delete(path: str) -> None:
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)


def _describe(path: str, member: tarfile.TarInfo) -> None:
    os.chown(path, member.uid, member.gid, follow_symlinks=False)
    if not member.issym():
        os.chmod(path, member.mode & 0o7777)
        for name, value in member.pax_headers.items():
            kept = name.removeprefix(_ATTRIBUTE)
            if kept != name and kept.startswith(_KEPT):
                os.setxattr(path, kept, value.encode("utf-8", "surrogateescape"))
    os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)


def _apply(file: io.FileIO, start: int, size: int) -> int:
    raw = io.BufferedReader(_Slice(file, start, size), _CHUNK_BYTES)
    head = raw.peek(4)
    if head.startswith(_ZSTD):
        raise tarfile.ReadError("its layers are compressed by zstd; write it with layers as they are, or by gzip")
    stream = gzip.GzipFile(fileobj=raw) if head.startswith(_GZIP) else raw
    layer = Layer()
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|", errors="surrogateescape") as tar:
        while (member := tar.next()) is not None:
            layer.put(tar, member)
            cast("Any", tar).members = []  # it would keep them all
    layer.end()
    return layer.bytes


def main() -> None:
    archive, folder = sys.argv[1:]
    places: list[tuple[int, int]] = json.load(sys.stdin)
    with open(archive, "rb", buffering=0) as file:
        os.umask(0o022)
        os.chroot(folder)
        os.chdir("/")
        try:
            written = sum(_apply(file, start, size) for start, size in places)
        except (tarfile.TarError, OSError, EOFError) as error:
            sys.exit(f"the image cannot be unpacked: {error}")
    sys.stdout.write(f"{written}\n")


if __name__ == "__main__":
    main()
