"""A worker does its share of acts, and says that it is free only if it will read what it is given then."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopyard.runtime.crun.launcher.acts import Acts
from loopyard.runtime.crun.launcher.messages import MESSAGE_BYTES
from loopyard.runtime.crun.launcher.worker import Worker


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Where the server hears a worker, and where the launcher does."""
    server, workers_server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    launcher, workers_launcher = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    acts = Acts(str(tmp_path / "acts.lock"))
    pid = os.fork()
    if pid == 0:
        try:
            server.close()
            launcher.close()
            os._exit(Worker(workers_server, workers_launcher, acts).run())
        finally:
            os._exit(99)
    workers_server.close()
    workers_launcher.close()
    for end in (server, launcher):
        end.settimeout(20)
    yield server, launcher
    server.close()
    launcher.close()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_worker_that_ends_after_its_share_does_not_say_that_it_is_free(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    server, launcher = ends
    arguments = {"folder": str(tmp_path / "none"), "after": ""}
    for number in range(1000):
        launcher.send(json.dumps({"number": number, "act": "list", "arguments": arguments}).encode())
        assert json.loads(server.recv(MESSAGE_BYTES)) == {"number": number, "names": []}
        assert json.loads(server.recv(MESSAGE_BYTES)) == {"number": number, "ended": 0}
        if launcher.recv(MESSAGE_BYTES) == b"":
            return
    raise AssertionError("it never ends")
