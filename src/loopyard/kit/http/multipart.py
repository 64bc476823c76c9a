"""Reads multipart bodies as they come, so that a file is never held, neither in memory nor on the server's disk."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import IO

from anyio import to_thread
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from loopyard.kit.errors import BadRequest

_BLOCK_BYTES = 1 << 20
_IN_MEMORY_BYTES = 1 << 20

MOST_SPOOLED_BYTES = 1 << 30
"""How large a file can be that comes before a field that is needed first: 1 GiB. One that comes last has no limit."""

_MOST_FIELD_BYTES = 64 * 1024
_MOST_HEADER_BYTES = 16 * 1024
_MOST_PARTS = 64


class Upload:
    """A form of text fields and one file.

    Fields that come before the file cost nothing. Where a field is asked for that comes after it, the file waits in a
    temporary file meanwhile.
    """

    def __init__(self, request: Request, file_field: str) -> None:
        """Raises BadRequest if the request is no multipart form."""
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise BadRequest("The request body must be multipart/form-data.", field="body")
        self._chunks = request.stream()
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_name_comes,
                "on_header_value": self._header_value_comes,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data_comes,
                "on_part_end": self._part_ends,
                "on_end": self._form_ends,
            },
        )
        self._file_field = file_field
        self._fields: dict[str, bytes] = {}
        self._parts = 0
        self._header_name, self._header_value = bytearray(), bytearray()
        self._disposition = b""
        self._name = ""
        self._text = bytearray()
        self._file_begun = False
        self._pieces: list[bytes] = []
        self._held = 0
        self._spooled: IO[bytes] | None = None
        self._spooled_bytes = 0
        self._whole = False

    async def field(self, name: str) -> str:
        """A text field, once all of it has come.

        Raises:
            BadRequest: There is none of this name, it is not text, or the form is not valid.
        """
        while name not in self._fields and await self._read():
            if self._held >= _BLOCK_BYTES:
                await self._spool()
        if name not in self._fields:
            raise BadRequest(f"{name}: Field required", field=name)
        try:
            return self._fields[name].decode()
        except UnicodeDecodeError:
            raise BadRequest(f"{name}: must be valid Unicode", field=name) from None

    async def file(self) -> AsyncIterator[bytes]:
        """The file's bytes as they come, in blocks of about a megabyte. Reading them raises BadRequest if the form
        turns out not to be valid.

        Raises:
            BadRequest: There is no file.
        """
        while not self._file_begun and await self._read():
            pass
        if not self._file_begun:
            raise BadRequest(f"{self._file_field}: Field required", field=self._file_field)
        return _one_ahead(self._blocks())

    async def _blocks(self) -> AsyncIterator[bytes]:
        if self._spooled is not None:
            with self._spooled as file:
                await to_thread.run_sync(file.seek, 0)
                while block := await to_thread.run_sync(file.read, _BLOCK_BYTES):
                    yield block
        more = True
        while more:
            more = await self._read()
            if self._held >= _BLOCK_BYTES or (self._held and not more):
                yield self._take()

    def _take(self) -> bytes:
        block = b"".join(self._pieces)
        self._pieces, self._held = [], 0
        return block

    async def _spool(self) -> None:
        if self._spooled is None:
            self._spooled = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115
        self._spooled_bytes += self._held
        if self._spooled_bytes > MOST_SPOOLED_BYTES:
            message = f"{self._file_field}: is too large to come before the other fields; send it last"
            raise BadRequest(message, field=self._file_field)
        await to_thread.run_sync(self._spooled.write, self._take())

    async def _read(self) -> bool:
        """Take in the next piece of the body; false once the form is whole."""
        if self._whole:
            return False
        try:
            chunk = await anext(self._chunks, b"")
            self._parser.write(chunk)
        except (MultipartParseError, ClientDisconnect) as error:
            raise BadRequest("The request body is not valid multipart/form-data.", field="body") from error
        if not chunk and not self._whole:
            raise BadRequest("The request body ends too early.", field="body")
        return True

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise BadRequest(f"The form has more than {_MOST_PARTS} parts.", field="body")
        self._disposition = b""
        self._text = bytearray()

    def _header_name_comes(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]
        self._check_header()

    def _header_value_comes(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._header_name) + len(self._header_value) > _MOST_HEADER_BYTES:
            raise BadRequest("A part of the form has a header that is too long.", field="body")

    def _header_ends(self) -> None:
        if bytes(self._header_name).lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header_name, self._header_value = bytearray(), bytearray()

    def _headers_end(self) -> None:
        self._name = parse_options_header(self._disposition)[1].get(b"name", b"").decode(errors="replace")
        if self._name == self._file_field:
            if self._file_begun:
                raise BadRequest(f"{self._name}: give one file", field=self._name)
            self._file_begun = True

    def _data_comes(self, data: bytes, start: int, end: int) -> None:
        if self._name == self._file_field:
            self._pieces.append(data[start:end])
            self._held += end - start
            return
        self._text += data[start:end]
        if len(self._text) > _MOST_FIELD_BYTES:
            raise BadRequest(f"{self._name}: is too long", field=self._name)

    def _part_ends(self) -> None:
        if self._name != self._file_field:
            self._fields[self._name] = bytes(self._text)

    def _form_ends(self) -> None:
        self._whole = True


async def _one_ahead(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same blocks, each read while the one before is being used."""

    async def read() -> bytes | None:
        return await anext(blocks, None)

    reading = asyncio.create_task(read())
    try:
        while (block := await reading) is not None:
            reading = asyncio.create_task(read())
            yield block
    finally:
        reading.cancel()
