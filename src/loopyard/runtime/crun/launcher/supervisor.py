"""Watches over one command of a sandbox: moves its output to files, ends it in time, and writes how it ended.

It is a process by itself, so that the command needs neither the server nor the launcher. Output comes through pipes,
never by handing the host's files to the command: with those it could fill the host's disk past every limit.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loopyard.kit.host.full_disk import is_full
from loopyard.kit.host.linux import CANNOT_EXECUTE, KILLED
from loopyard.runtime.commands.claim import claim, described, use
from loopyard.runtime.crun.host import cgroups
from loopyard.runtime.crun.launcher.helper import Helper, Report
from loopyard.runtime.crun.launcher.null_device import open_null
from loopyard.runtime.crun.launcher.processes import keep_only, log_unexpected
from loopyard.runtime.crun.launcher.programs import start
from loopyard.runtime.crun.launcher.refusals import Refusal, refusal
from loopyard.runtime.crun.launcher.requests import Answer, Begun, Execute
from loopyard.runtime.crun.launcher.streams import KeptStream
from loopyard.runtime.layout import write_whole
from loopyard.runtime.proc import kill_group, start_ticks
from loopyard.runtime.protocol import OUT_OF_MEMORY_LINE
from loopyard.runtime.syscalls import set_subreaper

_GATHER_SECONDS = 0.0005
"""How long the output of one who writes much is left to gather. Most programs write a few KiB at a time; moved one by
one these cost more than twice as much, and slow the program down as well."""
_FULL_PAUSE_SECONDS = 0.1
_STREAMS = ("stdout", "stderr")
_OUT_OF_MEMORY = (
    f"{OUT_OF_MEMORY_LINE}while this command ran, the kernel killed a process of the devbox for the devbox's memory "
    "limit]\n"
).encode()


@dataclass
class _Command:
    folder: Path
    live: Path
    streams: list[KeptStream] = field(default_factory=list[KeptStream])
    timed_out: bool = False
    result: dict[str, Any] = field(default_factory=dict[str, Any])

    def pid(self) -> int | None:
        """The process id of the command itself, once it runs."""
        try:
            return int((self.live / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def left(self, deadline: float | None) -> float | None:
        """Seconds until then; None for ever."""
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def finish(
        self, status: int, *, lost: bool = False, not_started: bool = False, out_of_memory: bool = False
    ) -> None:
        """Write the result, complete or not at all: its room was taken when the command began. Where the disk is full
        all the same the command counts as running until there is room."""
        self.result = {
            "exit_status": status,
            "timed_out": self.timed_out,
            "lost": lost,
            "not_started": not_started,
            "out_of_memory": out_of_memory,
        }
        while not self.note_result() and self.folder.exists():
            time.sleep(_FULL_PAUSE_SECONDS)

    def truncated(self) -> list[str]:
        """The streams whose end is lost."""
        return [stream.name for stream in self.streams if stream.lost]

    def note_result(self) -> bool:
        """Write the result, with what is lost of the output so far; false where the disk is full."""
        try:
            write_whole(self.folder / "result.json", {**self.result, "truncated": self.truncated()})
        except OSError as error:
            if is_full(error):
                return False
            raise
        return True

    def refuse(self, refused: Refusal) -> None:
        """Write that it was not started."""
        self.finish(refused.exit_status, lost=refused.lost, not_started=refused.not_started)

    def tidy(self) -> None:
        """Remove what it had only while it ran."""
        with contextlib.suppress(OSError):  # the server has just removed it
            for name in os.listdir(self.live):
                os.unlink(f"{self.live}/{name}")
            os.rmdir(self.live)


def execute(answer: Answer, request: Execute, process: int, helper: Helper, ended: Callable[[], None]) -> None:
    """Run a command in a sandbox, and stay until it has ended. Does nothing if it was begun before.

    Args:
        answer: Told once the command is begun.
        request: The command.
        process: A descriptor of its `process.json`.
        helper: Starts it. Where the host does not let it, crun is asked to.
        ended: Called when the result is written.
    """
    sandbox, folder, live = request.sandbox, request.folder, request.live
    claimed = claim(folder, live)
    if claimed is None:  # a request that was made again, since the answer to the first was lost
        helper.dismiss()
        os.close(process)
        answer(Begun(None))
        ended()
        return
    command = _Command(Path(folder), Path(live))
    deadline = None if request.timeout_seconds is None else time.monotonic() + request.timeout_seconds
    killed_before = cgroups.memory_kills(sandbox.cgroup)
    ends = [_stream(command, name, request.uid, request.most_bytes) for name in _STREAMS]
    given, hold = _stdin(live) if request.stdin else (os.open(os.devnull, os.O_RDONLY), None)
    pid_file = os.open(f"{live}/pid", os.O_WRONLY | os.O_CREAT, 0o600)
    set_subreaper(subreaper=True)  # the helper goes, and leaves the command to this process
    helper.begin(sandbox, process, pid_file, claimed, (given, *ends))
    os.close(pid_file)
    me = os.getpid()
    report = helper.report(command.left(deadline))
    by_crun = report is not None and report.hindered is not None
    if by_crun:
        use(claimed, described(me, start_ticks(me)))
        os.unlink(f"{live}/pid")
        os.set_inheritable(process, False)  # crun opens it by its name
        if not request.stdin:
            os.close(given)
            given = open_null(live)
        argv = [*request.crun, "--log", f"file:{live}/crun.log", "exec", "--process", f"/proc/{me}/fd/{process}"]
        child = start([*argv, "--pid-file", f"{live}/pid", request.id], given, *ends)
    else:
        child = command.pid() if report is None else report.pid
    answer(Begun(me))  # not before: whoever ends all that runs in the sandbox then ends this too
    helper.dismiss()
    set_subreaper(subreaper=False)
    for end in (*ends, given, claimed):
        os.close(end)
    if child is None:
        command.refuse(_not_begun(command, hold, report, deadline))
    else:
        try:
            status = _watch(command, child, hold, deadline)
        except Exception:
            log_unexpected("watching over a command")
            _give_up(command, child)
        else:
            refused = refusal(command.live) if by_crun else None
            if refused is not None and refused.lost and report is not None and report.full:
                # Code that fills its sandbox up must not look like the host's fault.
                command.streams[-1].add(f"loopyard: {report.hindered}\n".encode())
                refused = Refusal(CANNOT_EXECUTE, lost=False)
            if refused is None:
                out_of_memory = cgroups.memory_kills(sandbox.cgroup) > killed_before
                if out_of_memory and status != 0:
                    command.streams[-1].add(_OUT_OF_MEMORY)
                command.finish(status, out_of_memory=out_of_memory)
            else:
                command.refuse(refused)
    os.close(process)
    ended()
    command.tidy()
    _leave(command)
    for stream in command.streams:
        stream.close()


def _give_up(command: _Command, child: int) -> None:
    """End a command that cannot be watched over any more, and tell that it is lost."""
    pid = command.pid()
    with contextlib.suppress(ProcessLookupError):
        kill_group(child if pid is None else pid, signal.SIGKILL)
    for stream in command.streams:
        stream.lost = True
    command.finish(KILLED, lost=True)


def _not_begun(command: _Command, hold: int | None, report: Report | None, deadline: float | None) -> Refusal:
    """Nothing was started. Returns what that means."""
    if hold is not None:
        os.close(hold)
    for stream in command.streams:
        stream.move(all=True)
    if report is not None and report.refused is not None:
        return Refusal(report.refused, lost=False, not_started=report.not_started)
    command.timed_out = command.left(deadline) == 0
    return Refusal(KILLED, lost=not command.timed_out)


def _stream(command: _Command, name: str, uid: int, most_bytes: int) -> int:
    """Set up a stream's pipe; returns the end that the command writes to."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.fchown(writer, uid, uid)  # so that the command can open /dev/stdout
    mark = f"{command.live}/{name}.lost"
    command.streams.append(KeptStream(name, reader, f"{command.folder}/{name}", most_bytes, mark))
    return writer


def _stdin(live: str) -> tuple[int, int]:
    """The command's end of the named pipe, and one that keeps it open until no more comes: then there is a file
    `stdin.end`, and SIGUSR1 says that it is time to look."""
    path = f"{live}/stdin"
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    hold = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    return reader, hold


def _do_nothing(*_: object) -> None:
    pass


def _watch(command: _Command, child: int, hold: int | None, deadline: float | None) -> int:
    """Move output until the command has ended; returns its exit status."""
    ended = os.pidfd_open(child)
    # A pipe, since a signal that comes just before `poll` would not end it.
    wake, wake_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGUSR1, _do_nothing)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(wake, select.POLLIN)
    for stream in command.streams:
        poll.register(stream.pipe, select.POLLIN)
    while True:
        if hold is not None and (command.live / "stdin.end").exists():
            os.close(hold)
            hold = None
        pause = command.left(deadline)
        if pause == 0:
            deadline = _time_out(command)
            continue
        ready = {descriptor for descriptor, _ in poll.poll(None if pause is None else pause * 1000 + 1)}
        _empty(command, ready, poll)
        if wake in ready:
            os.read(wake, 4096)
        if ended in ready:
            break
    for stream in command.streams:
        stream.move(all=True)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    for descriptor in (ended, wake, wake_end, *([] if hold is None else [hold])):
        os.close(descriptor)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status


def _empty(command: _Command, ready: set[int], poll: select.poll) -> None:
    """Move what is in the pipes that are ready, and look no more at those that nobody can write to."""
    streams = [stream for stream in command.streams if stream.open and stream.pipe in ready]
    if any(stream.wide for stream in streams):
        time.sleep(_GATHER_SECONDS)
    for stream in streams:
        stream.move(all=False)
        if not stream.open:
            poll.unregister(stream.pipe)


def _time_out(command: _Command) -> float | None:
    """Kill the command's process group. Returns when to look again, if it is not there yet."""
    command.timed_out = True
    pid = command.pid()
    if pid is None:
        return time.monotonic() + 0.05
    try:
        kill_group(pid, signal.SIGKILL)
    except ProcessLookupError:
        return None
    return None


def _leave(command: _Command) -> None:
    """Let go of the command; but what it left running may go on writing, so a child stays for that."""
    if any(stream.open for stream in command.streams) and os.fork() == 0:
        try:
            keep_only(number for stream in command.streams for number in (stream.pipe, stream.file))
            _stay(command)
        except Exception:
            log_unexpected("moving the output of what a command left running")
        finally:
            os._exit(0)


def _stay(command: _Command) -> None:
    """Move output until nobody can write any more. What is lost of it meanwhile goes into the result, too."""
    poll = select.poll()
    for stream in command.streams:
        if stream.open:
            poll.register(stream.pipe, select.POLLIN)
    noted = command.truncated()
    while any(stream.open for stream in command.streams):
        _empty(command, {descriptor for descriptor, _ in poll.poll()}, poll)
        if command.truncated() != noted and command.note_result():
            noted = command.truncated()
    while command.truncated() != noted and command.folder.exists() and not command.note_result():
        time.sleep(_FULL_PAUSE_SECONDS)
