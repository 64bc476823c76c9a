"""Student's t distribution, as far as confidence intervals need it."""

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL_FROM = 10_000
"""Degrees of freedom from which the normal quantile stands in; it is less than 0.013 % smaller there."""
_HALVINGS = 80


def within(t: float, degrees: int) -> float:
    """The probability that a t-distributed number lies between -t and t.

    The finite series of Abramowitz and Stegun, *Handbook of Mathematical Functions* (1964), 26.7.3 and 26.7.4, which is
    exact for whole degrees of freedom.

    Args:
        t: At least 0.
        degrees: Degrees of freedom, at least 1.
    """
    angle = math.atan2(t, math.sqrt(degrees))
    cosine = math.cos(angle)
    term = cosine if degrees % 2 else 1.0
    total = term if degrees > 1 else 0.0
    for power in range(2 + degrees % 2, degrees - 1, 2):
        term *= cosine * cosine * (power - 1) / power
        total += term
    if degrees % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


@lru_cache(maxsize=1024)
def critical(degrees: int, confidence: float = 0.95) -> float:
    """The t for which `within(t, degrees)` is the confidence: 12.706 for one degree of freedom and 95 %.

    Args:
        degrees: Degrees of freedom, at least 1.
        confidence: Between 0 and 1, both excluded.
    """
    if degrees >= _NORMAL_FROM:
        return NormalDist().inv_cdf((1 + confidence) / 2)
    low, high = 0.0, 1.0
    while within(high, degrees) < confidence:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if within(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2
