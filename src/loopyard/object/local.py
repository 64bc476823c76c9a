"""Objects' contents as files of the data folder, up- and downloaded at this server's own signed URLs."""

import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import anyio
from anyio import to_thread

from loopyard.auth.acting import acting_key
from loopyard.kit.errors import TooLarge, Unavailable
from loopyard.kit.host.failpoint import failpoint
from loopyard.object.signing import Action, Signer
from loopyard.object.store import ContentMissing, Download

CONTENT_PATH = "/object-content/"
"""Where this server takes and gives contents: `{CONTENT_PATH}{id}?action=…&expires=…&key=…&signature=…`."""

BLOCK_BYTES = 1 << 20


class LocalStore:
    """A folder of files by id. A file is complete and on the disk before it has its name."""

    shared = False

    def __init__(self, folder: Path, signer: Signer, max_bytes: int) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._uploaded = folder / "uploaded"
        self._final = folder / "final"
        self.signer = signer
        self._max_bytes = max_bytes

    async def open(self) -> None:
        await to_thread.run_sync(self._prepare)

    def _prepare(self) -> None:
        for folder in (self._folder, self._incoming, self._uploaded, self._final):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._incoming.iterdir():
            left.unlink()
        self.signer.load()

    async def upload_url(self, object_id: str, base_url: str, seconds: int) -> str:
        return self._url("upload", object_id, base_url, seconds)

    async def download_url(self, download: Download, base_url: str, seconds: int) -> str:
        return self._url("download", download.object_id, base_url, seconds)

    def _url(self, action: Action, object_id: str, base_url: str, seconds: int) -> str:
        expires = int(time.time()) + seconds
        made_by = acting_key()
        query = {"action": action, "expires": expires, **({} if made_by is None else {"key": made_by})}
        query["signature"] = self.signer.sign(action, object_id, expires, made_by)
        return f"{base_url}{CONTENT_PATH}{object_id}?{urlencode(query)}"

    def check_size(self, announced: str | None) -> None:
        """Raises TooLarge if the length that a request announces is more than an object may have."""
        if announced is not None and announced.isdecimal():
            self._check(int(announced))

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise TooLarge(f"An object may have at most {self._max_bytes} bytes.", field="body")

    async def receive(self, object_id: str, chunks: AsyncIterable[bytes]) -> Path:
        """Take in a content. It is kept aside, whole and on the disk; `put` gives it its place, `discard` drops it.

        Raises:
            TooLarge: It has more bytes than an object may have.
            Unavailable: The disk is full.
        """
        path = self._incoming / f"{object_id}.{secrets.token_hex(8)}"
        try:
            async with await anyio.open_file(path, "wb") as file:
                size = 0
                async for block in _blocks(chunks):
                    size += len(block)
                    self._check(size)
                    await file.write(block)
                await file.flush()
                await to_thread.run_sync(os.fsync, file.wrapped.fileno())
        except OSError as error:
            self.discard(path)
            raise Unavailable(f"The object could not be stored: {error.strerror}.") from error
        except BaseException:
            self.discard(path)
            raise
        failpoint("object.received")
        return path

    def put(self, object_id: str, path: Path) -> None:
        """Make what `receive` kept the uploaded content."""
        path.replace(self._uploaded / object_id)
        _sync(self._uploaded)

    def discard(self, path: Path) -> None:
        """Drop what `receive` kept."""
        path.unlink(missing_ok=True)

    async def seal(self, object_id: str) -> int:
        return await to_thread.run_sync(self._seal, object_id)

    def _seal(self, object_id: str) -> int:
        final = self._final / object_id
        with contextlib.suppress(FileNotFoundError):
            (self._uploaded / object_id).replace(final)
            _sync(self._final)
        try:
            return final.stat().st_size
        except FileNotFoundError:
            raise ContentMissing(object_id) from None

    def path(self, object_id: str) -> Path:
        """The file with the final content.

        Raises:
            ContentMissing: There is none.
        """
        path = self._final / object_id
        if not path.is_file():
            raise ContentMissing(object_id)
        return path

    async def read(self, object_id: str) -> AsyncIterator[bytes]:
        async with await anyio.open_file(self.path(object_id), "rb") as file:
            while block := await file.read(BLOCK_BYTES):
                yield block

    def local_file(self, object_id: str) -> Path:
        return self.path(object_id)

    async def contents(self) -> AsyncIterator[str]:
        for folder in (self._uploaded, self._final):
            for name in await to_thread.run_sync(os.listdir, folder):
                yield name

    async def delete(self, object_id: str) -> None:
        for folder in (self._uploaded, self._final):
            await to_thread.run_sync(self.discard, folder / object_id)


async def _blocks(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in blocks of about a megabyte: each costs a hop to a thread."""
    pieces: list[bytes] = []
    held = 0
    async for chunk in chunks:
        pieces.append(chunk)
        held += len(chunk)
        if held >= BLOCK_BYTES:
            yield b"".join(pieces)
            pieces, held = [], 0
    if held:
        yield b"".join(pieces)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
