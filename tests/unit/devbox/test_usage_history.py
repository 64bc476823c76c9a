"""Samples of what devboxes use: bounded, taken once for all who look, and turned into lines with gaps."""

import asyncio
from typing import Any, cast

import pytest

from loopyard.devbox.usage import history as usage_history
from loopyard.devbox.usage.history import CLOSE, LEAST_MS, MINUTES, MOST_DEVBOXES, UsageHistory
from loopyard.runtime.errors import SandboxNotFound
from loopyard.runtime.protocol import SandboxUsage


class _Host:
    """Usage of sandboxes, and a clock."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.cpu_seconds = 0.0
        self.asked = 0
        self.is_gone = False

    async def usage(self, sandbox_id: str) -> SandboxUsage:
        self.asked += 1
        if self.is_gone:
            raise SandboxNotFound(sandbox_id)
        return SandboxUsage(1 << 20, self.cpu_seconds, 3)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> _Host:
    made = _Host()
    monkeypatch.setattr(usage_history, "now_ms", lambda: made.now)
    return made


def _history(host: _Host) -> UsageHistory:
    return UsageHistory(cast("Any", host))


def test_cpu_is_what_was_used_since_the_sample_before(host: _Host) -> None:
    history = _history(host)
    asyncio.run(history.look("a"))
    host.now, host.cpu_seconds = host.now + 4000, 2.0
    asyncio.run(history.look("a"))
    first, second = history.points("a")
    assert (first.cpu_cores, second.cpu_cores, second.memory_bytes, second.processes) == (None, 0.5, 1 << 20, 3)


def test_all_who_look_share_a_sample(host: _Host) -> None:
    history = _history(host)
    for _ in range(5):
        asyncio.run(history.look("a"))
        host.now += LEAST_MS // 10
    assert host.asked == 1


def test_a_devbox_that_is_not_up_has_no_sample(host: _Host) -> None:
    history = _history(host)
    host.is_gone = True
    asyncio.run(history.look("a"))
    assert history.points("a") == []


def test_a_new_start_and_a_long_pause_break_the_line(host: _Host) -> None:
    history = _history(host)
    for step, cpu in ((0, 9.0), (60_000, 1.0), (600_000, 2.0)):
        host.now += step
        history.note("a", SandboxUsage(1, cpu, 1))
    assert [(one.cpu_cores, one.memory_bytes) for one in history.points("a")] == [
        (None, 1),
        (None, 1),
        (None, None),
        (None, 1),
    ]


def test_minutes_come_before_what_was_looked_at(host: _Host) -> None:
    history = _history(host)
    for number in range(3):
        history.note("a", SandboxUsage(number, 0, 1))
        host.now += 60_000
    asyncio.run(history.look("a"))
    host.now += 5000
    history.note("a", SandboxUsage(99, 0, 1))
    asyncio.run(history.look("a"))
    assert [one.memory_bytes for one in history.points("a")] == [0, 1, 2, 1 << 20, 1 << 20]


def test_samples_are_bounded(host: _Host) -> None:
    history = _history(host)
    for _ in range(MINUTES + CLOSE):
        history.note("a", SandboxUsage(1, 0, 1))
        host.now += 60_000
    for _ in range(CLOSE + 5):
        asyncio.run(history.look("a"))
        host.now += LEAST_MS
    assert len([one for one in history.points("a") if one.memory_bytes is not None]) <= MINUTES + CLOSE
    for number in range(MOST_DEVBOXES):
        history.note(str(number), SandboxUsage(1, 0, 1))
    assert history.points("a") == []
    assert history.points("0") != []
