"""Keeps one command: a process on the host that takes its output to files, ends it in time, and writes how it ended.

It is a process by itself, so that the command needs no server; and it is on the host, so that a sandbox can neither
forge nor flood what is kept of it. `python -m loopyard.runtime.docker.keeper FOLDER LIVE` starts one: it prints `ok`
once the command runs, else why not, and goes on in the background. A `KeeperOrder` comes by standard input, in JSON;
the folder gets `stdout`, `stderr` and in the end `result.json`, the live one `supervisor.json`, `exec` and `pid`.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from loopyard.kit.host.full_disk import is_full
from loopyard.kit.host.linux import KILLED
from loopyard.runtime.commands.claim import claim, described, use
from loopyard.runtime.docker import wrapper
from loopyard.runtime.docker.calls import Refused, ask, start
from loopyard.runtime.docker.frames import STDERR, STDOUT, Frames
from loopyard.runtime.layout import write_whole
from loopyard.runtime.proc import start_ticks

_PIECE_BYTES = 1 << 20
_PAUSED_SECONDS = 300
_FULL_PAUSE_SECONDS = 0.1
_QUIET_SECONDS, _REST_SECONDS = 1.0, 10.0
"""How long the streams of a command that has ended are silent before they count as held open, and how long at most the
end of its output is awaited."""
_FIRST_LOOK, _LONGEST_LOOK = 0.01, 1.0
"""How often the engine is asked whether the command has ended: some leave processes that hold its streams open."""


class KeeperOrder(TypedDict):
    """Order to a keeper. `command` is the body of the engine's request that makes the command."""

    engine: str
    container: str
    command: dict[str, Any]
    stdin: bool
    timeout_seconds: float | None
    most_bytes: int
    pids: int


@dataclass
class _Output:
    """A file that takes a stream. What comes past `most` bytes is thrown away. `lost`, and the file `mark` to others,
    tell that the disk took no more."""

    path: Path
    most: int
    written: int = 0
    mark: Path = field(kw_only=True)
    lost: bool = False
    _file: int = -1

    def take(self, piece: bytes) -> None:
        """Keep a piece.

        Raises:
            OSError: The file is broken in another way than that the disk is full.
        """
        view = memoryview(piece)[: self.most - self.written]
        while view:
            try:
                if self._file < 0:
                    self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                count = os.write(self._file, view)
            except OSError as error:  # the command must not hang for a full disk
                if not is_full(error):
                    raise
                self.most = self.written
                self.lost = True
                with contextlib.suppress(OSError):  # the command has ended, and its result tells
                    self.mark.touch()
                return
            self.written += count
            view = view[count:]


class _Keeper:
    def __init__(self, folder: Path, live: Path, told: KeeperOrder, claimed: int) -> None:
        self.folder = folder
        self.live = live
        self.told = told
        self.claimed = claimed
        self.exec_id = ""
        self.timed_out = False
        self.frames = Frames()
        self.outputs = {
            number: _Output(folder / name, told["most_bytes"], mark=live / f"{name}.lost")
            for number, name in ((STDOUT, "stdout"), (STDERR, "stderr"))
        }
        self.pid = -1
        self.room = 0
        self.result: dict[str, Any] = {}

    def begin(self) -> socket.socket:
        """Start the command; returns the connection that carries its streams, of which the first line was read.

        Raises:
            Refused: The engine did not.
        """
        self.exec_id = self._make()
        (self.live / "exec").write_text(self.exec_id)
        me = os.getpid()
        use(self.claimed, described(me, start_ticks(me)))
        connection = start(self.told["engine"], self.exec_id, terminal=False)
        said = b""
        while (line := self._first_line(said)) is None:
            data = connection.recv(_PIECE_BYTES)
            if not data:
                raise Refused(500, said.decode(errors="replace").strip() or "the engine hung up")
            for number, piece in self.frames.feed(data):
                if number == STDOUT:
                    said += piece
                else:
                    self.outputs[number].take(piece)
        self.pid, rest = line
        self.outputs[STDOUT].take(rest)
        _write(self.live / "pid", str(self.pid))
        return connection

    def _make(self) -> str:
        deadline = time.monotonic() + _PAUSED_SECONDS
        while True:
            try:
                made = ask(
                    self.told["engine"], "POST", f"containers/{self.told['container']}/exec", self.told["command"]
                )
            except Refused as refusal:
                # A snapshot is being taken: the engine lets nothing in meanwhile.
                if not refusal.is_paused or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return made["Id"]

    def _first_line(self, said: bytes) -> tuple[int, bytes] | None:
        try:
            return wrapper.first_line(said)
        except ValueError as error:
            raise Refused(500, str(error)) from error

    def watch(self, connection: socket.socket) -> tuple[int, bool]:
        """Carry the streams until the command has ended; returns its exit status, and whether its streams are open
        still."""
        connection.setblocking(False)
        stdin = _Stdin(self.live / "stdin", connection) if self.told["stdin"] else None
        if stdin is None:
            connection.shutdown(socket.SHUT_WR)
        seconds = self.told["timeout_seconds"]
        deadline = None if seconds is None else time.monotonic() + seconds
        pause, is_open = _FIRST_LOOK, True
        next_look = time.monotonic() + pause
        while True:
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                deadline = self._time_out(now)
            if now >= next_look:
                if (status := self._status()) is not None:
                    break
                pause = min(pause * 2, _LONGEST_LOOK if is_open else 0.1)
                next_look = time.monotonic() + pause
            poll = select.poll()
            if is_open:
                poll.register(connection, select.POLLIN | (select.POLLOUT if stdin and stdin.waiting else 0))
            if stdin is not None and not stdin.waiting:
                poll.register(stdin.pipe, select.POLLIN)
            until = next_look if deadline is None else min(next_look, deadline)
            ready = dict(poll.poll(max(0.0, until - time.monotonic()) * 1000 + 1))
            streams = ready.get(connection.fileno(), 0)
            if stdin is not None and (stdin.pipe in ready or streams & select.POLLOUT) and not stdin.carry():
                stdin = None
            if streams & ~select.POLLOUT:
                is_open = self.carry(connection)
                if not is_open:
                    pause, next_look = _FIRST_LOOK, 0.0
        return status, is_open and self._carry_rest(connection)

    def _carry_rest(self, connection: socket.socket) -> bool:
        """Take the end of the output: the engine tells of a command's end before it has passed that on. False at the
        end of the streams; true if something that the command has left holds them open."""
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        deadline = time.monotonic() + _REST_SECONDS
        while time.monotonic() < deadline and poll.poll(_QUIET_SECONDS * 1000):
            if not self.carry(connection):
                return False
        return True

    def carry(self, connection: socket.socket) -> bool:
        """Take what has come. False at the end of the streams.

        Raises:
            BlockingIOError: Nothing has.
        """
        try:
            data = connection.recv(_PIECE_BYTES)
        except ConnectionError:
            return False
        for number, piece in self.frames.feed(data):
            if number in self.outputs:
                self.outputs[number].take(piece)
        return bool(data)

    def _status(self) -> int | None:
        """How it ended; None while it runs."""
        try:
            state = ask(self.told["engine"], "GET", f"exec/{self.exec_id}/json")
        except (Refused, OSError):  # the sandbox is gone with all that ran in it, or the engine is
            return KILLED
        if state["Running"] or state["ExitCode"] is None:
            return None
        return int(state["ExitCode"]) & 0xFF

    def _time_out(self, now: float) -> float:
        """Kill the command's group. Returns when to try again, as a full sandbox may not take even that in."""
        self.timed_out = True
        command = {"User": "0", "Cmd": wrapper.signalling(self.pid, signal.SIGKILL, "group")}
        try:
            made = ask(self.told["engine"], "POST", f"containers/{self.told['container']}/exec", command)
            ask(self.told["engine"], "POST", f"exec/{made['Id']}/start", {"Detach": True})
            self._set_room(0)
        except (Refused, OSError):
            self._set_room(16)
            return now + 0.1
        return now + 1

    def _set_room(self, room: int) -> None:
        """Let the sandbox have so many processes past its limit."""
        if room != self.room:
            self.room = min(room + self.room, 256) if room else 0
            with contextlib.suppress(Refused, OSError):
                limit = {"PidsLimit": self.told["pids"] + self.room}
                ask(self.told["engine"], "POST", f"containers/{self.told['container']}/update", limit)

    def finish(self, status: int) -> None:
        """Write the result, complete or not at all. Where the disk is full, though its room was taken beforehand, the
        command counts as running until there is room."""
        self.result = {"exit_status": status, "timed_out": self.timed_out and status == KILLED, "lost": False}
        self.note_result()
        shutil.rmtree(self.live, ignore_errors=True)

    def note_result(self) -> None:
        """Write the result with what is lost of the output, once there is room for it."""
        truncated = [output.path.name for output in self.outputs.values() if output.lost]
        while self.folder.exists():
            try:
                write_whole(self.folder / "result.json", {**self.result, "truncated": truncated})
            except OSError as error:
                if not is_full(error):
                    raise
                time.sleep(_FULL_PAUSE_SECONDS)
            else:
                return


class _Stdin:
    """The named pipe that the server writes to. It stays open until SIGUSR1 says that no more comes."""

    def __init__(self, path: Path, connection: socket.socket) -> None:
        self._connection = connection
        self.pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._hold: int | None = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        self.waiting = b""
        """Input that the command has not taken yet."""
        signal.signal(signal.SIGUSR1, self._close)

    def _close(self, _number: int, _frame: object) -> None:
        if self._hold is not None:
            os.close(self._hold)
            self._hold = None

    def carry(self) -> bool:
        """Pass on what has come. False at the end, or where nobody reads."""
        try:
            if not self.waiting:
                self.waiting = os.read(self.pipe, 1 << 16)
                if not self.waiting:
                    self._connection.shutdown(socket.SHUT_WR)
                    return False
            self.waiting = self.waiting[self._connection.send(self.waiting) :]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


def _write(path: Path, content: str) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(content)
    temporary.rename(path)


def _close_all_but(kept: int) -> None:
    """Close what this process inherited: who started it waits for the end of its output, and may have left it under
    other numbers too."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        if (descriptor := int(entry.name)) > 2 and descriptor != kept:
            with contextlib.suppress(OSError):  # the folder's own
                os.close(descriptor)


def main() -> int:
    folder, live = map(Path, sys.argv[1:])
    keeping: KeeperOrder = json.loads(sys.stdin.read())
    told, tell = os.pipe()
    if os.fork() != 0:
        os.close(tell)
        with os.fdopen(told) as reader:
            sys.stdout.write(reader.read())
        return 0
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    _close_all_but(tell)
    claimed = claim(str(folder), str(live))
    if claimed is None:  # another keeper has begun it
        os.write(tell, b"ok")
        return 0
    keeper = _Keeper(folder, live, keeping, claimed)
    try:
        connection = keeper.begin()
    except (Refused, OSError) as error:
        os.ftruncate(claimed, 0)  # nothing was begun
        os.write(tell, f"{getattr(error, 'status', 500)} {error}".encode())
        return 1
    os.write(tell, b"ok")
    os.close(tell)
    os.close(claimed)
    status, is_open = keeper.watch(connection)
    keeper.finish(status)
    if is_open and os.fork() == 0:  # the command counts as ended, but what it left running may go on writing
        connection.setblocking(True)
        lost = [output.lost for output in keeper.outputs.values()]
        while keeper.carry(connection):
            pass
        if lost != [output.lost for output in keeper.outputs.values()]:
            keeper.note_result()
    return 0


if __name__ == "__main__":
    sys.exit(main())
