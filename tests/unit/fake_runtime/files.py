"""Files of a sandbox as the protocol reads and writes them, with its errors."""

import errno
import stat
from collections.abc import AsyncIterable, AsyncIterator, Generator
from contextlib import contextmanager

from loopyard.runtime.errors import FileAccessDenied, FileNotFound, FileUnsuitable, RuntimeFault
from loopyard.runtime.protocol import User
from tests.unit.fake_runtime.disk import Disk, Who

_CHUNK_BYTES = 1 << 20
_FAULTS: dict[int, type[RuntimeFault]] = {
    errno.ENOENT: FileNotFound, errno.EACCES: FileAccessDenied, errno.EPERM: FileAccessDenied,
}  # fmt: skip


@contextmanager
def _told(path: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        fault = _FAULTS.get(error.errno or 0, FileUnsuitable)
        raise fault(f"{path}: {error.strerror}") from error


def _absolute(path: str, user: User) -> str:
    if path == "~" or path.startswith("~/"):
        path = path[2:]
    return path if path.startswith("/") else f"{user.home}/{path}"


async def read(disk: Disk, path: str, user: User) -> AsyncIterator[bytes]:
    """See `Runtime.read_file`."""
    with _told(path):
        place = _absolute(path, user)
        data = bytes(disk.file(place, Who(user.uid, user.uid)).data)
    for begin in range(0, len(data), _CHUNK_BYTES):
        yield data[begin : begin + _CHUNK_BYTES]


async def write(disk: Disk, path: str, content: AsyncIterable[bytes], user: User, mode: int | None) -> None:
    """See `Runtime.write_file`."""
    data = bytearray()
    async for chunk in content:
        data += chunk
    who, place = Who(user.uid, user.uid), _absolute(path, user)
    with _told(path):
        if place.rstrip("/") == "" or place.rpartition("/")[2] in ("", ".", ".."):
            raise OSError(errno.EISDIR, "Is a directory")
        disk.make_folders(place.rpartition("/")[0], who)
        file = disk.open_new(place, who, 0o644)
        file.data[:] = data
        if mode is not None:
            file.mode = stat.S_IMODE(mode)
