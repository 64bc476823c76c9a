"""Forks workers. Started by the server with one end of a socket pair, whose descriptor is its argument.

Each message asks for one thing, as JSON: `{"fork": FOLDER}` with the worker's end of a connection, answered by its
process id; or `{"end": PID}`, answered once that worker is dead and its locks are free. When the server is gone, all
workers are killed.
"""

import contextlib
import gc
import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path

from loopyard.axon.sql.worker import limits
from loopyard.axon.sql.worker.serving import Worker
from loopyard.runtime.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    end_with_parent,
    gain_no_privileges,
    set_dumpable,
    unshare,
)

_NAME = "axon.db"
_NOBODY = 65534
_NICE = 5
_MESSAGE_BYTES = 65_536


def main(descriptor: int) -> None:
    """Serve until the server closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            unshare(CLONE_NEWNET | CLONE_NEWIPC)
    gc.freeze()
    workers: set[int] = set()
    with socket.socket(fileno=descriptor) as control:
        try:
            while True:
                data, descriptors, flags, _ = socket.recv_fds(control, _MESSAGE_BYTES, 1)
                for descriptor in descriptors:
                    os.set_inheritable(descriptor, False)
                if not data or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                    return
                message = json.loads(data)
                if "fork" in message:
                    answer = _fork(message["fork"], descriptors[0], control)
                    os.close(descriptors[0])
                    workers.add(answer)
                else:
                    answer = message["end"]
                    _end(answer)
                    workers.discard(answer)
                control.send(json.dumps(answer).encode())
        finally:
            for worker in workers:
                _end(worker)


def _end(worker: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(worker, 0)


def _fork(folder: str, descriptor: int, control: socket.socket) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        control.close()
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            os.close(descriptor)
            path = _confine(folder)
            Worker(connection, path).run()
            status = 0
    finally:
        os._exit(status)


def _confine(folder: str) -> str:
    """Give up all that a worker does not need. Returns the path of its database from then on."""
    os.nice(_NICE)
    path = str(Path(folder) / _NAME)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    if os.geteuid() == 0:
        os.chroot(folder)
        os.chdir("/")
        path = f"/{_NAME}"
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        _limit(resource.RLIMIT_NPROC, 0)
    end_with_parent(signal.SIGKILL)  # after the change of users, which forgets it
    gain_no_privileges()
    set_dumpable(dumpable=False)
    _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + limits.ADDRESS_SPACE_BYTES)
    _limit(resource.RLIMIT_FSIZE, limits.FILE_BYTES)
    _limit(resource.RLIMIT_NOFILE, limits.OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    return path


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    main(int(sys.argv[1]))
