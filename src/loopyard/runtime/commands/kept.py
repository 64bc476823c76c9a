"""The commands of sandboxes, as files: what they were asked, what they wrote, how they ended."""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from loopyard.kit.host.full_disk import has_room, is_full, reserve, reserved
from loopyard.kit.host.linux import KILLED
from loopyard.runtime.commands.claim import RESULT, SUPERVISOR, claim
from loopyard.runtime.commands.file_watch import FileWatch
from loopyard.runtime.errors import CommandNotFound, HostDiskFull
from loopyard.runtime.layout import Layout, read_json, subfolders, write_whole
from loopyard.runtime.proc import kill_group, send_signal, start_ticks
from loopyard.runtime.processes import is_alive, wait_end
from loopyard.runtime.protocol import CommandResult, Stream

_LOST = CommandResult(exit_status=KILLED, lost=True)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05
_GATHERING_SECONDS = 0.005
"""The least time of a wait for output, so that a flood of short writes is read in pieces of some length."""
_STDIN_PAUSE = 0.02
_MOST_RESULTS = 256
"""How many results are kept in memory."""
_AT_ONCE = 20
"""How many commands are looked at in one turn of the event loop."""
_UNTOLD_PAUSE = 1.0
"""How often the result of a command is looked for whose end nobody tells, on a host that watches no more files."""


class Commands:
    """Reads and watches commands' folders. Needs no launcher: the folders tell all, also after a crash.

    A command has two. One is kept: its output and its result, and that it is there tells that the command was begun.
    The other, below `running`, is there while it runs: who watches over it, its process id, its standard input. What
    a command is to do is told to who starts it, and written nowhere: it has the values of secrets.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.running = layout.data / "running"
        """Nothing in it is needed once the machine has started again, so it may lie in memory."""
        self._ended: dict[Path, asyncio.Future[Any]] = {}
        """By the folders of commands: done when whoever started one says that it has ended."""
        self._deaths: dict[tuple[int, int], asyncio.Future[None]] = {}
        """By supervisors: done when one is dead. It may outlive its command: a worker watches over one after another.
        """
        self._watch = FileWatch()
        self._results: dict[Path, tuple[tuple[int, int], CommandResult]] = {}
        """Results of the commands that ended last, with the inode and the time of their files: an answer asks for one
        several times. A result is written anew where a background process loses output after the end."""
        self._starting: set[Path] = set()
        """Commands that this process is about to start: without a supervisor yet, and not lost for that."""

    def prepare(self, sandbox_id: str, command_id: str, *, stdin_for: int | None) -> Path | None:
        """Make a command's folders, and return the one that is kept; None if it was begun already, or is about to be.
        Folders that are there of a command that was never begun are used: whoever made them was killed.

        `stdin_for` is the host's uid to which a named pipe for standard input is to belong; None for none.

        Raises:
            HostDiskFull: There is not even room for the command's result.
        """
        folder = self._layout.command(sandbox_id, command_id)
        live = self.live(folder)
        if folder in self._starting or (folder.exists() and (self.is_begun(folder) or not live.exists())):
            return None  # without a live folder it was lost with the machine's power
        if not has_room(self._layout.data):
            raise HostDiskFull("The disk of the host is nearly full, so no command is started.")
        live.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stdin_for is not None and not (live / "stdin").exists():
            os.mkfifo(live / "stdin", 0o600)
            os.chown(live / "stdin", stdin_for, stdin_for)
        self._starting.add(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            reserve(str(folder / RESULT))
        except OSError as error:
            self._starting.discard(folder)
            self.give_up(folder)
            if is_full(error):
                raise HostDiskFull("The host's disk is full, so no command can be started.") from error
            raise
        return folder

    def live(self, folder: Path) -> Path:
        """Where a command, whose kept folder this is, has what is only there while it runs."""
        return _live(self.running, folder)

    def pid(self, sandbox_id: str, command_id: str) -> int | None:
        """Its process, as whoever watches over it knows it; None if it is not started, or has ended."""
        folder = self._layout.command(sandbox_id, command_id)
        return None if (folder / RESULT).exists() else _pid(self.live(folder))

    def started(self, folder: Path) -> None:
        """Its supervisor runs, or never will."""
        self._starting.discard(folder)

    def watched(self, folder: Path, ended: asyncio.Future[Any]) -> None:
        """Its supervisor says by `ended` when it is done; without that, its result or its death tells."""
        if not ended.done():
            self._ended[folder] = ended
            ended.add_done_callback(lambda _: self._ended.pop(folder, None))

    def is_begun(self, folder: Path) -> bool:
        """True if its program was started, or was about to be when its supervisor was killed."""
        return _supervisor(self.live(folder)) is not None or (folder / RESULT).exists()

    def give_up(self, folder: Path) -> bool:
        """Have nobody start it any more, and remove its folders; false if it is begun."""
        claimed = claim(str(folder), str(self.live(folder)))
        if claimed is None and self.is_begun(folder):
            return False
        shutil.rmtree(self.live(folder), ignore_errors=True)  # first: who waits for the claim then does not get it
        shutil.rmtree(folder, ignore_errors=True)
        if claimed is not None:
            os.close(claimed)
        return True

    def result(self, sandbox_id: str, command_id: str) -> CommandResult | None:
        """How it ended; None while it runs.

        Raises:
            CommandNotFound: It was never started, or was forgotten.
        """
        folder = self._folder(sandbox_id, command_id)
        if (result := self._read_result(folder)) is not None:
            return result
        supervisor = _supervisor(self.live(folder))
        if supervisor is None or folder in self._starting or is_alive(*supervisor):
            # One that is not begun may be taken up by whoever starts what a killed server has left.
            return self._read_result(folder)
        return self._read_result(folder) or self._declare_lost(folder)

    async def wait(self, sandbox_id: str, command_id: str) -> CommandResult:
        """Wait until it has ended. Raises CommandNotFound."""
        folder = self._folder(sandbox_id, command_id)
        while (result := self._read_result(folder)) is None:
            if (ended := self._ended.get(folder)) is not None:
                await asyncio.wait((ended,))
                continue
            ends = self._ends(folder)  # before the second look, so that nothing is missed between it and the waiting
            if (result := self._read_result(folder)) is not None:
                break
            supervisor = _supervisor(self.live(self._folder(sandbox_id, command_id)))
            if supervisor is not None and is_alive(*supervisor):
                await _wait_any(ends, _UNTOLD_PAUSE if None in ends else None)
            elif folder in self._starting or (supervisor is None and not self._end_unbegun(folder)):
                await asyncio.sleep(_FIRST_PAUSE)
            else:
                return self._read_result(folder) or self._declare_lost(folder)
        return result

    def _read_result(self, folder: Path) -> CommandResult | None:
        """How a command ended; None while no result is written."""
        try:
            status = (folder / RESULT).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        written = (status.st_ino, status.st_mtime_ns)
        if (known := self._results.get(folder)) is not None and known[0] == written:
            return known[1]
        if (result := _read_result(folder)) is not None:
            self._results[folder] = (written, result)
            if len(self._results) > _MOST_RESULTS:
                del self._results[next(iter(self._results))]
        return result

    def _end_unbegun(self, folder: Path) -> bool:
        """See to it that a command that is not begun never is; false if somebody is about to begin it."""
        try:
            claimed = claim(str(folder), str(self.live(folder)), wait=False)
        except BlockingIOError:
            return False
        if claimed is None:
            return _supervisor(self.live(folder)) is None  # else it is begun by now
        self._declare_lost(folder)
        os.close(claimed)
        return True

    def _declare_lost(self, folder: Path) -> CommandResult:
        """Its supervisor was killed. What it watched over must not go on unwatched."""
        self._kill(folder)
        try:
            write_whole(folder / RESULT, asdict(_LOST))
        except OSError as error:
            if not is_full(error):
                raise
            return _LOST  # whoever looks next comes to the same end
        shutil.rmtree(self.live(folder), ignore_errors=True)
        return _LOST

    def _kill(self, folder: Path) -> None:
        pid = _command_pid(self.live(folder))
        if pid is not None and is_alive(*pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill_group(pid[0], signal.SIGKILL)

    def all(self, sandbox_id: str) -> dict[str, CommandResult | None]:
        """Every command of the sandbox that was begun and not forgotten."""
        names = subfolders(self._layout.commands_of(sandbox_id))
        found: dict[str, CommandResult | None] = {}
        for name in names:
            with contextlib.suppress(CommandNotFound):
                found[name] = self.result(sandbox_id, name)
        return found

    def read(self, sandbox_id: str, command_id: str, stream: Stream, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes of output from `offset` on, or from the end if negative. Raises CommandNotFound."""
        path = self._folder(sandbox_id, command_id) / stream
        try:
            file = path.open("rb")
        except FileNotFoundError:  # just being started
            return b""
        with file:
            if offset < 0:
                offset = max(0, os.fstat(file.fileno()).st_size + offset)
            return os.pread(file.fileno(), limit, offset)

    def size(self, sandbox_id: str, command_id: str, stream: Stream) -> int:
        """Bytes of output so far. Raises CommandNotFound."""
        return _size(self._folder(sandbox_id, command_id) / stream)

    def is_truncated(self, sandbox_id: str, command_id: str, stream: Stream) -> bool:
        """True if the end of the stream was lost on a full disk. Raises CommandNotFound."""
        folder = self._folder(sandbox_id, command_id)
        if (result := self._read_result(folder)) is not None and stream in result.truncated:
            return True
        return (self.live(folder) / f"{stream}.lost").exists()  # background processes may lose more after the end

    async def wait_output(
        self, sandbox_id: str, command_id: str, stream: Stream, offset: int, timeout_seconds: float
    ) -> bool:
        """Wait for output past `offset`: true once there is some, false at the end or when the time has passed."""
        folder = self._folder(sandbox_id, command_id)
        path = folder / stream
        loop = asyncio.get_running_loop()
        began = loop.time()
        pause = _FIRST_PAUSE
        while True:
            # Both are asked for before the look, so that nothing is missed between it and the waiting.
            events = [self._watch.next_write(path), *self._ends(folder)]
            ended = self.result(sandbox_id, command_id) is not None
            if _size(path) > offset:
                return True
            left = began + timeout_seconds - loop.time()
            if ended or left <= 0:
                return False
            if None in events or len(events) == 1:  # the host watches no more files, or it is not begun yet
                left = min(left, pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE)
            await _wait_any(events, left)
            await asyncio.sleep(max(0.0, began + _GATHERING_SECONDS - loop.time()))

    def _ends(self, folder: Path) -> list[asyncio.Future[Any] | None]:
        """Futures that are done when the command has ended, or when nobody watches over it any more; None for what
        cannot be awaited on this host, and nothing if it is not begun. Shared: do not cancel them."""
        if (ended := self._ended.get(folder)) is not None:
            return [ended]
        if (supervisor := _supervisor(self.live(folder))) is None:
            return []
        return [self._watch.next_rename(reserved(folder / RESULT)), self._death(supervisor)]

    def _death(self, supervisor: tuple[int, int]) -> asyncio.Future[None]:
        if (death := self._deaths.get(supervisor)) is None:
            death = self._deaths[supervisor] = asyncio.ensure_future(wait_end(*supervisor))
            death.add_done_callback(lambda _: self._deaths.pop(supervisor, None))
        return death

    def close(self) -> None:
        """Wait for nothing any more."""
        self._watch.close()
        for death in tuple(self._deaths.values()):
            death.cancel()

    async def write_stdin(self, sandbox_id: str, command_id: str, data: bytes, *, eof: bool) -> None:
        """Write to the command's standard input, waiting while it is full. Raises CommandNotFound."""
        live = self.live(self._folder(sandbox_id, command_id))
        gone = CommandNotFound(f"Command {command_id} has ended, or takes no input.")
        if self.result(sandbox_id, command_id) is not None:
            raise gone
        try:
            pipe = os.open(live / "stdin", os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            raise gone from error
        try:
            await _write_all(pipe, data)
        except BrokenPipeError as error:
            raise gone from error
        finally:
            os.close(pipe)
        if eof:
            with contextlib.suppress(FileNotFoundError):  # it has just ended
                (live / "stdin.end").touch()
            if (supervisor := _supervisor(live)) is not None:
                with contextlib.suppress(ProcessLookupError):
                    send_signal(*supervisor, signal.SIGUSR1)

    async def signal(self, sandbox_id: str, command_id: str, number: int, *, group: bool) -> None:
        """Send a signal to the command, or its whole group; nothing once it has ended. Raises CommandNotFound."""
        folder = self._folder(sandbox_id, command_id)
        pause = _FIRST_PAUSE
        while self.result(sandbox_id, command_id) is None:
            if (pid := _command_pid(self.live(folder))) is not None:
                with contextlib.suppress(ProcessLookupError):
                    if group:
                        kill_group(pid[0], number)
                    else:
                        send_signal(*pid, number)
                return
            await asyncio.sleep(pause)  # it is just being started

    async def end_unfinished(self, sandbox_id: str) -> None:
        """The sandbox is gone: whatever ran in it is over. There may be thousands of commands: others go on between."""
        names = await asyncio.to_thread(subfolders, self._layout.commands_of(sandbox_id))
        for number, name in enumerate(names, 1):
            with contextlib.suppress(CommandNotFound):
                if self.result(sandbox_id, name) is None:
                    self._declare_lost(self._layout.command(sandbox_id, name))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def forget(self, sandbox_id: str) -> None:
        """Delete all output of the sandbox's commands."""
        kept = self._layout.commands_of(sandbox_id)
        for folder in [folder for folder in list(self._results) if folder.parent == kept]:
            self._results.pop(folder, None)
        shutil.rmtree(self.running / kept.name, ignore_errors=True)
        shutil.rmtree(kept, ignore_errors=True)

    def _folder(self, sandbox_id: str, command_id: str) -> Path:
        folder = self._layout.command(sandbox_id, command_id)
        if not folder.exists():
            raise CommandNotFound(f"There is no command {command_id} in sandbox {sandbox_id}.")
        return folder


@lru_cache(maxsize=1024)
def _live(running: Path, folder: Path) -> Path:
    return running / folder.parent.name / folder.name


def _supervisor(live: Path) -> tuple[int, int] | None:
    """The process that watches over the command, and when it started."""
    content = read_json(live / SUPERVISOR)
    return None if content is None else (content["pid"], content["start_ticks"])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # just being started
        return 0


def _read_result(folder: Path) -> CommandResult | None:
    content = read_json(folder / RESULT)
    if content is None:
        return None
    truncated = tuple(content.pop("truncated", ()))
    return CommandResult(**content, truncated=truncated)


def _pid(live: Path) -> int | None:
    try:
        return int((live / "pid").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _command_pid(live: Path) -> tuple[int, int] | None:
    """The command's process id, and when it started; None if it has not begun, or is there no more."""
    try:
        pid = _pid(live)
        return None if pid is None else (pid, start_ticks(pid))
    except (FileNotFoundError, ProcessLookupError):
        return None


async def _wait_any(events: Sequence[asyncio.Future[Any] | None], seconds: float | None) -> None:
    """Wait for the first of some events that others may wait for too, so long at most."""
    if found := [event for event in events if event is not None]:
        await asyncio.wait(found, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    else:
        await asyncio.sleep(_FIRST_PAUSE if seconds is None else seconds)


async def _write_all(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(pipe, view) :]
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            await asyncio.sleep(_STDIN_PAUSE)
