"""A child of a worker that waits to start one program in a sandbox. Forking takes long, so it is done beforehand."""

import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loopyard.runtime.crun.launcher import joining

_MESSAGE_BYTES = 1 << 16
_DESCRIPTORS = 5


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a program: it runs as `pid`, or was `refused` with an exit status. Without either the host was in
    the way; then no program was started."""

    pid: int | None = None
    refused: int | None = None


@dataclass(frozen=True, slots=True)
class Helper:
    """The worker's end of one."""

    pid: int
    _channel: socket.socket

    @classmethod
    def fork(cls, not_for_it: Sequence[socket.socket]) -> "Helper":
        """A new one. It closes the sockets that are `not_for_it`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            try:
                for end in (ours, *not_for_it):
                    end.close()
                _help(theirs)
            finally:
                os._exit(0)
        theirs.close()
        return cls(pid, ours)

    def begin(self, sandbox: dict[str, Any], process: int, pid_file: int, streams: Sequence[int]) -> None:
        """Have it start the program that is described in the file behind the descriptor `process`, and write its
        process id to `pid_file`. `sandbox` is what `joining.spawn` wants to know of that.

        Raises:
            OSError: Somebody has killed it.
        """
        socket.send_fds(self._channel, [json.dumps(sandbox).encode()], [process, pid_file, *streams])

    def report(self, timeout_seconds: float | None) -> Report | None:
        """Wait for what it has to say; None if it does not say anything in time, or was killed. It must be dismissed
        then, before the program can be waited for."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        said = b""
        if poll.poll(None if timeout_seconds is None else timeout_seconds * 1000):
            with contextlib.suppress(OSError):
                said = self._channel.recv(_MESSAGE_BYTES)
        else:
            os.kill(self.pid, signal.SIGKILL)
        return Report(**json.loads(said)) if said else None

    def dismiss(self) -> None:
        """Let it end, and wait for that."""
        self._channel.close()
        os.waitpid(self.pid, 0)


def _help(channel: socket.socket) -> None:
    joining.warm_up()
    json.dumps(json.loads('{"args": ["true"], "user": {"uid": 0}}'))
    message, descriptors, _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, _DESCRIPTORS)
    if not message:
        return
    told, pid_file, *streams = descriptors
    process = json.loads(os.pread(told, os.fstat(told).st_size, 0))
    report: dict[str, int] = {}
    try:
        pid = joining.spawn(process=process, streams=streams, **json.loads(message))
        os.write(pid_file, str(pid).encode())
        report = {"pid": pid}
    except joining.ProgramRefused as refusal:
        with contextlib.suppress(OSError):
            os.write(streams[2], f"loopyard: {refusal}\n".encode())
        report = {"refused": refusal.exit_status}
    except OSError:  # crun may know a way, or a better reason
        report = {}
    channel.send(json.dumps(report).encode())
