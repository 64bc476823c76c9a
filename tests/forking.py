"""Starts the `loopyard` command in a process of its own without loading Python and the server's modules each time: one
process has them loaded, and forks.

The arguments, the environment and the output are the command's own, as is its end. What the start of the program does
is for tests/server, which starts programs.
"""

import asyncio
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from tests.suite import spent

_MESSAGE_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1
_LOADED = ("loopyard.cli", "loopyard.config", "loopyard.server", "loopyard.upkeep.status", "loopyard.bench.session")
"""What the commands load that tests start often."""


class ForkedCommand:
    """A command that runs: what the tests need of a `subprocess.Popen` with `text=True`."""

    def __init__(self, pid: int, stdout: TextIO | None, told: socket.socket) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._told = told

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, `timeout` seconds at most, and return the exit status.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        status = self._wait(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("loopyard", timeout or 0)
        return status

    def _wait(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
            status, processor = self._told.recv(_MESSAGE_BYTES).split()
            self.returncode = int(status)
            spent.add_processor(float(processor))
            self._told.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Forking:
    """A process with everything loaded, from which commands are forked: from the first one until its `close`, or the
    end of this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def _open(self) -> None:
        with self._theirs as theirs:
            command = (sys.executable, "-m", __name__, str(theirs.fileno()))
            self._process = subprocess.Popen(
                command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, cwd=Path(__file__).parents[1]
            )

    def start(
        self, arguments: Sequence[str], env: Mapping[str, str], stdout: BinaryIO | None, stderr: BinaryIO
    ) -> ForkedCommand:
        """Run `loopyard` with these arguments and this environment. Its output goes to `stdout`; if that is None, it is
        a pipe.

        Raises:
            RuntimeError: The process that forks is gone; its messages say why.
        """
        if self._process is None:
            self._open()
        output = None
        with ExitStack() as ends:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ends.enter_context(theirs)
            if stdout is None:
                reading, writing = os.pipe()
                output, stdout = os.fdopen(reading), ends.enter_context(os.fdopen(writing, "wb"))
            request = json.dumps({"arguments": list(arguments), "env": dict(env), "cwd": str(Path.cwd())}).encode()
            socket.send_fds(self._channel, [request], [theirs.fileno(), stdout.fileno(), stderr.fileno()])
        if not (pid := ours.recv(_MESSAGE_BYTES)):
            raise RuntimeError("the process that forks is gone")
        return ForkedCommand(int(pid), output, ours)

    def close(self) -> None:
        """End the process that forks; the commands go on."""
        self._channel.close()
        if self._process is None:
            self._theirs.close()
        else:
            self._process.wait()


def _serve(channel: socket.socket) -> None:
    """Fork for each request a watcher, and it the command, which returns from here."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for watchers
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, 3)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _end_with_parent(signal.SIGKILL)
            channel.close()
            _watch(message, descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)


def _watch(message: bytes, descriptors: list[int]) -> None:
    teller, output, errors = descriptors
    command = os.fork()
    if command == 0:
        _end_with_parent(signal.SIGTERM)
        os.close(teller)
        _become(json.loads(message), output, errors)
        return
    os.close(output)
    os.close(errors)
    with socket.socket(fileno=teller) as told:
        told.send(str(command).encode())
        _, status, usage = os.wait4(command, 0)
        told.send(f"{os.waitstatus_to_exitcode(status)} {usage.ru_utime + usage.ru_stime}".encode())
    os._exit(0)


def _end_with_parent(number: signal.Signals) -> None:
    """Have the kernel send this process a signal when its parent ends: tests that are killed leave no servers."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def _become(request: dict[str, Any], output: int, errors: int) -> None:
    os.dup2(output, sys.stdout.fileno())
    os.dup2(errors, sys.stderr.fileno())
    os.close(output)
    os.close(errors)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = ["loopyard", *request["arguments"]]


def _load() -> None:
    for name in _LOADED:
        importlib.import_module(name)
    asyncio.run(_warm())
    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, "a fork would lose threads"
    gc.collect()
    gc.freeze()


async def _warm() -> None:
    """Build an application, and ask it for something: what is made at the first use then is made once for all."""
    import httpx

    from loopyard.app import create_app
    from loopyard.config import Settings
    from loopyard.kit.db.database import Database
    from loopyard.runtime.absent import absent_runtime

    settings = Settings(data_dir=Path("/nonexistent"))
    app = create_app(absent_runtime(), Database(settings.store_url), settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert (await client.get("/v1/devboxes")).status_code == 401


if __name__ == "__main__":
    gc.disable()
    _load()
    gc.enable()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        requests.set_inheritable(False)
        _serve(requests)
    from loopyard.cli import app

    app()
