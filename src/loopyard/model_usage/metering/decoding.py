"""Takes the content encodings of an answer off, piece by piece, in bounded memory."""

import sys
import zlib
from collections.abc import Iterator
from typing import Any, Protocol, cast

import brotli  # pyright: ignore[reportMissingTypeStubs]

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE_BYTES = 64 * 1024
"""At most so much comes out in one piece."""

FREE_BYTES = 4 * 1024**2
MOST_GROWTH = 200
"""An answer may have `FREE_BYTES` and `MOST_GROWTH` times as many bytes decoded as it has encoded; text has 5 to 50."""

_brotli = cast("Any", brotli)
_MOST_CODINGS = 3
_ZSTD_WINDOW_LOG = 23
"""8 MiB: the most that zstd may ask for in HTTP (RFC 9659)."""


class Undecodable(Exception):
    """The answer is not encoded as it says, or in a way that is not known, or grows beyond measure."""


class _Decoder(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]: ...


class Decoder:
    """Decodes one body. After an `Undecodable` there is nothing more to be had of it."""

    def __init__(self, content_encoding: str) -> None:
        """Take the header's value, such as `gzip` or `deflate, br`; empty for none.

        Raises:
            Undecodable: It names an unknown coding.
        """
        names = [name.strip().lower() for name in content_encoding.split(",")]
        names = [name for name in names if name and name != "identity"]
        if len(names) > _MOST_CODINGS:
            raise Undecodable(f"it is encoded {len(names)} times")
        self._decoders = [_decoder(name) for name in reversed(names)]
        self._encoded = self._decoded = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decode bytes, in pieces of at most `PIECE_BYTES`; of any size where nothing is encoded.

        Raises:
            Undecodable: They cannot be decoded.
        """
        if not self._decoders:
            yield data
            return
        self._encoded += len(data)
        for piece in self._through(data, 0):
            self._decoded += len(piece)
            if self._decoded > FREE_BYTES + MOST_GROWTH * self._encoded:
                raise Undecodable("it grows too much when it is decoded")
            yield piece

    def _through(self, data: bytes, index: int) -> Iterator[bytes]:
        for piece in self._decoders[index].feed(data):
            if index + 1 == len(self._decoders):
                yield piece
            else:
                yield from self._through(piece, index + 1)


def _decoder(name: str) -> _Decoder:
    match name:
        case "gzip" | "x-gzip":
            return _Gzip()
        case "deflate":
            return _Deflate()
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
        case _:
            raise Undecodable("its content encoding is not known")


def _inflate(inflater: Any, data: bytes) -> Iterator[bytes]:
    try:
        while True:
            piece = inflater.decompress(data, PIECE_BYTES)
            data = inflater.unconsumed_tail
            if piece:
                yield piece
            if inflater.eof or (not data and len(piece) < PIECE_BYTES):
                return
    except zlib.error as error:
        raise Undecodable("its encoding is broken") from error


class _Gzip:
    """Members of gzip, one after the other."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inflater.eof:
                self._inflater = zlib.decompressobj(wbits=31)
            yield from _inflate(self._inflater, data)
            data = self._inflater.unused_data


class _Deflate:
    """RFC 1950 as HTTP wants it, or RFC 1951 as some send it: the first two bytes tell."""

    def __init__(self) -> None:
        self._start = b""
        self._inflater: Any = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._inflater is None:
            data = self._start + data
            if len(data) < 2:
                self._start = data
                return
            wrapped = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._inflater = zlib.decompressobj(wbits=15 if wrapped else -15)
        if not self._inflater.eof:
            yield from _inflate(self._inflater, data)


class _Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        self._decompressor: Any = _brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while not self._decompressor.is_finished():
                piece: bytes = self._decompressor.process(data, output_buffer_limit=PIECE_BYTES)
                # The limit is where the decoder stops to make room, so a piece may be somewhat larger.
                yield from (piece[at : at + PIECE_BYTES] for at in range(0, len(piece), PIECE_BYTES))
                data = b""
                if self._decompressor.can_accept_more_data():
                    return
        except _brotli.error as error:
            raise Undecodable("its encoding is broken") from error


class _Zstd:
    """Frames of zstd (RFC 8878), one after the other."""

    def __init__(self) -> None:
        self._decompressor = self._new()

    @staticmethod
    def _new() -> zstd.ZstdDecompressor:
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while True:
                if self._decompressor.eof:
                    data = self._decompressor.unused_data + data
                    if not data:
                        return
                    self._decompressor = self._new()
                piece = self._decompressor.decompress(data, PIECE_BYTES)
                data = b""
                if piece:
                    yield piece
                if self._decompressor.needs_input:
                    return
        except zstd.ZstdError as error:
            raise Undecodable("its encoding is broken") from error
