"""A devbox to attack from, another to attack, and ways to run code in them as their root."""

import textwrap
from collections.abc import Generator
from dataclasses import dataclass

import pytest
from runloop_api_client import Runloop
from runloop_api_client.types import DevboxExecutionDetailView

from tests.serving import ServerProcess

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


def _box(server: ServerProcess, name: str) -> Generator[Box]:
    with server.client() as client:
        devbox = client.devboxes.create_and_await_running(name=name)
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
