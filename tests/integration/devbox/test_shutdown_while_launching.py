"""A devbox that is no longer wanted while its launch commands run goes away at once."""

import secrets
import time

import psutil
from runloop_api_client import Runloop


def running(command: str) -> bool:
    """Whether a program is alive on the host, in a box or not, that was started by just these words."""
    return any(
        " ".join(process.info["cmdline"] or []) == command  # pyright: ignore[reportUnknownMemberType]
        for process in psutil.process_iter(["cmdline"])
    )


def wait_until(wanted: bool, command: str) -> None:
    end = time.monotonic() + 120
    while running(command) != wanted:
        assert time.monotonic() < end, f"{command}: {'not started' if wanted else 'still running'}"
        time.sleep(0.05)


def test_its_launch_command_is_stopped(client: Runloop) -> None:
    command = f"sleep 300.{secrets.randbelow(10**9):09}"
    devbox = client.devboxes.create(launch_parameters={"launch_commands": [command, "touch later"]})
    wait_until(True, command)
    ended = client.devboxes.shutdown(devbox.id)
    assert ended.status == "shutdown"
    wait_until(False, command)
    assert client.devboxes.retrieve(devbox.id).status == "shutdown"
