"""How far apart two are that tried the same scenarios."""

import math
from collections.abc import Sequence

from loopyard.bench.reading.statistics.interval import Estimate, clustered_mean


def paired_difference(first: Sequence[Sequence[float]], second: Sequence[Sequence[float]]) -> Estimate | None:
    """The mean over scenarios of (second's mean - first's mean), with its interval.

    The paired analysis of E. Miller, *Adding Error Bars to Evals* (arXiv:2411.00640, 2024): what makes a scenario hard
    is hard for both, so that the differences by scenario vary less than the scores. Several attempts at a scenario
    count by their mean. The interval is Student's for paired samples, *The probable error of a mean* (Biometrika 6,
    1908).

    Args:
        first: The first one's scores at each scenario.
        second: The second one's, in the same order of scenarios. Scenarios without scores of both do not count.

    Returns:
        None where no scenario has scores of both.
    """
    pairs = [(one, other) for one, other in zip(first, second, strict=True) if one and other]
    differences = [[_mean(other) - _mean(one)] for one, other in pairs]
    return clustered_mean(differences, bounds=(-1.0, 1.0))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
