"""The server's end of the launcher."""

import asyncio
import itertools
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from loopyard.kit.host.linux import KILLED
from loopyard.runtime.crun.launcher.messages import MESSAGE_BYTES, MessageCut, MessageTooLong, receive, send
from loopyard.runtime.crun.launcher.place import Place
from loopyard.runtime.crun.launcher.requests import OTHER_VERSION, VERSION, A, Request, fields_of
from loopyard.runtime.errors import RuntimeFault, RuntimeUnavailable

log = logging.getLogger("loopyard.runtime.launcher")

_START_SECONDS = 60
_FULL_PAUSE = 0.002
_REVIVAL_PAUSE, _LONGEST_REVIVAL_PAUSE = 0.1, 10.0


class LauncherFault(RuntimeFault):
    """The launcher could not do what it was asked; the message says why."""


class LauncherLost(LauncherFault):
    """The launcher, or its child that was to act, was killed. The act may have been done, in part or not at all."""


@dataclass(frozen=True, slots=True)
class Reply(Generic[A]):
    """Answer to a request, descriptors that came with it, and the exit status to come of what goes on after it."""

    answer: A
    descriptors: list[int]
    ended: asyncio.Future[int]


@dataclass(frozen=True, slots=True)
class _PendingRequest:
    """Waiting caller: the answer to a request, and the end of the child that works on it."""

    answer: asyncio.Future[dict[str, Any]]
    ended: asyncio.Future[int]


class LauncherClient:
    """Asks the launcher, and waits for its answers. Starts it anew if somebody kills it."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._numbers = itertools.count(1)
        self._waiting: dict[int, _PendingRequest] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._watch: int | None = None
        """A descriptor of its process."""
        self._starting = asyncio.Lock()
        self._reviving: asyncio.Task[None] | None = None
        self.generation = 0
        """How often it was started. What a launcher made ready is gone with it."""
        self.disk_limits = False
        """True if the sandboxes' disk has limits."""

    async def start(self) -> None:
        """Start the launcher.

        Raises:
            RuntimeUnavailable: It cannot work on this host.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        command = (
            sys.executable,
            "-m",
            "loopyard.runtime.crun.launcher",
            str(theirs.fileno()),
            json.dumps(self._place),
        )
        # A session of its own: Ctrl-C at the terminal must not reach what runs in sandboxes.
        self._process = await asyncio.to_thread(
            subprocess.Popen, command, pass_fds=(theirs.fileno(),), start_new_session=True, stdin=subprocess.DEVNULL
        )
        theirs.close()
        try:
            async with asyncio.timeout(_START_SECONDS):
                hello: dict[str, Any] = json.loads(
                    await asyncio.get_running_loop().sock_recv(ours, MESSAGE_BYTES) or b"{}"
                )
        except TimeoutError:
            hello = {}
        if hello.get("version", VERSION) != VERSION:
            ours.close()
            raise RuntimeUnavailable(f"The launcher did not start: {OTHER_VERSION}")
        if "disk_limits" not in hello:
            ours.close()
            raise RuntimeUnavailable(f"The launcher did not start: {hello.get('error', 'see the messages above')}")
        self.disk_limits = hello["disk_limits"]
        if self._place["kept_for"] is not None and not hello["keeps_room"]:
            log.warning(
                "the host has no room to reserve for the sandboxes' disk %s: should its disk get full, that one breaks",
                self._place["pool_image"],
            )
        self.generation += 1
        self._socket = ours
        loop = asyncio.get_running_loop()
        loop.add_reader(ours.fileno(), self._receive)
        self._watch = os.pidfd_open(self._process.pid)
        loop.add_reader(self._watch, self._ended)

    async def close(self) -> None:
        """Let the launcher end; what it started goes on."""
        if self._reviving is not None:
            self._reviving.cancel()
            await asyncio.wait({self._reviving})
        self._hang_up()
        self._fail_all("the server is ending")
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)

    async def ask(self, request: Request[A]) -> A:
        """Have the launcher do something.

        Raises:
            LauncherFault: It failed; the message says why.
        """
        return (await self.begin(request)).answer

    async def begin(self, request: Request[A], descriptors: Sequence[int] = ()) -> Reply[A]:
        """Have the launcher do something that may go on after its answer, with some descriptors.

        Raises:
            LauncherLost: Somebody was killed, so it is not known whether it was done.
            LauncherFault: It failed; the message says why.
        """
        try:
            await self._revive()
        except RuntimeUnavailable as error:
            raise LauncherFault(f"the launcher was killed: {error}") from error
        number = next(self._numbers)
        loop = asyncio.get_running_loop()
        waiting = _PendingRequest(loop.create_future(), loop.create_future())
        self._waiting[number] = waiting
        try:
            await self._send({"number": number, "act": request.act, "arguments": fields_of(request)}, descriptors)
        except (LauncherFault, MessageTooLong) as error:
            self._waiting.pop(number, None)
            if isinstance(error, MessageTooLong):
                raise LauncherFault(str(error)) from error
            raise
        answer = await waiting.answer
        if "error" in answer:
            raise (LauncherLost if answer.get("lost") else LauncherFault)(answer["error"])
        received: list[int] = answer.pop("descriptors")
        del answer["number"]
        return Reply(request.answer(**answer), received, waiting.ended)

    async def _send(self, message: dict[str, Any], descriptors: Sequence[int]) -> None:
        while self._socket is not None:
            try:
                send(self._socket, message, descriptors)
            except BlockingIOError:
                await asyncio.sleep(_FULL_PAUSE)
            except OSError as error:
                raise LauncherLost(f"the launcher is gone: {error}") from error
            else:
                return
        raise LauncherLost("the launcher is gone")

    async def attempt(self, request: Request[Any]) -> str | None:
        """Have the launcher do something. Returns what went wrong, or None."""
        try:
            await self.ask(request)
        except LauncherFault as fault:
            return str(fault)
        return None

    def _receive(self) -> None:
        while self._socket is not None:
            try:
                message, descriptors = receive(self._socket)
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = None, []
            except ValueError as error:
                log.exception("an answer of the launcher is not understood")
                if isinstance(error, MessageCut) and error.number is not None:
                    self._deliver({"number": error.number, "error": str(error)}, [])
                continue
            if message is None:
                self._died()
                return
            self._deliver(message, descriptors)

    def _died(self) -> None:
        """The launcher is no more. Its workers may have the other end of the socket still, so that alone does not
        tell."""
        self._lost()
        if self._reviving is None or self._reviving.done():
            self._reviving = asyncio.create_task(self._revive_soon())

    def _ended(self) -> None:
        """The launcher's process has ended; what is there of its answers counts."""
        self._receive()
        if self._socket is not None:
            self._died()

    def _deliver(self, answer: dict[str, Any], descriptors: list[int]) -> None:
        waiting = self._waiting.get(answer["number"])
        if waiting is None or (waiting.answer.done() and "ended" not in answer):
            for descriptor in descriptors:
                os.close(descriptor)
            return
        if "ended" in answer:
            del self._waiting[answer["number"]]
            if not waiting.ended.done():
                waiting.ended.set_result(answer["ended"])
            answer["error"] = f"the launcher's child ended with {answer['ended']} before its work was done"
            answer["lost"] = True
        if not waiting.answer.done():
            waiting.answer.set_result({**answer, "descriptors": descriptors})

    def _lost(self) -> None:
        self._hang_up()
        self._fail_all("the launcher was killed")

    def _hang_up(self) -> None:
        loop = asyncio.get_running_loop()
        if self._socket is not None:
            loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        if self._watch is not None:
            loop.remove_reader(self._watch)
            os.close(self._watch)
            self._watch = None

    def _fail_all(self, reason: str) -> None:
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_result({"error": reason, "lost": True})
            if not waiting.ended.done():
                waiting.ended.set_result(KILLED)
        self._waiting.clear()

    async def _revive_soon(self) -> None:
        """Whoever asks next should find it there. One that does not stay must not keep this busy: hence the pauses."""
        pause = _REVIVAL_PAUSE
        while True:
            await asyncio.sleep(pause)
            try:
                await self._revive()
            except RuntimeUnavailable as error:
                log.warning("the launcher was killed, and does not start: %s", error)
                pause = min(2 * pause, _LONGEST_REVIVAL_PAUSE)
            else:
                return

    async def _revive(self) -> None:
        async with self._starting:
            if self._socket is not None and self._process is not None and self._process.poll() is None:
                return
            self._lost()
            await self.start()
