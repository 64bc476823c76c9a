"""Differences between two that tried the same scenarios."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopyard.bench.reading.statistics.interval import clustered_mean
from loopyard.bench.reading.statistics.paired import paired_difference

attempts = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), max_size=3)
pairs = st.lists(st.tuples(attempts, attempts), min_size=1, max_size=6)


def test_a_worked_example() -> None:
    """Differences 0.5, 0.25, 0, 0.25: mean 0.25, s = 0.2041, standard error 0.1021, t(3) = 3.1824."""
    first = [[0.0], [0.5], [1.0], [0.0, 0.5]]
    second = [[0.5], [0.75], [1.0, 1.0], [0.5]]
    found = paired_difference(first, second)
    assert found is not None
    assert found.mean == pytest.approx(0.25)
    assert found.standard_error == pytest.approx(0.102062, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((-0.074807, 0.574807), abs=1e-5)


def test_what_is_hard_for_both_does_not_blur_the_difference() -> None:
    first = [[score / 10] for score in range(9)]
    second = [[score / 10 + (0.1 if score % 2 else 0.08)] for score in range(9)]
    found = paired_difference(first, second)
    alone = clustered_mean(second)
    assert found is not None
    assert alone is not None
    assert found.low is not None
    assert found.low > 0
    assert alone.standard_error is not None
    assert found.standard_error is not None
    assert found.standard_error < alone.standard_error / 10


@given(pairs)
def test_the_other_way_round_it_is_the_opposite(both: list[tuple[list[float], list[float]]]) -> None:
    first, second = [one for one, _ in both], [other for _, other in both]
    there, back = paired_difference(first, second), paired_difference(second, first)
    if there is None or back is None:
        assert there is back is None
        assert not [pair for pair in both if pair[0] and pair[1]]
        return
    assert there.mean == pytest.approx(-back.mean)
    assert there.clusters == back.clusters == sum(bool(one and other) for one, other in both)
    if there.low is not None:
        assert back.high is not None
        assert there.low == pytest.approx(-back.high)


def test_no_difference_anywhere_has_no_interval() -> None:
    found = paired_difference([[1.0], [0.0]], [[1.0], [0.0]])
    assert found is not None
    assert (found.mean, found.low, found.high) == (0.0, None, None)


def test_scenarios_of_one_side_only_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired_difference([[1.0], [0.0]], [[1.0]])
