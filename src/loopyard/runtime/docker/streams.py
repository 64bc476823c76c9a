"""Commands whose streams this process holds: carried between the engine's connection and sockets of its own."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from loopyard.runtime.docker import wrapper
from loopyard.runtime.docker.engine import Engine
from loopyard.runtime.docker.frames import STDERR, STDOUT, Frames
from loopyard.runtime.docker.wrapper import Whom
from loopyard.runtime.errors import CommandStartFailed, NotSupported, PortClosed
from loopyard.runtime.protocol import Terminal

_PIECE_BYTES = 1 << 18
_DRAIN_SECONDS = 0.3
_HANGUP = 1

_RELAY = """
import os, socket, sys, threading
for host in ("127.0.0.1", "::1"):
    try:
        peer = socket.create_connection((host, int(sys.argv[1])), 5)
        break
    except OSError:
        peer = None
if peer is None:
    sys.exit(os.write(1, b"-"))
peer.settimeout(None)
os.write(1, b"+")
def up():
    try:
        while data := os.read(0, 65536):
            peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
    except OSError:
        pass
threading.Thread(target=up, daemon=True).start()
while data := peer.recv(65536):
    while data:
        data = data[os.write(1, data):]
"""

Signal = Callable[[list[str]], Awaitable[object]]


class _Pump:
    """Carries what comes from the engine's connection to `outputs`, and what comes from `source` into it."""

    def __init__(
        self, connection: socket.socket, source: socket.socket, outputs: dict[int, socket.socket], *, terminal: bool
    ) -> None:
        self.connection = connection
        self.source = source
        self.outputs = outputs
        self.frames = None if terminal else Frames()
        self.input: asyncio.Task[None] | None = None

    def pieces(self, data: bytes) -> list[tuple[int, bytes]]:
        return [(STDOUT, data)] if self.frames is None else list(self.frames.feed(data))

    async def receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.connection, _PIECE_BYTES)

    async def give(self, pieces: list[tuple[int, bytes]]) -> None:
        loop = asyncio.get_running_loop()
        for number, piece in pieces:
            if piece and number in self.outputs:
                with contextlib.suppress(OSError):  # the caller has closed its end: let it go on unheard
                    await loop.sock_sendall(self.outputs[number], piece)

    async def carry_out(self) -> None:
        with contextlib.suppress(OSError):
            while data := await self.receive():
                await self.give(self.pieces(data))
        for output in self.outputs.values():
            with contextlib.suppress(OSError):
                output.shutdown(socket.SHUT_WR)

    async def carry_in(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(self.source, _PIECE_BYTES):
                await loop.sock_sendall(self.connection, data)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        if self.input is not None:
            self.input.cancel()
            await asyncio.gather(self.input, return_exceptions=True)
        for end in {self.connection, self.source, *self.outputs.values()}:
            end.close()


class DockerAttached:
    """See the protocol's `Attached`. Its descriptors are ends of sockets, also where there is a terminal."""

    def __init__(
        self,
        engine: Engine,
        exec_id: str,
        pid: int,
        signal: Signal,
        descriptors: tuple[int, int, int | None],
        pump: _Pump,
        early: list[tuple[int, bytes]],
    ) -> None:
        self.stdin, self.stdout, self.stderr = descriptors
        self._engine = engine
        self._exec_id = exec_id
        self._pid = pid
        self._signal = signal
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ended = asyncio.create_task(self._run(pump, early))

    async def _run(self, pump: _Pump, early: list[tuple[int, bytes]]) -> int:
        try:
            await pump.give(early)
            pump.input = asyncio.create_task(pump.carry_in())
            if self.stderr is None:
                pump.input.add_done_callback(self._hang_up)
            output = asyncio.create_task(pump.carry_out())
            status = await self._engine.exit_status(self._exec_id)
            await asyncio.wait({output}, timeout=_DRAIN_SECONDS)  # what it left running may hold them open
            output.cancel()
            return status
        finally:
            await pump.close()

    def _hang_up(self, task: asyncio.Task[None]) -> None:
        """The caller has closed the terminal."""
        if not task.cancelled():
            self.signal(_HANGUP)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        whom: Whom = "foreground" if self.stderr is None else "group"
        self._later(self._signal(wrapper.signalling(self._pid, number, whom)))

    def resize(self, rows: int, columns: int) -> None:
        if self.stderr is None:
            self._later(self._engine.ask("POST", f"exec/{self._exec_id}/resize?h={rows}&w={columns}"))

    def _later(self, work: Awaitable[object]) -> None:
        async def run() -> None:
            with contextlib.suppress(Exception):  # it has ended meanwhile
                await work

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def attach(
    engine: Engine, exec_id: str, connection: socket.socket, terminal: Terminal | None, signal: Signal
) -> DockerAttached:
    """Take over a command that was started in the wrapper.

    Raises:
        CommandStartFailed: The engine could not start it.
    """
    ours, theirs = _pair()
    outputs, ends = {STDOUT: ours}, [theirs]
    if terminal is None:
        for number in (STDOUT, STDERR):
            outputs[number], end = _pair()
            ends.append(end)
    pump = _Pump(connection, ours, outputs, terminal=terminal is not None)
    try:
        pid, early = await _first_line(pump)
        if terminal is not None:
            await engine.ask("POST", f"exec/{exec_id}/resize?h={terminal.rows}&w={terminal.columns}")
    except BaseException:
        for end in ends:
            end.close()
        await pump.close()
        raise
    held = [end.detach() for end in ends]
    descriptors = (held[0], held[0], None) if terminal is not None else (held[0], held[1], held[2])
    return DockerAttached(engine, exec_id, pid, signal, descriptors, pump, early)


async def _first_line(pump: _Pump) -> tuple[int, list[tuple[int, bytes]]]:
    """The command's process id inside, and what came after it already."""
    said = {STDOUT: b"", STDERR: b""}
    while True:
        data = await pump.receive()
        for number, piece in pump.pieces(data):
            said[number] += piece
        try:
            line = wrapper.first_line(said[STDOUT])
        except ValueError as error:
            raise CommandStartFailed(f"The engine could not start the command: {error}") from error
        if line is not None:
            return line[0], [(STDOUT, line[1]), (STDERR, said[STDERR])]
        if not data:
            raise CommandStartFailed("The engine could not start the command: it hung up.")


_relays: set[asyncio.Task[None]] = set()


async def connect(engine: Engine, container: str, port: int) -> socket.socket:
    """A connection to a port of a container's loopback address, by a relay that runs in it.

    Raises:
        PortClosed: Nothing listens there.
        NotSupported: The image has no python3 to run the relay.
    """
    argv = ["python3", "-I", "-c", _RELAY, str(port)]
    _, connection = await engine.execute(container, argv, user="65534", stdin=True)
    ours, theirs = _pair()
    pump = _Pump(connection, ours, {STDOUT: ours}, terminal=False)
    try:
        said = await _first_byte(pump)
        _check(said, port)
    except BaseException:
        theirs.close()
        await pump.close()
        raise

    async def run() -> None:
        try:
            await pump.give([(STDOUT, said[1:])])
            pump.input = asyncio.create_task(pump.carry_in())
            await pump.carry_out()
        finally:
            await pump.close()

    task = asyncio.create_task(run())
    _relays.add(task)
    task.add_done_callback(_relays.discard)
    return theirs


def _check(said: bytes, port: int) -> None:
    if said[:1] == b"-":
        raise PortClosed(f"Nothing listens on port {port}.")
    if said[:1] != b"+":
        raise NotSupported(f"A connection needs python3 in the sandbox's image: {said.decode(errors='replace')}")


async def _first_byte(pump: _Pump) -> bytes:
    said = b""
    while not said and (data := await pump.receive()):
        said = b"".join(piece for _, piece in pump.pieces(data))
    return said


def _pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs
