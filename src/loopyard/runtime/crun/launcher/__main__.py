"""The launcher's main loop: a request comes, a worker is given it, the loop goes on."""

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from loopyard.runtime.crun.launcher import place, programs, room, slots
from loopyard.runtime.crun.launcher.acts import Acts
from loopyard.runtime.crun.launcher.messages import MessageCut, MessageTooLong, receive, send
from loopyard.runtime.crun.launcher.null_device import reclaim_null
from loopyard.runtime.crun.launcher.processes import keep_only, log_unexpected
from loopyard.runtime.crun.launcher.requests import OTHER_VERSION, VERSION
from loopyard.runtime.crun.launcher.worker import Worker

_WARM = 4
"""How many workers there are from the start."""

_MOST_IDLE = 16

_RUSH = 6
_RUSH_SECONDS = 0.02
"""While so many workers were given a program to start within so short a time, the next one waits for one of them rather
than have a new one made: most programs end soon, and a new worker's first act costs five times as much as later ones.
"""
_RUSH_LOOK_SECONDS = 0.002


@dataclass(eq=False)
class _WorkerHandle:
    """A worker as the launcher sees it; `number` is the request it works on."""

    pid: int
    channel: socket.socket
    number: int | None = None
    sandbox: str | None = None
    """Where it started a program last: it may be ready to start the next one there."""
    given_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Request:
    """A message for a worker; `sandbox` is where it is to start a program, if it is."""

    message: dict[str, Any]
    descriptors: list[int]
    number: int
    sandbox: str | None


class Launcher:
    """Reads requests from `server`, a sequential-packet socket, until the server closes it or dies."""

    def __init__(self, server: socket.socket, acts: Acts, keep_room: Callable[[], int] | None) -> None:
        """`keep_room` starts the process that keeps room on the host, and returns its id; None for no such process."""
        self._server = server
        self._acts = acts
        self._hands: dict[int, _WorkerHandle] = {}
        self._idle: list[_WorkerHandle] = []
        self._waiting: deque[_Request] = deque()
        self._slots: dict[int, slots.Slot] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._wake_end = socket.socketpair()
        self._wake.setblocking(False)
        self._wake_end.setblocking(False)
        signal.signal(signal.SIGCHLD, _do_nothing)
        signal.set_wakeup_fd(self._wake_end.fileno(), warn_on_full_buffer=False)
        for source in (server, self._wake):
            self._selector.register(source, selectors.EVENT_READ)
        self._idle += [self._spawn() for _ in range(_WARM)]
        self._keep_room = keep_room
        self._room = None if keep_room is None else keep_room()

    def run(self) -> None:
        while True:
            # What workers tell comes before what the server asks: it may be what the server asks for.
            pause = _RUSH_LOOK_SECONDS if self._waiting else None
            for key, _ in sorted(self._selector.select(pause), key=lambda event: event[0].fileobj is self._server):
                try:
                    if key.fileobj is self._wake:
                        self._reap()
                    elif isinstance(key.data, _WorkerHandle):
                        self._listen(key.data)
                    elif not self._serve():
                        return
                except Exception:  # one request, or one worker, must not end what all need
                    log_unexpected("an event of the launcher's loop")
            self._hand_out()

    def _spawn(self) -> _WorkerHandle:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.set_wakeup_fd(-1)
                keep_only([self._server.fileno(), theirs.fileno(), *programs.sealed()])
                status = Worker(self._server, theirs, self._acts).run()
            except Exception:
                log_unexpected("a worker")
            finally:
                os._exit(status)
        theirs.close()
        ours.setblocking(False)
        hand = _WorkerHandle(pid, ours)
        self._hands[pid] = hand
        self._selector.register(ours, selectors.EVENT_READ, hand)
        return hand

    def _listen(self, hand: _WorkerHandle) -> None:
        """Hear what a worker has to say: that it has made a slot ready, or that it is free."""
        while hand.pid in self._hands:
            try:
                message, descriptors = receive(hand.channel)
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = None, []
            if message is None:
                self._selector.unregister(hand.channel)  # it has ended, or is about to
                hand.channel.close()
                return
            if descriptors:
                number, slot = slots.received(message, descriptors)
                self._slots[number] = slot
            elif len(self._idle) < _MOST_IDLE:
                hand.number = None
                self._idle.append(hand)
            else:
                hand.number = None
                hand.channel.shutdown(socket.SHUT_WR)

    def _serve(self) -> bool:
        """Take a request of the server's; false once it asks no more."""
        try:
            request, descriptors = receive(self._server)
        except ConnectionResetError:
            return False
        except MessageCut as error:
            if error.number is not None:
                self._tell(error.number, error=str(error))
            return True
        if request is None:
            return False
        try:
            self._take(request, descriptors)
        except Exception as error:
            log_unexpected(f"the request {request.get('act')}")
            self._tell(request["number"], error=f"{type(error).__name__}: {error}")
        return True

    def _take(self, request: dict[str, Any], descriptors: list[int]) -> None:
        """Give a request to a worker, now or soon."""
        if request["act"] == "execute":
            self._waiting.append(_Request(request, descriptors, request["number"], request["arguments"]["id"]))
            return
        try:
            given = descriptors
            if request["act"] == "create":
                slot = self._slot(request["arguments"]["slot"])
                if slot is None:
                    self._tell(request["number"], error="the slot's namespaces are gone")
                    return
                request["uid_base"] = slot.uid_base
                given = [slot.user_namespace, slot.network_namespace]
            self._give(_Request(request, given, request["number"], None))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _hand_out(self) -> None:
        """Have the programs started that wait for a worker."""
        while self._waiting and (self._idle or not self._is_rushed()):
            request = self._waiting.popleft()
            try:
                self._give(request)
            except Exception as error:
                log_unexpected("starting a program")
                self._tell(request.number, error=f"{type(error).__name__}: {error}")
            finally:
                for descriptor in request.descriptors:
                    os.close(descriptor)

    def _is_rushed(self) -> bool:
        since = time.monotonic() - _RUSH_SECONDS
        return sum(hand.number is not None and hand.given_at > since for hand in self._hands.values()) >= _RUSH

    def _give(self, request: _Request) -> None:
        while True:
            hand = self._pick(request.sandbox) if self._idle else self._spawn()
            hand.sandbox = request.sandbox or hand.sandbox
            try:
                send(hand.channel, request.message, request.descriptors)
            except MessageTooLong as error:
                self._idle.append(hand)
                self._tell(request.number, error=str(error))
                return
            except OSError:  # somebody killed it
                continue
            hand.number = request.number
            hand.given_at = time.monotonic()
            return

    def _pick(self, sandbox: str | None) -> _WorkerHandle:
        """A worker that is free. To start a program, the one that did so last in this sandbox, or else the one that
        was free for longest; for all else the one whose memory is warmest."""
        if sandbox is None:
            return self._idle.pop()
        known = (place for place, hand in enumerate(self._idle) if hand.sandbox == sandbox)
        return self._idle.pop(next(known, 0))

    def _slot(self, number: int) -> slots.Slot | None:
        if number not in self._slots:
            for hand in list(self._hands.values()):  # its maker may have said so just now
                if hand.channel.fileno() >= 0:
                    self._listen(hand)
        return self._slots.get(number)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake.recv(4096):
                pass
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._remove(ended[0], os.waitstatus_to_exitcode(ended[1]))

    def _remove(self, pid: int, status: int) -> None:
        if pid == self._room and self._keep_room is not None:  # somebody killed it
            self._room = self._keep_room()
        hand = self._hands.get(pid)
        if hand is None:
            return
        if hand.channel.fileno() >= 0:
            self._listen(hand)  # its last words
        if hand.channel.fileno() >= 0:
            self._selector.unregister(hand.channel)
            hand.channel.close()
        del self._hands[pid]
        if hand in self._idle:
            self._idle.remove(hand)
        if hand.number is not None:
            self._tell(hand.number, ended=status)

    def _tell(self, number: int, **fields: Any) -> None:
        with contextlib.suppress(OSError):
            send(self._server, {"number": number, **fields})


def _do_nothing(_number: int, _frame: object) -> None:
    """The signal wakes the loop by its descriptor."""


def _room_keeper(given: place.Place) -> Callable[[], int] | None:
    if given["pool_image"] is None or given["kept_for"] is None or not room.is_kept(given["pool_image"]):
        return None
    return partial(room.keep, given["pool_image"], given["pool"], given["kept_for"])


def main() -> int:
    server = socket.socket(fileno=int(sys.argv[1]))
    server.set_inheritable(False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when the server does
    given: place.Place = json.loads(sys.argv[2])
    if given.get("version") != VERSION:
        send(server, {"number": 0, "version": VERSION, "error": OTHER_VERSION})
        return 1
    try:
        disk_limits = place.enter(given)
    except OSError as error:
        send(server, {"number": 0, "version": VERSION, "error": str(error)})
        return 1
    acts = Acts(given["acts"])
    acts.wait_for_others()
    programs.seal(given["crun"])
    reclaim_null()
    gc.collect()
    gc.freeze()
    launcher = Launcher(server, acts, _room_keeper(given))
    keeps_room = given["pool_image"] is None or room.is_kept(given["pool_image"])
    send(server, {"number": 0, "version": VERSION, "disk_limits": disk_limits, "keeps_room": keeps_room})
    launcher.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
