"""Samples of what devboxes use: bounded, taken once for all who look, and turned into lines with gaps."""

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from loopyard.devbox.usage import history as usage_history
from loopyard.devbox.usage.files import KEPT_MS, MOST_KEPT, Sample, SampleFiles
from loopyard.devbox.usage.history import CLOSE, FINE_MS, LEAST_MS, MINUTES, MOST_DEVBOXES, Point, UsageHistory
from loopyard.runtime.errors import SandboxNotFound
from loopyard.runtime.protocol import SandboxUsage


class _Host:
    """Usage of sandboxes, and a clock."""

    def __init__(self) -> None:
        self.now = 10 * KEPT_MS
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


class _History(UsageHistory):
    """A history of few devboxes, which its tests call without an event loop."""

    def told(self, devbox_id: str) -> Sequence[Point]:
        return asyncio.run(self.points(devbox_id))

    def keep(self, devbox_id: str, usage: SandboxUsage) -> None:
        asyncio.run(self.note({devbox_id: usage}))


@pytest.fixture
def files(tmp_path: Path) -> SampleFiles:
    return SampleFiles(tmp_path / "usage")


@pytest.fixture
def history(host: _Host, files: SampleFiles) -> _History:
    return _History(cast("Any", host), files)


def test_cpu_is_what_was_used_since_the_sample_before(host: _Host, history: _History) -> None:
    asyncio.run(history.look("a"))
    host.now, host.cpu_seconds = host.now + 4000, 2.0
    asyncio.run(history.look("a"))
    first, second = history.told("a")
    assert (first.cpu_cores, second.cpu_cores, second.memory_bytes, second.processes) == (None, 0.5, 1 << 20, 3)


def test_all_who_look_share_a_sample(host: _Host, history: _History) -> None:
    for _ in range(5):
        asyncio.run(history.look("a"))
        host.now += LEAST_MS // 10
    assert host.asked == 1


def test_a_devbox_that_is_not_up_has_no_sample(host: _Host, history: _History) -> None:
    host.is_gone = True
    asyncio.run(history.look("a"))
    assert history.told("a") == []


def test_a_new_start_and_a_long_pause_break_the_line(host: _Host, history: _History) -> None:
    for step, cpu in ((0, 9.0), (60_000, 1.0), (600_000, 2.0)):
        host.now += step
        history.keep("a", SandboxUsage(1, cpu, 1))
    assert [(one.cpu_cores, one.memory_bytes) for one in history.told("a")] == [
        (None, 1),
        (None, 1),
        (None, None),
        (None, 1),
    ]


def test_minutes_come_before_what_was_looked_at(host: _Host, history: _History) -> None:
    for number in range(3):
        history.keep("a", SandboxUsage(number, 0, 1))
        host.now += 60_000
    asyncio.run(history.look("a"))
    host.now += 5000
    history.keep("a", SandboxUsage(99, 0, 1))
    asyncio.run(history.look("a"))
    assert [one.memory_bytes for one in history.told("a")] == [0, 1, 2, 1 << 20, 1 << 20]


def test_samples_are_bounded(host: _Host, history: _History) -> None:
    for _ in range(MINUTES + CLOSE):
        history.keep("a", SandboxUsage(1, 0, 1))
        host.now += 60_000
    for _ in range(CLOSE + 5):
        asyncio.run(history.look("a"))
        host.now += LEAST_MS
    assert len([one for one in history.told("a") if one.memory_bytes is not None]) <= MINUTES + CLOSE + 24 * 6
    asyncio.run(history.note({str(number): SandboxUsage(1, 0, 1) for number in range(MOST_DEVBOXES)}))
    asyncio.run(history.forget("a"))
    assert history.told("a") == []
    assert history.told("0") != []


def test_samples_outlive_the_server(host: _Host, history: _History, files: SampleFiles) -> None:
    for number in range(3):
        history.keep("a", SandboxUsage(number, number * 6.0, 1))
        host.now += 60_000
    before = history.told("a")
    after = _History(cast("Any", host), files)
    assert after.told("a") == before
    after.keep("a", SandboxUsage(3, 18.0, 1))
    assert [(one.memory_bytes, one.cpu_cores) for one in after.told("a")] == [(0, None), (1, 0.1), (2, 0.1), (3, 0.1)]


def test_older_points_are_fewer(host: _Host, history: _History) -> None:
    for number in range(24 * 60 + 100):
        history.keep("a", SandboxUsage(number, number * 6.0, 1))
        host.now += 60_000
    told = history.told("a")
    old = [one for one in told if one.time_ms < host.now - FINE_MS]
    assert len(told) - len(old) == 120
    assert 22 * 6 <= len(old) <= 22 * 6 + 2
    assert {round(one.cpu_cores, 9) for one in told if one.cpu_cores is not None} == {0.1}
    assert told[0].time_ms >= host.now - KEPT_MS


def test_a_torn_sample_and_zeros_are_passed_over(host: _Host, files: SampleFiles, tmp_path: Path) -> None:
    path = tmp_path / "usage/a"
    first, second = (Sample(host.now - ago, 1.0, 2, 3) for ago in (2000, 1000))
    files.append({"a": first})
    with path.open("ab") as file:
        file.write(bytes(32) + b"torn")
    assert files.read("a", host.now) == [first]
    files.append({"a": second})
    assert files.read("a", host.now) == [first, second]
    assert files.read("a", host.now + KEPT_MS - 1500) == [second]


def test_files_are_bounded_and_deleted_with_their_devbox(host: _Host, files: SampleFiles, tmp_path: Path) -> None:
    for number in range(3 * MOST_KEPT):
        files.append({"a": Sample(host.now + number, 1.0, 2, 3)})
        assert (tmp_path / "usage/a").stat().st_size <= 32 * (2 * MOST_KEPT + 1)
    assert len(files.read("a", host.now + 3 * MOST_KEPT)) == MOST_KEPT
    files.delete("a")
    files.delete("a")
    assert files.read("a", host.now) == []


def test_files_of_devboxes_that_ended_are_swept(host: _Host, history: _History, files: SampleFiles) -> None:
    asyncio.run(history.note({name: SandboxUsage(1, 0, 1) for name in ("runs", "ended")}))

    async def ended(names: Sequence[str]) -> Collection[str]:
        return {name for name in names if name != "runs"}

    asyncio.run(history.sweep(ended))
    assert files.names() == ["runs"]


def test_a_full_disk_costs_no_sample_in_memory(host: _Host, history: _History, tmp_path: Path) -> None:
    (tmp_path / "usage").write_text("no folder")
    asyncio.run(history.note({"a": SandboxUsage(1, 0, 1)}))
    (tmp_path / "usage").unlink()
    assert len(history.told("a")) == 1
