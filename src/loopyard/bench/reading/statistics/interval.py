"""The mean of scores, and how far it can be trusted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loopyard.bench.reading.statistics.student import critical

CONFIDENCE = 0.95

_NOISE = 1e-12
"""Bound of rounding noise: smaller differences are none."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval. `low` and `high` are None where the data cannot tell how far the mean may be off: with
    a single cluster, or where all are alike without all being 0 or all 1.

    `n` counts the values and `clusters` the groups that they come from.
    """

    mean: float
    low: float | None
    high: float | None
    standard_error: float | None
    n: int
    clusters: int


def clustered_mean(groups: Sequence[Sequence[float]], *, bounds: tuple[float, float] = (0.0, 1.0)) -> Estimate | None:
    """The mean over all values, with an interval that knows that values of one group (attempts at one scenario) are
    alike.

    The standard error is the clustered one of E. Miller, *Adding Error Bars to Evals* (arXiv:2411.00640, 2024): with
    the deviations e from the mean, the square root of the sum over groups of (sum of the group's e) squared, by the
    number of values. It is corrected for few groups by G / (G - 1) and taken with the t distribution with G - 1 degrees
    of freedom, as A. C. Cameron and D. L. Miller, *A Practitioner's Guide to Cluster-Robust Inference* (Journal of
    Human Resources 50, 2015), section VI, advise. With one value in each group this is the textbook's s / sqrt(n) and
    Student's interval.

    Where all values are 0, or all are 1, nothing varies and that interval would be a point. Then the interval is the
    exact one of C. J. Clopper and E. S. Pearson, *The use of confidence or fiducial limits* (Biometrika 26, 1934), of G
    successes, or none, in G trials: each group counts as one trial.

    Args:
        groups: The values by group; empty groups do not count.
        bounds: Between which all values must lie. The interval is cut there.

    Returns:
        None without any value.
    """
    filled = [group for group in groups if group]
    if not filled:
        return None
    values = [value for group in filled for value in group]
    n, count = len(values), len(filled)
    mean = math.fsum(values) / n
    low, high = bounds
    alike = max(values) - min(values) <= _NOISE
    if alike and bounds == (0.0, 1.0) and mean in bounds:
        limit = ((1 - CONFIDENCE) / 2) ** (1 / count)
        return Estimate(mean, limit if mean else 0.0, 1.0 if mean else 1 - limit, 0.0, n, count)
    if alike or count == 1:
        return Estimate(mean, None, None, None, n, count)
    spread = math.fsum(math.fsum(value - mean for value in group) ** 2 for group in filled)
    error = math.sqrt(count / (count - 1) * spread) / n
    if error <= _NOISE:
        return Estimate(mean, None, None, None, n, count)
    reach = critical(count - 1, CONFIDENCE) * error
    return Estimate(mean, max(low, mean - reach), min(high, mean + reach), error, n, count)
