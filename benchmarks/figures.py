"""The statistics of a measurement: where its middle is, how far its tail goes, and how sure that is."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one series, in the unit of its samples.

    `spread` is the median absolute deviation from the median. `median_low` and `median_high` bound the median with a
    confidence of 95 %, by bootstrap.
    """

    count: int
    median: float
    p95: float
    spread: float
    median_low: float
    median_high: float
    smallest: float
    largest: float


def summarize(samples: Sequence[float]) -> Summary:
    """The figures of a series.

    Raises:
        ValueError: It is empty.
    """
    if not samples:
        raise ValueError("a series without samples has no figures")
    median = statistics.median(samples)
    low, high = _median_bounds(samples)
    return Summary(
        count=len(samples),
        median=median,
        p95=quantile(samples, 0.95),
        spread=statistics.median(abs(sample - median) for sample in samples),
        median_low=low,
        median_high=high,
        smallest=min(samples),
        largest=max(samples),
    )


def quantile(samples: Sequence[float], fraction: float) -> float:
    """The value below which this fraction (0..1) of the samples lies, interpolated between the two next to it."""
    ordered = sorted(samples)
    position = fraction * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def _median_bounds(samples: Sequence[float]) -> tuple[float, float]:
    """Medians of samples drawn again and again from the series; the seed is fixed, so that a result can be redone."""
    draw = random.Random(0)  # noqa: S311
    medians = [statistics.median(draw.choices(samples, k=len(samples))) for _ in range(_RESAMPLES)]
    return quantile(medians, 0.025), quantile(medians, 0.975)
