"""The server's end of commands whose streams it holds."""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import socket
import struct
import termios
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loopyard.kit.ids import new_id
from loopyard.runtime.crun.launcher.client import LauncherClient, LauncherFault
from loopyard.runtime.crun.launcher.messages import receive_with_descriptors
from loopyard.runtime.crun.launcher.requests import Attach
from loopyard.runtime.errors import CommandStartFailed
from loopyard.runtime.proc import kill_group
from loopyard.runtime.protocol import Terminal

_START_SECONDS = 10
_PAUSE_SECONDS = 0.01


class CrunAttached:
    """A command that runs. See the protocol's `Attached`."""

    def __init__(self, folder: Path, ended: asyncio.Future[int], stdin: int, stdout: int, stderr: int | None) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self._folder = folder
        self._ended = ended
        ended.add_done_callback(lambda _: shutil.rmtree(folder, ignore_errors=True))

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        if self._ended.done():
            return
        with contextlib.suppress(OSError):
            if not self._send(number):
                asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self.signal, number)

    def _send(self, number: int) -> bool:
        """Send a signal to the command's process group; false while the group is not known. The command may run by
        then, and print."""
        if self.stderr is None:
            group = os.tcgetpgrp(self.stdout)
            if group > 0:
                os.killpg(group, number)
            return group > 0
        try:
            pid = int((self._folder / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return False
        kill_group(pid, number)
        return True

    def resize(self, rows: int, columns: int) -> None:
        if self.stderr is None:
            _set_size(self.stdout, rows, columns)


def _set_size(descriptor: int, rows: int, columns: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


async def attach(
    launcher: LauncherClient, crun: list[str], sandbox_id: str, run: Path, process: dict[str, Any], uid: int
) -> CrunAttached:
    """Start a command on pipes of this process's own. `run` is a folder to keep things in while it runs, `uid` the
    host's uid of its user.

    Raises:
        CommandStartFailed: The host could not start it.
    """
    folder = _folder(run)
    told = in_memory(process)
    pipes = [os.pipe() for _ in range(3)]
    theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
    ours = [pipes[0][1], pipes[1][0], pipes[2][0]]
    for descriptor in theirs:
        os.fchown(descriptor, uid, uid)
    for descriptor in ours:
        os.set_blocking(descriptor, False)
    try:
        request = Attach(crun, sandbox_id, str(folder), console=None)
        ended = (await launcher.begin(request, [told, *theirs])).ended
    except LauncherFault as fault:
        for descriptor in ours:
            os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)
        raise CommandStartFailed(f"The host could not start the command: {fault}") from fault
    finally:
        for descriptor in (told, *theirs):
            os.close(descriptor)
    return CrunAttached(folder, ended, ours[0], ours[1], ours[2])


async def attach_terminal(
    launcher: LauncherClient, crun: list[str], sandbox_id: str, run: Path, process: dict[str, Any], terminal: Terminal
) -> CrunAttached:
    """Start a command on a terminal of the sandbox's own.

    Raises:
        CommandStartFailed: The host could not start it.
    """
    process = {
        **process,
        "terminal": True,
        "consoleSize": {"height": terminal.rows, "width": terminal.columns},
        "env": [f"TERM={terminal.kind}", *process["env"]],
    }
    folder = _folder(run)
    told = in_memory(process)
    with _listening(folder / "console") as listener:
        try:
            request = Attach(crun, sandbox_id, str(folder), console=str(folder / "console"))
            ended = (await launcher.begin(request, (told,))).ended
            descriptor = await _terminal(listener, ended, folder)
        except LauncherFault as fault:
            shutil.rmtree(folder, ignore_errors=True)
            raise CommandStartFailed(f"The host could not start the command: {fault}") from fault
        finally:
            os.close(told)
    os.set_blocking(descriptor, False)
    _set_size(descriptor, terminal.rows, terminal.columns)
    return CrunAttached(folder, ended, descriptor, descriptor, None)


async def _terminal(listener: socket.socket, ended: asyncio.Future[int], folder: Path) -> int:
    """The terminal that crun sends."""
    loop = asyncio.get_running_loop()
    accepting = asyncio.ensure_future(loop.sock_accept(listener))
    await asyncio.wait({accepting, ended}, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if not accepting.done():
        accepting.cancel()
        log = folder / "crun.log"
        said = log.read_text(errors="replace").strip() if log.exists() else "it did not answer"
        raise CommandStartFailed(f"The command could not be started: {said}")
    connection = accepting.result()[0]
    with connection:
        connection.setblocking(True)
        _, descriptors, flags = await asyncio.to_thread(receive_with_descriptors, connection, 4096, 1)
    if not descriptors or flags & socket.MSG_CTRUNC:
        raise CommandStartFailed("The command could not be started: it got no terminal.")
    return descriptors[0]


@contextmanager
def _listening(path: Path) -> Generator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(1)
        listener.setblocking(False)
        yield listener


def in_memory(process: dict[str, Any]) -> int:
    """A descriptor of a file that has no place on any disk, with the `process.json` of a command."""
    descriptor = os.memfd_create("process", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(json.dumps(process).encode())
    return descriptor


def _folder(run: Path) -> Path:
    folder = run / new_id("att")
    folder.mkdir(parents=True)
    return folder
