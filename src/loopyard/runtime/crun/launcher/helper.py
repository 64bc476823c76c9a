"""A child of a worker that waits to start one program in a sandbox. Forking takes long, so it is done beforehand."""

import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from loopyard.runtime.commands.claim import described, use
from loopyard.runtime.crun.launcher import joining
from loopyard.runtime.crun.launcher.messages import receive, send
from loopyard.runtime.crun.launcher.processes import keep_only, log_unexpected
from loopyard.runtime.crun.launcher.requests import JoinTarget, fields_of
from loopyard.runtime.proc import start_ticks


@dataclass(frozen=True, slots=True)
class Report:
    """Report on a program: it runs as `pid`, or was `refused` with an exit status, or the host was in the way, as
    `hindered` says; then no program was started. `not_started` is as in `joining.ProgramRefused`."""

    pid: int | None = None
    refused: int | None = None
    not_started: bool = False
    hindered: str | None = None
    full: bool = False
    """True where the sandbox has all the processes that it may have."""


@dataclass(slots=True)
class Helper:
    """The worker's end of a helper. `sandbox` is the one that it has joined already."""

    pid: int
    _channel: socket.socket
    sandbox: JoinTarget | None = None

    @classmethod
    def fork(cls) -> "Helper":
        """A new one."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        me = os.getpid()
        supervisor = described(me, start_ticks(me))
        pid = os.fork()
        if pid == 0:
            try:
                keep_only([theirs.fileno()])
                _help(theirs, supervisor)
            except Exception:
                log_unexpected("helping to start a program")
            finally:
                os._exit(0)
        theirs.close()
        return cls(pid, ours)

    def fits(self, sandbox: JoinTarget) -> bool:
        """True if it can still start a program in this sandbox: it has not joined another, and is there."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        return self.sandbox in (None, sandbox) and not poll.poll(0)

    def join(self, sandbox: JoinTarget) -> None:
        """Have it join a sandbox ahead of time. It ends with the sandbox, or at once if it may not."""
        self.sandbox = sandbox
        with contextlib.suppress(OSError):
            send(self._channel, fields_of(sandbox))

    def begin(self, sandbox: JoinTarget, process: int, pid_file: int, claimed: int, streams: Sequence[int]) -> None:
        """Have it start the program that is described in the file behind the descriptor `process`, and write its
        process id to `pid_file`. It uses the claim just before.

        Raises:
            OSError: It has just ended.
        """
        send(self._channel, fields_of(sandbox), [process, pid_file, claimed, *streams])

    def report(self, timeout_seconds: float | None) -> Report | None:
        """Wait for what it has to say; None if it does not say anything in time, or was killed. It must be dismissed
        then, before the program can be waited for."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        said = None
        if poll.poll(None if timeout_seconds is None else timeout_seconds * 1000):
            with contextlib.suppress(OSError):
                said, _ = receive(self._channel)
        else:
            os.kill(self.pid, signal.SIGKILL)
        return None if said is None else Report(**said)

    def dismiss(self) -> None:
        """Let it end, and wait for that."""
        self._channel.close()
        os.waitpid(self.pid, 0)


def _help(channel: socket.socket, supervisor: bytes) -> None:
    joining.warm_up()
    asdict(Report())
    json.dumps(json.loads('{"args": ["true"], "user": {"uid": 0}}'))
    joined: joining.NamespaceExec | None = None
    while True:
        message, descriptors = receive(channel)
        if message is None:
            return
        try:
            joined = joined or joining.NamespaceExec(JoinTarget(**message))
            if not descriptors:
                _wait(channel, joined)
                continue
            report = _start(joined, supervisor, descriptors)
        except OSError as error:  # crun may know a way, or a better reason
            if not descriptors:
                return
            full = isinstance(error, joining.SandboxFull)
            report = Report(hindered=error.strerror if full else str(error), full=full)
        send(channel, asdict(report))
        return


def _wait(channel: socket.socket, joined: joining.NamespaceExec) -> None:
    """Wait for something to do, unless the sandbox ends."""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(joined.first, select.POLLIN)
    if joined.first in {descriptor for descriptor, _ in poll.poll()}:
        channel.close()
        os._exit(0)


def _start(joined: joining.NamespaceExec, supervisor: bytes, descriptors: Sequence[int]) -> Report:
    told, pid_file, claimed, *streams = descriptors
    process = json.loads(os.pread(told, os.fstat(told).st_size, 0))
    use(claimed, supervisor)
    try:
        pid = joined.spawn(process, streams)
    except joining.ProgramRefused as refusal:
        with contextlib.suppress(OSError):
            os.write(streams[2], f"loopyard: {refusal}\n".encode())
        return Report(refused=refusal.exit_status, not_started=refusal.not_started)
    os.write(pid_file, str(pid).encode())
    return Report(pid)
