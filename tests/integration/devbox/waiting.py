"""Waiting for devboxes, at a pace that fits tests."""

import time
from collections.abc import Callable

from runloop_api_client import Runloop
from runloop_api_client.lib.polling import PollingConfig
from runloop_api_client.types import DevboxExecutionDetailView, DevboxView

POLL = PollingConfig(interval_seconds=0.05, max_attempts=6000)


def wait_for(client: Runloop, devbox_id: str, *statuses: str, seconds: float = 300) -> DevboxView:
    """Wait until the devbox is in one of the statuses.

    Raises:
        AssertionError: It is not within the time.
    """
    found: list[DevboxView] = []

    def arrived() -> bool:
        found[:] = [client.devboxes.retrieve(devbox_id)]
        return found[0].status in statuses

    wait_until(arrived, lambda: f"{found} is not {statuses}", seconds)
    return found[0]


def wait_until(condition: Callable[[], bool], message: Callable[[], str], seconds: float = 300) -> None:
    """Ask again and again.

    Raises:
        AssertionError: The condition does not hold within the time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, message()
        time.sleep(0.05)


def statuses(devbox: DevboxView) -> list[str | None]:
    """Those it went through, in order."""
    return [transition.status for transition in devbox.state_transitions]


def execute(client: Runloop, devbox_id: str, command: str) -> DevboxExecutionDetailView:
    """Run a command to its end."""
    return client.devboxes.execute_sync(devbox_id, command=command)  # pyright: ignore[reportDeprecated]


def run(client: Runloop, devbox_id: str, command: str) -> str:
    """What the command writes to standard output. It must exit with 0."""
    result = execute(client, devbox_id, command)
    assert result.exit_status == 0, result
    return result.stdout
