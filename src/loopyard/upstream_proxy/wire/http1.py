"""A connection to an upstream by HTTP/1.1."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import h11

from loopyard.upstream_proxy.hop import Field
from loopyard.upstream_proxy.wire.errors import UpstreamFault
from loopyard.upstream_proxy.wire.message import CHUNK_BYTES, HEAD_BYTES, AnswerHead, RequestHead


class Http1Connection:
    """See `UpstreamConnection`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer_seconds: float) -> None:
        self._reader = reader
        self._writer = writer
        self._answer_seconds = answer_seconds
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        self.reused = False
        self.trailers: list[Field] = []

    async def send_head(self, head: RequestHead) -> None:
        fields = [("Host", head.authority), *head.fields]
        if head.has_body and not any(name.lower() == "content-length" for name, _ in fields):
            fields.append(("Transfer-Encoding", "chunked"))
        if head.upgrade is not None:
            fields += [("Connection", "Upgrade"), ("Upgrade", head.upgrade)]
        request = h11.Request(
            method=head.method,
            target=head.target.encode("latin-1"),
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields],
        )
        await self._write(self._http.send(request))

    async def send(self, chunk: bytes) -> None:
        if self._http.our_state is h11.SWITCHED_PROTOCOL:
            await self._write(chunk)
        else:
            await self._write(self._http.send(h11.Data(data=chunk)))

    async def send_end(self, trailers: list[Field]) -> None:
        if self._http.our_state is h11.SWITCHED_PROTOCOL:
            with contextlib.suppress(OSError, RuntimeError):
                self._writer.write_eof()
            return
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in trailers]
        await self._write(self._http.send(h11.EndOfMessage(headers=fields)))

    async def _write(self, data: bytes | None) -> None:
        if data:
            self._writer.write(data)
            await self._writer.drain()

    async def answer(self) -> AnswerHead:
        event = await self._next()
        while isinstance(event, h11.InformationalResponse) and event.status_code != 101:
            event = await self._next()
        if not isinstance(event, (h11.Response, h11.InformationalResponse)):
            raise UpstreamFault("The upstream hung up before it answered.")
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers.raw_items()]
        upgraded = isinstance(event, h11.InformationalResponse)
        return AnswerHead(event.status_code, event.reason.decode("latin-1"), fields, upgraded)

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._http.their_state is h11.SWITCHED_PROTOCOL:
            if first := self._http.trailing_data[0]:
                yield first
            while chunk := await self._read():
                yield chunk
            return
        while True:
            event = await self._next()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                names = event.headers.raw_items()
                self.trailers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in names]
                return
            else:
                raise UpstreamFault("The upstream hung up before its answer was whole.")

    async def _next(self) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self._read())
        except h11.RemoteProtocolError as error:
            hung_up = self._http.their_state is h11.ERROR and self._reader.at_eof()
            said = "hung up before its answer was whole" if hung_up else f"does not speak HTTP: {error}"
            raise UpstreamFault(f"The upstream {said}.") from error
        return event

    async def _read(self) -> bytes:
        try:
            async with asyncio.timeout(self._answer_seconds):
                return await self._reader.read(CHUNK_BYTES)
        except TimeoutError as error:
            raise UpstreamFault(f"The upstream said nothing for {self._answer_seconds:g} s.", timed_out=True) from error
        except OSError as error:
            raise UpstreamFault(f"The upstream hung up: {error.strerror or error}.") from error

    @property
    def reusable(self) -> bool:
        return (
            self._http.our_state is h11.DONE
            and self._http.their_state is h11.DONE
            and not self._http.trailing_data[0]
            and self._is_open()
        )

    def begin(self) -> bool:
        if not self.reusable:
            return False
        self._http.start_next_cycle()
        self.reused, self.trailers = True, []
        return True

    def _is_open(self) -> bool:
        # Whatever an upstream says without being asked is no answer to the next request.
        return not (self._reader.at_eof() or self._writer.is_closing() or self._reader._buffer)  # type: ignore[attr-defined]

    def close(self) -> None:
        self._writer.transport.abort()
