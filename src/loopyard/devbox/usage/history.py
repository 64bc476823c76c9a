"""Recent use of the host by devboxes: samples of each minute, and of each few seconds where somebody looks."""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from loopyard.kit.clock import now_ms
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import Runtime, SandboxUsage

MOST_DEVBOXES = 1000
"""Devboxes whose samples are held; those that have been without a sample for the longest are forgotten first."""
MINUTES = 120
"""Samples of each minute that are held of a devbox."""
CLOSE = 120
"""Samples of each few seconds that are held of a devbox that is looked at."""
LEAST_MS = 2000
"""Time between two of them, however many look."""
_GAP_MS = 150_000
"""Time without a sample after which a line is broken: it was suspended, or the server was down."""


@dataclass(frozen=True, slots=True)
class Sample:
    time_ms: int
    cpu_seconds: float
    memory_bytes: int
    processes: int


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

    def samples(self) -> Iterator[Sample]:
        """All of them in order: those of minutes up to the first close one."""
        until = self.close[0].time_ms if self.close else None
        yield from (one for one in self.minutes if until is None or one.time_ms < until)
        yield from self.close


class UsageHistory:
    """Samples of one server's devboxes. They are gone when it ends; the logs of devboxes keep those of minutes."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._rings: OrderedDict[str, _Samples] = OrderedDict()

    def note(self, devbox_id: str, usage: SandboxUsage) -> None:
        """Keep the sample of a minute."""
        self._ring(devbox_id).minutes.append(_sample(usage))

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

    def points(self, devbox_id: str) -> Sequence[Point]:
        """Recent use by the devbox, oldest first."""
        ring = self._rings.get(devbox_id)
        samples = [] if ring is None else list(ring.samples())
        made = [Point(one.time_ms, None, one.memory_bytes, one.processes) for one in samples[:1]]
        for before, one in pairwise(samples):
            took = one.time_ms - before.time_ms
            if took > _GAP_MS:
                made.append(Point(before.time_ms + 1, None, None))
            # Each start counts the CPU anew.
            is_known = 0 < took <= _GAP_MS and one.cpu_seconds >= before.cpu_seconds
            cores = (one.cpu_seconds - before.cpu_seconds) * 1000 / took if is_known else None
            made.append(Point(one.time_ms, cores, one.memory_bytes, one.processes))
        return made

    def _ring(self, devbox_id: str) -> _Samples:
        ring = self._rings.setdefault(devbox_id, _Samples())
        self._rings.move_to_end(devbox_id)
        if len(self._rings) > MOST_DEVBOXES:
            self._rings.popitem(last=False)
        return ring


def _sample(usage: SandboxUsage) -> Sample:
    return Sample(now_ms(), usage.cpu_seconds, usage.memory_bytes, usage.processes)
