"""A devbox to attack from, another to attack, and ways to run code in them as their root."""

import json
import textwrap
from collections.abc import Generator
from dataclasses import dataclass

import pytest
from runloop_api_client import Runloop
from runloop_api_client.types import DevboxExecutionDetailView

from tests.integration.devbox.waiting import wait_until
from tests.serving import ServerProcess, serving

_READY = 3
_UNUSUAL = {
    "resource_size_request": "CUSTOM_SIZE",
    "custom_cpu_cores": 1,
    "custom_gb_memory": 2,
    "custom_disk_size": 6,
}
"""Unlike the sandboxes that are kept ready: one of those has to be refitted."""

_HELPERS = """
import ctypes, errno, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def syscall(number, *arguments):
    '''A system call; its result, or the name of the error as text.'''
    result = libc.syscall(ctypes.c_long(number), *arguments)
    return errno.errorcode[ctypes.get_errno()] if result < 0 else result
def attempt(action):
    try:
        return action()
    except OSError as error:
        return errno.errorcode[error.errno]
"""


@dataclass(frozen=True)
class Box:
    """A devbox, and what its inmates can do."""

    client: Runloop
    id: str

    def user(self, command: str) -> DevboxExecutionDetailView:
        """Run a command as the box's user."""
        return self.client.devboxes.execute_sync(self.id, command=command)

    def root(self, command: str) -> DevboxExecutionDetailView:
        """Run a command as the box's root."""
        self.client.devboxes.write_file_contents(self.id, file_path="/tmp/attack.sh", contents=command)
        return self.user("sudo -n bash /tmp/attack.sh")

    def python(self, code: str, *, as_root: bool = True) -> str:
        """Run Python, as the box's root by default; what it printed. `syscall` and `attempt` are there to use."""
        self.client.devboxes.write_file_contents(
            self.id, file_path="/tmp/attack.py", contents=_HELPERS + textwrap.dedent(code)
        )
        result = self.user(f"{'sudo -n ' if as_root else ''}python3 /tmp/attack.py")
        assert result.exit_status == 0, result.stderr
        return result.stdout.strip()


@pytest.fixture(scope="module", params=["made", "refitted"])
def server(
    request: pytest.FixtureRequest, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Generator[ServerProcess]:
    """One that makes its sandboxes when they are asked for, and one that refits sandboxes which were ready."""
    if request.param == "made":
        yield server
        return
    env = {"LOOPYARD_RUNTIME__READY_SANDBOXES": str(_READY)}
    with serving(tmp_path_factory.mktemp("refitting") / "data", env=env) as refitting:
        yield refitting


def _box(server: ServerProcess, name: str) -> Generator[Box]:
    kept = server.data_dir / "ready"
    if kept.exists():
        wait_until(lambda: len([*kept.glob("*/state.json")]) >= _READY, lambda: "none is ready")
    with server.client() as client:
        devbox = client.devboxes.create_and_await_running(name=name, launch_parameters=_UNUSUAL)  # type: ignore[arg-type]
        known = json.loads((server.data_dir / "sandboxes" / devbox.id / "meta.json").read_text())
        assert known["name"].startswith("ready_") == kept.exists()
        yield Box(client, devbox.id)
        client.devboxes.shutdown(devbox.id)


@pytest.fixture(scope="module")
def box(server: ServerProcess) -> Generator[Box]:
    """The attacker's box."""
    yield from _box(server, "attacker")


@pytest.fixture(scope="module")
def other(server: ServerProcess) -> Generator[Box]:
    """A neighbour's box."""
    yield from _box(server, "neighbour")
