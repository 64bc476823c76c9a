"""Questions and answers between the server and its proxy process: JSON, one message a line, over a socket pair."""

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

log = logging.getLogger("loopyard.gateway")

LINE_BYTES = 1 << 24
"""The longest message: 16 MiB."""

Message = dict[str, Any]
Answerer = Callable[[Message], Awaitable[Message]]


class ChannelClosed(Exception):
    """The other end is gone."""


class Channel:
    """End of a channel. Both ends may ask and tell; requests that arrive here are answered by `answerer`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answerer: Answerer) -> None:
        self._reader = reader
        self._writer = writer
        self._answerer = answerer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._closed = False

    async def ask(self, message: Message) -> Message:
        """The other end's answer.

        Raises:
            ChannelClosed.
        """
        if self._closed:
            raise ChannelClosed
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"ask": number, "message": message})
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def _send(self, message: Message) -> None:
        try:
            self._writer.write(json.dumps(message).encode() + b"\n")
            await self._writer.drain()
        except (OSError, RuntimeError) as error:
            raise ChannelClosed from error

    async def run(self) -> None:
        """Take messages until the other end is gone."""
        try:
            while line := await self._reader.readline():
                message: Message = json.loads(line)
                if "answer" in message:
                    waiting = self._waiting.get(message["answer"])
                    if waiting is not None and not waiting.done():
                        waiting.set_result(message["message"])
                else:
                    task = asyncio.create_task(self._answer(message["ask"], message["message"]))
                    self._answering.add(task)
                    task.add_done_callback(self._answering.discard)
        except OSError:
            pass
        finally:
            self.close()

    async def _answer(self, number: int, message: Message) -> None:
        try:
            answer = await self._answerer(message)
        except Exception as error:
            log.exception("a message between the server and its gateway could not be answered")
            answer = {"fault": repr(error)}
        with contextlib.suppress(ChannelClosed):
            await self._send({"answer": number, "message": answer})

    def close(self) -> None:
        self._closed = True
        self._writer.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ChannelClosed())
