"""Folders as archives that are the same for the same content, whenever and wherever they are made."""

import gzip
import io
import tarfile
from pathlib import Path


class BadFolder(Exception):
    """A folder holds what cannot be packed; the message names it."""


def pack(folder: Path) -> bytes:
    """The folder's content as a gzipped tar archive. Modes are kept; owners and times are not.

    Raises:
        BadFolder: Something in it is neither file, folder nor link within it, or cannot be read.
    """
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(folder.rglob("*")):
            archive_one(archive, folder, path)
    return packed.getvalue()


def archive_one(archive: tarfile.TarFile, folder: Path, path: Path) -> None:
    """Add one member, named relative to the folder.

    Raises:
        BadFolder: It is neither file, folder nor link within the folder, or cannot be read.
    """
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
        if member.isreg() or member.islnk():
            member.type, member.size = tarfile.REGTYPE, path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(member, content)
        else:
            archive.addfile(member)
    except OSError as error:
        raise BadFolder(f"{path} cannot be read: {error.strerror}") from error
