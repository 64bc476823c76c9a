"""CPU and memory of a devbox over time, as its page shows them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from loopyard.console.page import Page
from loopyard.devbox.schemas import DevboxView
from loopyard.devbox.usage.history import Point, UsageHistory

LOOK_SECONDS = 5.0
MOST_ROWS = 20
"""Rows of the table beside the charts, which have more points."""


@dataclass(frozen=True, slots=True)
class Usage:
    data: str
    """JSON for the charts: seconds since 1970, cores in use, MiB in use, and the most of both."""
    rows: Sequence[Point]
    """Newest first."""
    most_cores: float
    most_memory: int


async def usage_of(page: Page, devbox: DevboxView) -> Usage:
    """Figures of what a devbox has used lately, with a sample of now if it runs."""
    history = page.parts.get(UsageHistory)
    if devbox.status == "running":
        await history.look(devbox.id)
    points = await history.points(devbox.id)
    limits = devbox.launch_parameters.limits
    data = {
        "times": [round(one.time_ms / 1000, 1) for one in points],
        "cpu": [None if one.cpu_cores is None else round(one.cpu_cores, 3) for one in points],
        "memory": [None if one.memory_bytes is None else round(one.memory_bytes / 2**20, 1) for one in points],
        "most": [limits.cpu_cores, limits.memory_bytes / 2**20],
    }
    rows = [one for one in reversed(points) if one.memory_bytes is not None]
    step = max(1, len(rows) // MOST_ROWS)
    return Usage(json.dumps(data), rows[::step][:MOST_ROWS], limits.cpu_cores, limits.memory_bytes)
