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

from loopyard.runtime.crun.launcher import (
    attached,
    box,
    disks,
    folder_patch,
    grading,
    reconfigure,
    requests,
    slots,
    supervisor,
)
from loopyard.runtime.crun.launcher.acts import Acts
from loopyard.runtime.crun.launcher.helper import Helper
from loopyard.runtime.crun.launcher.messages import MessageTooLong, receive, send
from loopyard.runtime.crun.launcher.requests import (
    Answer,
    Attach,
    Content,
    Create,
    Execute,
    JoinTarget,
    PrepareSlot,
    Request,
    fields_of,
    read_request,
)

_MOST_ACTS = 200
"""After so many acts a worker makes room for a fresh one, whatever it may have piled up."""

_ACTS: dict[type[Request[Any]], Callable[[Answer, Any], None]] = {
    requests.Destroy: box.destroy,
    requests.Reconfigure: reconfigure.reconfigure,
    requests.Connect: attached.connect,
    requests.Listen: attached.listen,
    requests.Snapshot: disks.snapshot,
    requests.DeleteDisk: disks.delete,
    requests.PutAside: disks.put_aside,
    requests.ListDisks: disks.listing,
    requests.Measure: disks.measure,
    requests.MeasureShared: disks.measure_shared,
    requests.StopAll: grading.stop_all,
    requests.Restore: grading.restore,
    requests.Compare: folder_patch.compare,
    requests.Share: grading.share,
}
"""Acts that need nothing but what the request says."""

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
        self._sandbox: JoinTarget | None = None
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
            message, descriptors = receive(self._channel)
            if message is None:
                return 0
            act, number = message["act"], message["number"]
            with self._acts.begin(act in _HARMLESS) as allowed:
                if not allowed:
                    return 0
                try:
                    request = read_request(act, message["arguments"])
                    status = self._act(message, request, descriptors)
                except Exception as error:  # whatever it is, the server must hear of it
                    self._tell({"number": number, "error": f"{type(error).__name__}: {error}"})
                    return 1
            if act in _LAST_ACTS:
                return status
            if not isinstance(request, Execute):
                self._tell({"number": number, "ended": status})
            elif left > 0:
                with contextlib.suppress(OSError):  # without a helper the next program is started a little later
                    self._prepare(request.sandbox)
            if left == 0:  # it must not say that it is free: the launcher would hand it what nobody reads
                return 0
            try:
                self._channel.send(b"{}")
            except OSError:  # the launcher is gone
                return 0
        return 0

    def _act(self, message: dict[str, Any], request: Request[Any], descriptors: list[int]) -> int:
        """Do what a request says that came with a message. Returns the exit status."""
        number = message["number"]

        def answer(content: Content, descriptors: Sequence[int] = ()) -> None:
            self._tell({"number": number, **fields_of(content)}, descriptors)

        match request:
            case Create():
                try:
                    box.create(answer, request, slots.Slot(descriptors[0], descriptors[1], message["uid_base"]))
                finally:
                    for descriptor in descriptors:
                        os.close(descriptor)
            case Execute():
                ended = partial(self._tell, {"number": number, "ended": 0})  # what is left to do nobody waits for
                supervisor.execute(answer, request, descriptors[0], self._take_helper(request.sandbox), ended)
            case PrepareSlot():
                slots.prepare(answer, request, self._channel)
            case Attach():
                return attached.attach(answer, request, descriptors, self._server)
            case _:
                _ACTS[type(request)](answer, request)
        return 0

    def _take_helper(self, sandbox: JoinTarget) -> Helper:
        helper, self._helper = self._helper, None
        if helper is not None and helper.fits(sandbox):
            return helper
        if helper is not None:
            helper.dismiss()
        return self._new_helper()

    def _prepare(self, sandbox: JoinTarget) -> None:
        """Have a helper ready for the next program: in the sandbox already, if the last two were started there."""
        self._helper = self._new_helper()
        if sandbox == self._sandbox:
            self._helper.join(sandbox)
        self._sandbox = sandbox

    def _new_helper(self) -> Helper:
        return Helper.fork()

    def _tell(self, content: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        with contextlib.suppress(OSError):  # the server is gone; its next start looks at what was written
            try:
                send(self._server, content, descriptors)
            except MessageTooLong as error:
                send(self._server, {"number": content["number"], "error": str(error)})
