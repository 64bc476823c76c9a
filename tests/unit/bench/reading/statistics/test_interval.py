"""Means and their intervals: worked examples, and the formula done by hand."""

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopyard.bench.reading.statistics.interval import Estimate, clustered_mean
from loopyard.bench.reading.statistics.student import critical

scores = st.floats(0, 1, allow_nan=False).map(lambda score: round(score, 3))
several_groups = st.lists(st.lists(scores, min_size=1, max_size=4), min_size=2, max_size=6)


def of(groups: list[list[float]], bounds: tuple[float, float] = (0.0, 1.0)) -> Estimate:
    found = clustered_mean(groups, bounds=bounds)
    assert found is not None
    return found


def test_students_own_example_of_1908_comes_out_as_he_has_it() -> None:
    """The additional hours of sleep of ten patients; the interval as in every textbook since."""
    hours = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    found = of([[hour] for hour in hours], (-24.0, 24.0))
    assert found.mean == pytest.approx(1.58)
    assert found.standard_error == pytest.approx(0.38896, abs=1e-5)
    assert (found.low, found.high) == pytest.approx((0.7001142, 2.4598858), abs=1e-6)


def test_attempts_that_all_agree_count_as_one_attempt_each() -> None:
    once = of([[0.0], [1.0], [1.0], [0.5]])
    thrice = of([[0.0] * 3, [1.0] * 3, [1.0] * 3, [0.5] * 3])
    assert (thrice.mean, thrice.low, thrice.high) == pytest.approx((once.mean, once.low, once.high))
    assert (thrice.n, thrice.clusters) == (12, 4)


@given(several_groups)
def test_the_error_is_the_one_of_all_pairs_within_groups(groups: list[list[float]]) -> None:
    found = of(groups)
    values = [value for group in groups for value in group]
    mean = sum(values) / len(values)
    assert found.mean == pytest.approx(mean)
    if found.standard_error is None or len(set(values)) == 1:
        deviations = [sum(group) - mean * len(group) for group in groups]
        assert max(map(abs, deviations)) < 1e-6
        return
    own = sum((value - mean) ** 2 for value in values)
    shared = sum((one - mean) * (other - mean) for group in groups for one, other in permutations(group, 2))
    count = len(groups)
    expected = math.sqrt(max(0.0, own + shared) * count / (count - 1)) / len(values)
    assert found.standard_error == pytest.approx(expected, abs=1e-6)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.mean + 1e-12
    assert found.mean - 1e-12 <= found.high <= 1
    assert found.high - found.low <= 2 * critical(count - 1) * expected + 1e-4


@pytest.mark.parametrize(("count", "limit"), [(1, 0.0250), (5, 0.4782), (10, 0.6915), (100, 0.9638)])
def test_success_everywhere_has_the_exact_binomial_interval(count: int, limit: float) -> None:
    """Lower limits as printed in tables of Clopper and Pearson's intervals."""
    found = of([[1.0, 1.0]] * count)
    assert (found.mean, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(limit, abs=5e-5)
    failure = of([[0.0]] * count)
    assert (failure.mean, failure.low) == (0.0, 0.0)
    assert failure.high == pytest.approx(1 - limit, abs=5e-5)


@pytest.mark.parametrize("groups", [[[0.2, 0.8]], [[0.5], [0.5]], [[0.0, 1.0], [1.0, 0.0]]])
def test_what_tells_nothing_of_its_spread_has_no_interval(groups: list[list[float]]) -> None:
    found = of(groups)
    assert (found.mean, found.low, found.high, found.standard_error) == (0.5, None, None, None)


def test_nothing_has_no_mean() -> None:
    assert clustered_mean([]) is None
    assert clustered_mean([[], []]) is None


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_an_exact_interval_says_what_it_is_of(score: float) -> None:
    found = of([[score] * 2, [score] * 3])
    assert (found.mean, found.standard_error, found.n, found.clusters) == (score, 0.0, 5, 2)


def test_what_has_no_interval_says_what_it_is_of() -> None:
    assert of([[0.5, 0.7]]) == Estimate(0.6, None, None, None, 2, 1)
    assert of([[0.25], [0.25]]) == Estimate(0.25, None, None, None, 2, 2)
    assert of([[0.2, 0.8], [0.8, 0.2]]) == Estimate(0.5, None, None, None, 4, 2), "groups that vary inside only"
