"""Recent use of the host by devboxes: samples of each minute, and of each few seconds where somebody looks."""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from loopyard.devbox.usage.files import Sample, SampleFiles
from loopyard.kit.clock import now_ms
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import Runtime, SandboxUsage

log = logging.getLogger("loopyard.devbox")

MOST_DEVBOXES = 1000
"""Devboxes whose samples are held in memory; those without a sample for the longest are forgotten first."""
MINUTES = 120
"""Samples of each minute that are held of a devbox. What is older is in its file."""
CLOSE = 120
"""Samples of each few seconds that are held of a devbox that is looked at."""
LEAST_MS = 2000
"""Time between two of them, however many look."""
FINE_MS = 2 * 3600 * 1000
"""Time for which all points are told; before it, one for each `COARSE_MS`."""
COARSE_MS = 10 * 60 * 1000
_GAP_MS = 150_000
"""Time without a sample after which a line is broken: it was suspended, or the server was down."""


@dataclass(frozen=True, slots=True)
class Point:
    """Use at a time, and of the CPU since the point before. None where nothing is known."""

    time_ms: int
    cpu_cores: float | None
    memory_bytes: int | None
    processes: int | None = None


class _Samples:
    def __init__(self) -> None:
        self.minutes: deque[Sample] = deque(maxlen=MINUTES)
        self.close: deque[Sample] = deque(maxlen=CLOSE)

    def samples(self, kept: Sequence[Sample]) -> Iterator[Sample]:
        """All of them in order: those of minutes, of which older ones were kept, up to the first close one."""
        until = self.close[0].time_ms if self.close else None
        since = self.minutes[0].time_ms if self.minutes else None
        older = (one for one in kept if since is None or one.time_ms < since)
        yield from (one for part in (older, self.minutes) for one in part if until is None or one.time_ms < until)
        yield from self.close


class UsageHistory:
    """Samples of one server's devboxes. Those of minutes are kept in files until the devbox ends."""

    def __init__(self, runtime: Runtime, files: SampleFiles) -> None:
        self._runtime = runtime
        self._files = files
        self._rings: OrderedDict[str, _Samples] = OrderedDict()

    async def note(self, usages: Mapping[str, SandboxUsage]) -> None:
        """Keep the samples of a minute, by devbox."""
        samples = {devbox_id: _sample(usage) for devbox_id, usage in usages.items()}
        for devbox_id, sample in samples.items():
            self._ring(devbox_id).minutes.append(sample)
        try:
            await asyncio.to_thread(self._files.append, samples)
        except OSError as error:  # they are in memory still
            log.warning("samples of what devboxes use could not be kept: %s", error)

    async def forget(self, devbox_id: str) -> None:
        """Delete the file of a devbox that has ended. What is in memory is told a while longer."""
        await asyncio.to_thread(self._files.delete, devbox_id)

    async def sweep(self, ended: Callable[[Sequence[str]], Awaitable[Collection[str]]]) -> None:
        """At start: delete the files of devboxes that have ended, or are not known, as `ended` tells."""
        names = await asyncio.to_thread(self._files.names)
        for name in await ended(names) if names else ():
            await asyncio.to_thread(self._files.delete, name)

    async def look(self, devbox_id: str) -> None:
        """Take a sample of a devbox that somebody looks at, unless there is one of just now; none if it is not up."""
        ring = self._rings.get(devbox_id)
        if ring is not None and ring.close and now_ms() - ring.close[-1].time_ms < LEAST_MS:
            return
        try:
            usage = await self._runtime.usage(devbox_id)
        except RuntimeFault:
            return
        close = self._ring(devbox_id).close
        if close and now_ms() - close[-1].time_ms > _GAP_MS:
            close.clear()  # nobody looked meanwhile: the minutes tell more
        close.append(_sample(usage))

    async def points(self, devbox_id: str) -> Sequence[Point]:
        """Use by the devbox in the last day, oldest first."""
        kept = await asyncio.to_thread(self._files.read, devbox_id, now_ms())
        ring = self._rings.get(devbox_id) or _Samples()
        samples = list(ring.samples(kept))
        made = [Point(one.time_ms, None, one.memory_bytes, one.processes) for one in samples[:1]]
        for before, one in pairwise(samples):
            took = one.time_ms - before.time_ms
            if took > _GAP_MS:
                made.append(Point(before.time_ms + 1, None, None))
            # Each start counts the CPU anew.
            is_known = 0 < took <= _GAP_MS and one.cpu_seconds >= before.cpu_seconds
            cores = (one.cpu_seconds - before.cpu_seconds) * 1000 / took if is_known else None
            made.append(Point(one.time_ms, cores, one.memory_bytes, one.processes))
        return _thinned(made, now_ms() - FINE_MS)

    def _ring(self, devbox_id: str) -> _Samples:
        ring = self._rings.setdefault(devbox_id, _Samples())
        self._rings.move_to_end(devbox_id)
        if len(self._rings) > MOST_DEVBOXES:
            self._rings.popitem(last=False)
        return ring


def _sample(usage: SandboxUsage) -> Sample:
    return Sample(now_ms(), usage.cpu_seconds, usage.memory_bytes, usage.processes)


def _thinned(points: Sequence[Point], since_ms: int) -> list[Point]:
    """All points since a time, and one for each `COARSE_MS` before: the mean of the CPU, the most of the rest."""
    old = [one for one in points if one.time_ms < since_ms]
    made: list[Point] = []
    for _, group in groupby(old, lambda one: one.time_ms // COARSE_MS):
        part = list(group)
        made += [one for one in part if one.memory_bytes is None][:1]  # a break of the line
        known = [one for one in part if one.memory_bytes is not None]
        if known:
            cores = [one.cpu_cores for one in known if one.cpu_cores is not None]
            mean = sum(cores) / len(cores) if cores else None
            memory = max(one.memory_bytes or 0 for one in known)
            made.append(Point(known[-1].time_ms, mean, memory, max(one.processes or 0 for one in known)))
    return [*made, *points[len(old) :]]
