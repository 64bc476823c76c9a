"""The statistics that the benchmark's figures come from."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import quantile, summarize
from benchmarks.result import timed

samples = st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=60)


def test_a_known_series() -> None:
    summary = summarize([float(value) for value in range(1, 101)])
    assert summary.count == 100
    assert summary.median == 50.5
    assert summary.p95 == pytest.approx(95.05)
    assert summary.spread == 25
    assert (summary.smallest, summary.largest) == (1, 100)
    assert 40 < summary.median_low < 50.5 < summary.median_high < 61


def test_an_outlier_moves_neither_the_median_nor_the_spread() -> None:
    assert summarize([10, 10, 10, 11, 9000]).median == 10
    assert summarize([10, 10, 10, 11, 9000]).spread == 0


@given(samples)
def test_figures_lie_in_order(values: list[float]) -> None:
    summary = summarize(values)
    assert summary.smallest <= summary.median_low <= summary.median_high <= summary.largest
    assert summary.median <= max(summary.p95, summary.median)
    assert summary.smallest <= summary.p95 <= summary.largest
    assert summary == summarize(values)


@given(samples)
def test_the_half_quantile_is_the_median(values: list[float]) -> None:
    assert quantile(values, 0.5) == pytest.approx(statistics.median(values))


def test_one_sample_is_all_its_figures() -> None:
    summary = summarize([3.5])
    assert {summary.median, summary.p95, summary.median_low, summary.median_high} == {3.5}
    assert summary.spread == 0


def test_nothing_has_no_figures() -> None:
    with pytest.raises(ValueError, match="without samples"):
        summarize([])


@pytest.mark.anyio
async def test_warm_runs_are_not_counted() -> None:
    calls: list[int] = []

    async def action() -> None:
        calls.append(len(calls))

    assert len(await timed(5, action, warm=2)) == 5
    assert len(calls) == 7
