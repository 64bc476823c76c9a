"""What a measurement gives: series of samples by subject, and how each was taken."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.figures import Summary, summarize

Unit = Literal["ms", "MiB", "MB/s", "/min", "/s", "%"]
Subject = Literal["loopyard", "podman", "docker"]


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one subject. `how` is the way it was driven. `failed` counts attempts that gave no sample, and
    `errors` says why, each reason once."""

    subject: Subject
    how: str
    samples: list[float]
    failed: int = 0
    errors: Sequence[str] = ()

    @property
    def summary(self) -> Summary | None:
        return summarize(self.samples) if self.samples else None


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing measured, in one or more series, of which all are compared with the one at index `reference`.

    `aim` is the greatest median, in the unit, that the project wants of its own first series; of speeds (MB/s, millions
    of bytes in a second; /min and /s, so many in a minute or a second) the smallest. `error` tells why the measurement
    could not be
    finished.
    """

    name: str
    title: str
    series: list[Series]
    unit: Unit = "ms"
    reference: int = 0
    aim: float | None = None
    note: str = ""
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


async def timed(count: int, action: Callable[[], Awaitable[object]], *, warm: int = 1) -> list[float]:
    """Do it `count` times, one after another, after `warm` times that do not count. Returns milliseconds."""
    for _ in range(warm):
        await action()
    samples: list[float] = []
    for _ in range(count):
        begun = time.perf_counter()
        await action()
        samples.append((time.perf_counter() - begun) * 1000)
    return samples


async def rates(count: int, action: Callable[[], Awaitable[int]], size: int) -> list[float]:
    """Do it `count` times, one after another, after one time that does not count. Returns megabytes in a second.

    Raises:
        ValueError: An action did not move exactly `size` bytes.
    """

    async def whole() -> None:
        if (moved := await action()) != size:
            raise ValueError(f"{moved} bytes were moved instead of {size}")

    return [size / 1e3 / milliseconds for milliseconds in await timed(count, whole)]
