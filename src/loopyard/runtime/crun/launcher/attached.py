"""Commands whose streams the server holds, and connections into sandboxes. They end with the server."""

import os
import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from loopyard.runtime.crun.launcher.programs import start
from loopyard.runtime.crun.launcher.refusals import refusal
from loopyard.runtime.proc import kill_group, start_ticks
from loopyard.runtime.syscalls import CLONE_NEWNET, setns

_CONNECT_SECONDS = 5
_BACKLOG = 128


def attach(
    answer: Callable[..., None],
    *,
    crun: list[str],
    id: str,
    folder: str,
    console: str | None,
    descriptors: list[int],
    server: socket.socket,
) -> int:
    """Run a command on the given streams, and stay until it or the server ends. Returns its exit status.

    Args:
        crun: The command line up to crun's own command.
        id: The sandbox's id.
        folder: Gets `pid`.
        console: A listening socket that takes the terminal's descriptor; None for a command without a terminal.
        descriptors: One of its `process.json`; then standard input, output and error, unless it has a terminal.
        server: Hangs up when the server ends.
        answer: Told that the command was started.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    process, *streams = descriptors
    os.set_inheritable(process, False)
    given = streams or [nothing] * 3
    options = ["--process", f"/proc/{os.getpid()}/fd/{process}", "--pid-file", f"{folder}/pid"]
    if console is not None:
        options += ["--tty", "--console-socket", console]
    child = start([*crun, "--log", f"file:{folder}/crun.log", "exec", *options, id], *given)
    for descriptor in streams:
        os.close(descriptor)
    answer(started=True)
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(server, 0)  # only that it hangs up
    if ended not in {descriptor for descriptor, _ in poll.poll()}:
        _kill(folder, child)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if (refused := refusal(Path(folder))) is not None:
        return refused.exit_status
    return status if status >= 0 else 128 - status


def _kill(folder: str, child: int) -> None:
    try:
        kill_group(int(Path(f"{folder}/pid").read_text()), signal.SIGKILL)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def connect(answer: Callable[..., None], *, pid: int, ticks: int, port: int) -> None:
    """Connect to a port of a sandbox's loopback address; hands the connection over with the answer."""
    _enter_network(pid, ticks)
    connection = _connected(port)
    if connection is None:
        answer(closed=True)
    else:
        answer(closed=False, descriptors=[connection.fileno()])


def listen(answer: Callable[..., None], *, pid: int, ticks: int, port: int) -> None:
    """Listen on a port of a sandbox's loopback address; hands the listening socket over with the answer."""
    _enter_network(pid, ticks)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
    except OSError:
        answer(taken=True)
    else:
        answer(taken=False, descriptors=[listener.fileno()])


def _enter_network(pid: int, ticks: int) -> None:
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    if start_ticks(pid) != ticks:
        raise ProcessLookupError("the sandbox is gone")
    setns(network, CLONE_NEWNET)


def _connected(port: int) -> socket.socket | None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(_CONNECT_SECONDS)
        try:
            connection.connect((address, port))
        except OSError:
            connection.close()
            continue
        return connection
    return None
