"""A child of the launcher that does one act after the other.

A forked Python spends most of its first act on copying the pages it touches; later ones cost a fifth. So workers stay.
"""

import contextlib
import gc
import os
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from loopyard.runtime.crun.launcher import attached, box, disks, grading, reconfigure, slots, supervisor
from loopyard.runtime.crun.launcher.acts import Acts
from loopyard.runtime.crun.launcher.helper import Helper
from loopyard.runtime.crun.launcher.messages import MessageTooLong, receive, send

_MOST_ACTS = 200
"""After so many acts a worker makes room for a fresh one, whatever it may have piled up."""

_ACTS: dict[str, Callable[..., int | None]] = {
    "create": box.create,
    "destroy": box.destroy,
    "prepare": slots.prepare,
    "execute": supervisor.execute,
    "attach": attached.attach,
    "connect": attached.connect,
    "listen": attached.listen,
    "reconfigure": reconfigure.reconfigure,
    "snapshot": disks.snapshot,
    "delete": disks.delete,
    "put_aside": disks.put_aside,
    "list": disks.listing,
    "measure": disks.measure,
    "stop_all": grading.stop_all,
    "restore": grading.restore,
    "share": grading.share,
}
_LAST_ACTS = frozenset({"prepare", "attach", "connect", "listen", "restore", "share"})
"""Acts that leave the worker somewhere else, or whose end is told by its own."""

_HARMLESS = frozenset({"execute", "attach", "connect", "listen"})
"""Acts that change nothing of what a sandbox is, and may take as long as it lives."""


class Worker:
    """Takes requests from the launcher by `channel`, and answers to the server."""

    def __init__(self, server: socket.socket, channel: socket.socket, acts: Acts) -> None:
        self._server = server
        self._acts = acts
        self._channel = channel
        self._helper: Helper | None = None
        """Ready to start a program, if this worker has been asked for that before."""
        self._sandbox: dict[str, Any] | None = None
        """Where it started the last one."""

    def run(self) -> int:
        """Work until the launcher hangs up. Returns this process's exit status."""
        try:
            return self._work()
        finally:
            if self._helper is not None:
                self._helper.dismiss()

    def _work(self) -> int:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        gc.disable()
        os.setsid()
        for left in reversed(range(_MOST_ACTS)):
            request, descriptors = receive(self._channel)
            if request is None:
                return 0
            with self._acts.begin(request["act"] in _HARMLESS) as allowed:
                if not allowed:
                    return 0
                status, fine = self._act(request, descriptors)
            if not fine or request["act"] in _LAST_ACTS:
                return status
            if request["act"] != "execute":
                self._tell(request["number"], ended=status)
            elif left > 0:
                with contextlib.suppress(OSError):  # without a helper the next program is started a little later
                    self._prepare(request["arguments"]["sandbox"])
            if left == 0:  # it must not say that it is free: the launcher would hand it what nobody reads
                return 0
            try:
                self._channel.send(b"{}")
            except OSError:  # the launcher is gone
                return 0
        return 0

    def _act(self, request: dict[str, Any], descriptors: list[int]) -> tuple[int, bool]:
        """Do it. Returns the exit status, and whether the worker is as good as before."""
        number, act, arguments = request["number"], request["act"], request["arguments"]

        def answer(descriptors: Sequence[int] = (), **fields: Any) -> None:
            self._tell(number, descriptors, **fields)

        try:
            if act == "create":
                arguments["slot"] = slots.Slot(descriptors[0], descriptors[1], arguments["slot"])
            elif act == "execute":
                arguments["process"], arguments["helper"] = descriptors[0], self._take_helper(arguments["sandbox"])
                arguments["ended"] = partial(self._tell, number, ended=0)  # what remains to be done nobody waits for
            elif act == "prepare":
                arguments["donations"] = self._channel
            elif act == "attach":
                arguments |= {"descriptors": descriptors, "server": self._server}
            return _ACTS[act](answer, **arguments) or 0, True
        except Exception as error:  # whatever it is, the server must hear of it
            answer(error=f"{type(error).__name__}: {error}")
            return 1, False
        finally:
            if act == "create":
                for descriptor in descriptors:
                    os.close(descriptor)

    def _take_helper(self, sandbox: dict[str, Any]) -> Helper:
        helper, self._helper = self._helper, None
        if helper is not None and helper.fits(sandbox):
            return helper
        if helper is not None:
            helper.dismiss()
        return self._new_helper()

    def _prepare(self, sandbox: dict[str, Any]) -> None:
        """Have a helper ready for the next program: in the sandbox already, if the last two were started there."""
        self._helper = self._new_helper()
        if sandbox == self._sandbox:
            self._helper.join(sandbox)
        self._sandbox = sandbox

    def _new_helper(self) -> Helper:
        return Helper.fork()

    def _tell(self, number: int, descriptors: Sequence[int] = (), **fields: Any) -> None:
        with contextlib.suppress(OSError):  # the server is gone; its next start looks at what was written
            try:
                send(self._server, {"number": number, **fields}, descriptors)
            except MessageTooLong as error:
                send(self._server, {"number": number, "error": str(error)})
