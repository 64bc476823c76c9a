"""Unpacks archives into a layer, as ADD does: tar, as it is or compressed."""

import bz2
import contextlib
import gzip
import lzma
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from loopyard.runtime.crun.building.writing import CannotWrite, Writer, is_kept
from loopyard.runtime.crun.host.uids import UIDS
from loopyard.runtime.programs import search_path

_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"
_KINDS = {b"\x1f\x8b\x08": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_BLOCK_BYTES = 512
_ATTRIBUTE = "SCHILY.xattr."
_FAULTS = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


def is_archive(stream: BinaryIO) -> bool:
    """Tell whether a file is such an archive. It is left at its beginning."""
    try:
        with _opened(stream) as plain:
            head = plain.read(_BLOCK_BYTES)
    except _FAULTS:
        return False
    finally:
        stream.seek(0)
    return head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC) or _is_old_tar(head)


def _is_old_tar(head: bytes) -> bool:
    """Tell whether a block is the head of a tar that was written before there was a word for it."""
    if len(head) < _BLOCK_BYTES or not head[0]:
        return False
    try:
        told = int(head[148:156].split(b"\0")[0].strip() or b"x", 8)
    except ValueError:
        return False
    return told == sum(head[:148]) + sum(head[156:]) + 8 * ord(" ")


@contextmanager
def _opened(stream: BinaryIO) -> Generator[IO[bytes]]:
    """The content of a file, unpacked if it is compressed."""
    head = stream.read(6)
    stream.seek(0)
    kind = next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), None)
    if kind == "gzip":
        with gzip.GzipFile(fileobj=stream) as plain:
            yield cast("IO[bytes]", plain)
    elif kind == "bzip2":
        with bz2.BZ2File(stream) as plain:
            yield plain
    elif kind == "xz":
        with lzma.LZMAFile(stream) as plain:
            yield plain
    elif kind == "zstd":
        with _zstd(stream) as plain:
            yield plain
    else:
        yield stream


@contextmanager
def _zstd(stream: BinaryIO) -> Generator[IO[bytes]]:
    program = shutil.which("zstd", path=search_path())
    if program is None:
        raise OSError("the host has no zstd")
    # Opened anew: what was read ahead is gone from the file's own place, and the program would move that.
    with open(f"/proc/self/fd/{stream.fileno()}", "rb", buffering=0) as whole:  # noqa: PTH123
        process = subprocess.Popen([program, "-dc"], stdin=whole, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None  # noqa: S101
    try:
        yield process.stdout
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def unpack(stream: BinaryIO, target: str, writer: Writer, owner: tuple[int, int] | None) -> None:
    """Unpack an archive into a folder of the image. Owners are the archive's, unless one is given.

    Raises:
        CannotWrite: It is damaged, or something is in its way.
    """
    writer.folder(target)
    try:
        with (
            _opened(stream) as plain,
            tarfile.open(fileobj=cast("BinaryIO", plain), mode="r|") as tar,
        ):
            for member in tar:
                _put(tar, member, target, writer, owner)
    except _FAULTS as error:
        raise CannotWrite(f"the archive cannot be unpacked: {error}") from error


def _put(
    tar: tarfile.TarFile, member: tarfile.TarInfo, target: str, writer: Writer, owner: tuple[int, int] | None
) -> None:
    path = _below(target, member.name)
    whose = owner or (member.uid if member.uid < UIDS else 0, member.gid if member.gid < UIDS else 0)
    moment = int(member.mtime * 1e9)
    mode = member.mode & 0o7777
    attributes = {
        name.removeprefix(_ATTRIBUTE): value.encode("utf-8", "surrogateescape")
        for name, value in member.pax_headers.items()
        if is_kept(name.removeprefix(_ATTRIBUTE)) and name.startswith(_ATTRIBUTE)
    }
    if member.isdir():
        resolved = writer.folder(path)
        if path != target:
            writer.change_folder(resolved, mode, whose, (moment, moment), attributes)
    elif member.issym():
        writer.symlink(path, member.linkname, whose, (moment, moment))
    elif member.islnk():
        writer.link(path, _below(target, member.linkname))
    elif member.isfifo():
        writer.fifo(path, mode, whose)
    elif member.isreg():
        content = tar.extractfile(member)
        assert content is not None  # noqa: S101
        with contextlib.closing(content):
            writer.content(path, cast("BinaryIO", content), mode, whose, (moment, moment), attributes)


def _below(target: str, name: str) -> str:
    """A path of an archive, which cannot lead out of the folder."""
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(one for one in (target, *parts) if one)
