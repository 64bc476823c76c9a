"""Student's t distribution against its printed tables."""

import math

import pytest

from loopyard.bench.reading.statistics.student import critical, within

TABLE = {
    0.95: {1: 12.706, 2: 4.303, 3: 3.182, 5: 2.571, 9: 2.262, 10: 2.228, 30: 2.042, 60: 2.000, 120: 1.980},
    0.99: {1: 63.657, 2: 9.925, 5: 4.032, 10: 3.169, 30: 2.750, 120: 2.617},
}
"""Two-sided critical values as printed in Abramowitz and Stegun, table 26.10, to three places."""


@pytest.mark.parametrize(("confidence", "degrees"), [(c, d) for c, row in TABLE.items() for d in row])
def test_critical_values_are_those_of_the_table(confidence: float, degrees: int) -> None:
    assert critical(degrees, confidence) == pytest.approx(TABLE[confidence][degrees], abs=6e-4)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 2.5, 40.0])
@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 12])
def test_the_series_is_the_integral_of_the_density(t: float, degrees: int) -> None:
    scale = math.gamma((degrees + 1) / 2) / (math.sqrt(degrees * math.pi) * math.gamma(degrees / 2))

    def density(x: float) -> float:
        return scale * (1 + x * x / degrees) ** (-(degrees + 1) / 2)

    steps = 20_000
    width = t / steps
    integral = math.fsum(density((step + 0.5) * width) for step in range(steps)) * width
    assert within(t, degrees) == pytest.approx(2 * integral, abs=1e-6)


def test_many_degrees_of_freedom_come_to_the_normal_distribution() -> None:
    assert critical(9_999) == pytest.approx(critical(10_000), rel=2e-4)
    assert critical(10**9) == pytest.approx(1.959964, abs=1e-6)
