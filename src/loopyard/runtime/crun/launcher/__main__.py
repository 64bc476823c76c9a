"""The launcher's main loop: a request comes, a child does it and answers, the loop goes on."""

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from loopyard.runtime.crun.launcher import attached, box, disks, place, slots, supervisor

_MESSAGE_BYTES = 1 << 16
_ACTS: dict[str, Callable[..., int | None]] = {
    "create": box.create,
    "destroy": box.destroy,
    "prepare": slots.prepare,
    "execute": supervisor.execute,
    "attach": attached.attach,
    "connect": attached.connect,
    "listen": attached.listen,
    "snapshot": disks.snapshot,
    "delete": disks.delete,
    "list": disks.listing,
}
_MOST_DESCRIPTORS = 3


class Launcher:
    """Reads requests from `server`, a sequential-packet socket, until the server closes it or dies."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self._children: dict[int, int] = {}
        self._slots: dict[int, slots.Slot] = {}
        self._donated, self._donations = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._donated.setblocking(False)
        self._wake, wake = socket.socketpair()
        self._wake.setblocking(False)
        wake.setblocking(False)
        signal.signal(signal.SIGCHLD, _do_nothing)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._wake_end = wake

    def run(self) -> None:
        selector = selectors.DefaultSelector()
        for source in (self._server, self._donated, self._wake):
            selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is self._wake:
                    self._reap()
                elif key.fileobj is self._donated:
                    self._take_slots()
                elif not self._serve():
                    return

    def _take_slots(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                number, slot = slots.receive(self._donated)
                self._slots[number] = slot

    def _serve(self) -> bool:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._server, _MESSAGE_BYTES, _MOST_DESCRIPTORS)
        except ConnectionResetError:
            return False
        if not message:
            return False
        self._take_slots()  # one that was made ready for this request may be waiting still
        request: dict[str, Any] = json.loads(message)
        number = request["number"]
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _calm()
                status = self._act(number, request, descriptors)
            finally:
                os._exit(status)
        for descriptor in descriptors:
            os.close(descriptor)
        self._children[child] = number
        return True

    def _act(self, number: int, request: dict[str, Any], given: list[int]) -> int:
        def answer(descriptors: Sequence[int] = (), **fields: Any) -> None:
            with contextlib.suppress(OSError):  # the server is gone; its next start looks at what was written
                socket.send_fds(self._server, [json.dumps({"number": number, **fields}).encode()], descriptors)

        arguments: dict[str, Any] = request["arguments"]
        if "slot" in arguments and request["act"] != "prepare":
            arguments["slot"] = self._slots[arguments["slot"]]
        if request["act"] == "prepare":
            arguments["donations"] = self._donations
        if request["act"] == "attach":
            arguments |= {"descriptors": given, "server": self._server}
        try:
            return _ACTS[request["act"]](answer, **arguments) or 0
        except Exception as error:  # whatever it is, the server must hear of it
            answer(error=f"{type(error).__name__}: {error}")
            return 1

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake.recv(4096):
                pass
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                number = self._children.pop(ended[0], None)
                if number is not None:
                    message = {"number": number, "ended": os.waitstatus_to_exitcode(ended[1])}
                    with contextlib.suppress(OSError):
                        self._server.send(json.dumps(message).encode())


def _do_nothing(_number: int, _frame: object) -> None:
    """The signal wakes the loop by its descriptor."""


def _calm() -> None:
    """Undo, in a child, what only the loop needs."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    gc.disable()


def main() -> int:
    server = socket.socket(fileno=int(sys.argv[1]))
    server.set_inheritable(False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when the server does
    try:
        disk_limits = place.enter(json.loads(sys.argv[2]))
    except OSError as error:
        server.send(json.dumps({"number": 0, "error": str(error)}).encode())
        return 1
    gc.collect()
    gc.freeze()
    server.send(json.dumps({"number": 0, "disk_limits": disk_limits}).encode())
    Launcher(server).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
