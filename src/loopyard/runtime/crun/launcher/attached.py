"""Commands whose streams the server holds, and connections into sandboxes. They end with the server."""

import os
import select
import signal
import socket
from pathlib import Path

from loopyard.runtime.crun.launcher.null_device import open_null
from loopyard.runtime.crun.launcher.programs import start
from loopyard.runtime.crun.launcher.refusals import refusal
from loopyard.runtime.crun.launcher.requests import Answer, Attach, Connect, Done, Listen, Socket
from loopyard.runtime.proc import kill_group, start_ticks
from loopyard.runtime.syscalls import CLONE_NEWNET, setns

_CONNECT_SECONDS = 5
_BACKLOG = 128


def attach(answer: Answer, request: Attach, descriptors: list[int], server: socket.socket) -> int:
    """Run a command on the given streams, and stay until it ends or `server` hangs up. Returns its exit status."""
    folder = request.folder
    nothing = open_null(folder)
    process, *streams = descriptors
    os.set_inheritable(process, False)
    given = streams or [nothing] * 3
    options = ["--process", f"/proc/{os.getpid()}/fd/{process}", "--pid-file", f"{folder}/pid"]
    if request.console is not None:
        options += ["--tty", "--console-socket", request.console]
    child = start([*request.crun, "--log", f"file:{folder}/crun.log", "exec", *options, request.id], *given)
    for descriptor in streams:
        os.close(descriptor)
    answer(Done())
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


def connect(answer: Answer, request: Connect) -> None:
    """Connect to a port of a sandbox's loopback address."""
    _enter_network(request.pid, request.ticks)
    connection = _connected(request.port)
    if connection is None:
        answer(Socket(usable=False))
    else:
        answer(Socket(usable=True), [connection.fileno()])


def listen(answer: Answer, request: Listen) -> None:
    """Listen on a port of a sandbox's loopback address."""
    _enter_network(request.pid, request.ticks)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", request.port))
        listener.listen(_BACKLOG)
    except OSError:
        answer(Socket(usable=False))
    else:
        answer(Socket(usable=True), [listener.fileno()])


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
