"""Folders as archives that are the same for the same content, whenever and wherever they are made."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType


class BadFolder(Exception):
    """A folder holds what cannot be packed; the message names it."""


def pack(folder: Path, contents: Mapping[Path, bytes] = MappingProxyType({})) -> bytes:
    """The folder's content as a gzipped tar archive. Modes are kept; owners and times are not.

    Args:
        folder: What is packed.
        contents: What some of its files hold in the archive, instead of what they hold.

    Raises:
        BadFolder: Something in it is neither file, folder nor link within it, or cannot be read.
    """
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(folder.rglob("*")):
            _archive_one(archive, folder, path, contents.get(path))
    return packed.getvalue()


def _archive_one(archive: tarfile.TarFile, folder: Path, path: Path, content: bytes | None) -> None:
    """Add one member, named relative to the folder; a file with `content` if that is given."""
    if path.is_symlink():
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BadFolder(f"{path} is a link that leads out of {folder}; put a copy there")
    elif not path.is_file() and not path.is_dir():
        raise BadFolder(f"{path} is neither a file nor a folder; remove it")
    try:
        member = archive.gettarinfo(path, str(path.relative_to(folder)))
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = 0
        if content is not None:
            member.type, member.size = tarfile.REGTYPE, len(content)
            archive.addfile(member, io.BytesIO(content))
        elif member.isreg() or member.islnk():
            member.type, member.size = tarfile.REGTYPE, path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(member, file)
        else:
            archive.addfile(member)
    except OSError as error:
        raise BadFolder(f"{path} cannot be read: {error.strerror}") from error
