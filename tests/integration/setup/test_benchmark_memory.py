"""How the benchmark counts memory."""

import os
import subprocess
import sys

from benchmarks.held import held
from tests.serving import ServerProcess

_TAKE = "import sys; taken = bytearray(64 << 20); print('taken', flush=True); sys.stdin.read()"


def test_what_a_keepers_child_takes_is_counted_once() -> None:
    before = held(os.getpid(), set())
    command = [sys.executable, "-c", _TAKE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        taken = held(os.getpid(), set()).processes - before.processes
    assert 60 << 20 < taken < 100 << 20


def test_a_devbox_is_found_by_its_control_group(server: ServerProcess) -> None:
    with server.client() as client:
        devbox = client.devboxes.create_and_await_running()
        with subprocess.Popen(["sleep", "infinity"]) as keeper:  # it holds the same all the time, as servers do not
            idle = held(keeper.pid, {devbox.id})
            without = held(keeper.pid, set())
            keeper.kill()
        client.devboxes.shutdown(devbox.id)
    assert without.kernel == 0
    assert 10_000 < idle.kernel < 10 << 20, "its first process and its file systems"
    assert idle.processes > without.processes
