"""Files of a container, read and written by programs in it that run as the sandbox's own user.

So the kernel checks that user's rights, and no link leads anywhere but inside. What a hostile sandbox puts in the place
of these programs can deceive only those who ask for its own files.
"""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress

from loopyard.runtime.docker.engine import Engine
from loopyard.runtime.docker.frames import STDOUT, Frames
from loopyard.runtime.docker.users import Account
from loopyard.runtime.errors import FileAccessDenied, FileNotFound, FileUnsuitable, NoSpaceLeft, RuntimeFault

_PIECE_BYTES = 1 << 20
_MOST_ERROR_BYTES = 4096

_READ = """
[ ! -d "$1" ] || { echo 'Is a directory' >&2; exit 1; }
[ ! -e "$1" ] || [ -f "$1" ] || { echo 'Not an ordinary file' >&2; exit 1; }
exec cat -- "$1"
"""

_WRITE = """
path=$1 mode=$2 mark=$3
umask 022
case $path in */ | */. | */..) echo 'Is a directory' >&2; exit 1 ;; esac
[ ! -d "$path" ] || { echo 'Is a directory' >&2; exit 1; }
[ ! -e "$path" ] || [ -f "$path" ] || { echo 'Not an ordinary file' >&2; exit 1; }
[ ! -e "$path" ] || [ -w "$path" ] || { echo 'Permission denied' >&2; exit 1; }
alike() {
    cp --attributes-only --preserve=all,xattr -- "$path" "$part" 2>/dev/null &&
        [ "$(stat -c '%u %g %a' "$path")" = "$(stat -c '%u %g %a' "$part")" ]
}
folder=${path%/*}
mkdir -p -- "${folder:-/}" || exit 1
beside=yes
part=$(mktemp "$folder/.part.XXXXXXXX" 2>/dev/null) || { beside=; part=$(mktemp) || exit 1; }
trap 'rm -f -- "$part"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$part" || exit 1
size=$(($(stat -c %s "$part") - ${#mark}))
[ "$(tail -c ${#mark} "$part" | tr -d '\\000')" = "$mark" ] || { echo 'Cut off' >&2; exit 1; }
truncate -s "$size" "$part" || exit 1
if [ ! -e "$path" ] && [ ! -L "$path" ]; then
    [ -n "$beside" ] || { cat "$part" >"$path" && chmod "${mode:-644}" "$path"; exit; }
    chmod "${mode:-644}" "$part" && mv -f -- "$part" "$path"
elif [ -n "$beside" ] && [ ! -L "$path" ] && [ "$(stat -c '%u %h' "$path")" = "$(id -u) 1" ] && alike; then
    if [ "$(id -u)" != 0 ]; then chmod ug-s "$part" || exit 1; fi
    { [ -z "$mode" ] || chmod "$mode" "$part"; } && mv -f -- "$part" "$path"
else
    cat "$part" >"$path" && { [ -z "$mode" ] || chmod "$mode" "$path"; }
fi
"""
"""Takes the content from standard input, with the mark behind it that says it is whole: input that merely ends does not
replace a file. Through a link, with several names, of another owner, or with attributes that another file cannot be
given, the old file is written to; else replaced."""

_FAULTS: tuple[tuple[str, type[RuntimeFault], str], ...] = (
    ("permission denied", FileAccessDenied, "the user of the devbox may not do this"),
    ("operation not permitted", FileAccessDenied, "the user of the devbox may not do this"),
    ("read-only file system", FileAccessDenied, "it is read-only"),
    ("too many levels of symbolic links", FileAccessDenied, "it leads through links in a circle"),
    ("no space left", NoSpaceLeft, "the disk of the devbox is full"),
    ("quota exceeded", NoSpaceLeft, "the disk of the devbox is full"),
    ("is a directory", FileUnsuitable, "it is a folder"),
    ("not a directory", FileUnsuitable, "a part of the path is not a folder"),
    ("file exists", FileUnsuitable, "a part of the path is not a folder"),
    ("not an ordinary file", FileUnsuitable, "it is not an ordinary file"),
    ("file name too long", FileUnsuitable, "the path is too long"),
    ("no such", FileNotFound, "there is no such file"),
)


def resolve(account: Account, path: str) -> str:
    """The path from the root on: relative ones and `~/` start at the user's home.

    Raises:
        FileUnsuitable: It cannot be a path.
    """
    if "\0" in path:
        raise FileUnsuitable(f"{path!r}: it cannot be a path")
    if path == "~" or path.startswith("~/"):
        path = path[2:]
    return path if path.startswith("/") else f"{account.home}/{path}"


async def read(engine: Engine, container: str, account: Account, path: str) -> AsyncIterator[bytes]:
    """A file's bytes. Raises, before any, FileNotFound, FileAccessDenied, FileUnsuitable, and as `Engine.execute`."""
    argv = ["/bin/sh", "-c", _READ, "sh", resolve(account, path)]
    exec_id, connection = await engine.execute(container, argv, user=str(account.uid), environment={"LC_ALL": "C"})
    frames, errors, loop = Frames(), b"", asyncio.get_running_loop()
    with connection:
        while data := await loop.sock_recv(connection, _PIECE_BYTES):
            for number, piece in frames.feed(data):
                if number == STDOUT:
                    yield piece
                else:
                    errors = (errors + piece)[:_MOST_ERROR_BYTES]
        if await engine.exit_status(exec_id) != 0:
            raise _fault(path, errors)


async def write(
    engine: Engine, container: str, account: Account, path: str, content: AsyncIterable[bytes], mode: int | None
) -> None:
    """Replace a file. Raises FileAccessDenied, FileUnsuitable, NoSpaceLeft, and as `Engine.execute`."""
    mark = secrets.token_hex(16)
    given = "" if mode is None else f"{mode:o}"
    argv = ["/bin/sh", "-c", _WRITE, "sh", resolve(account, path), given, mark]
    exec_id, connection = await engine.execute(
        container, argv, user=str(account.uid), environment={"LC_ALL": "C"}, stdin=True
    )
    with connection:
        errors = asyncio.create_task(_errors(connection))
        sent = asyncio.create_task(_send(connection, content, mark.encode()))
        try:
            # It may end before it has taken all: the disk is full, or the user may not write there.
            await asyncio.wait({errors, sent}, return_when=asyncio.FIRST_COMPLETED)
            if sent.done():
                sent.result()
            said = await errors
        finally:
            errors.cancel()
            sent.cancel()
            await asyncio.gather(errors, sent, return_exceptions=True)
    if await engine.exit_status(exec_id) != 0:
        raise _fault(path, said)


async def _send(connection: socket.socket, content: AsyncIterable[bytes], mark: bytes) -> None:
    """Send all and the mark. Stops where nobody takes it; raises only what the content raises."""
    async for chunk in content:
        if not await _sent(connection, chunk):
            return
    if await _sent(connection, mark):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)


async def _sent(connection: socket.socket, chunk: bytes) -> bool:
    try:
        await asyncio.get_running_loop().sock_sendall(connection, chunk)
    except OSError:
        return False
    return True


async def _errors(connection: socket.socket) -> bytes:
    frames, said, loop = Frames(), b"", asyncio.get_running_loop()
    while data := await loop.sock_recv(connection, _PIECE_BYTES):
        for _, piece in frames.feed(data):
            said = (said + piece)[:_MOST_ERROR_BYTES]
    return said


def _fault(path: str, errors: bytes) -> RuntimeFault:
    said = errors.decode(errors="replace").strip()
    lowered = said.replace(path, "").lower()
    for part, kind, text in _FAULTS:
        if part in lowered:
            return kind(f"{path}: {text}")
    return FileUnsuitable(f"{path}: {said or 'it cannot be used'}")
