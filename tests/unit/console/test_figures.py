"""Contenders of a comparison, and how intervals are drawn."""

import pytest

from loopyard.bench.reading.attempt import Attempt, AttemptEnd
from loopyard.bench.reading.comparison import compare
from loopyard.bench.reading.statistics.interval import Estimate
from loopyard.console.compare.figures import Chosen, bar_of, choose, tabulate
from loopyard.kit.errors import BadRequest, NotFound

pytestmark = pytest.mark.anyio


def _attempt(agent: str, scenario: str, score: float, run_id: str | None = None, source: str = "bmr_1") -> Attempt:
    return Attempt(source, agent, scenario, AttemptEnd.SCORED, score, run_id=run_id)


async def test_a_source_may_name_one_agent() -> None:
    assert Chosen.read("bmj_1:an agent (a:b) ") == Chosen("bmj_1", "an agent (a:b)")
    assert Chosen.read(" bmr_1 ") == Chosen("bmr_1", None)
    attempts = [_attempt("one", "a", 1), _attempt("two", "a", 0)]
    assert [one.agent for one in choose([Chosen("bmr_1", None)], [attempts])] == ["one", "two"]
    assert [one.agent for one in choose([Chosen("bmr_1", "two")], [attempts])] == ["two"]
    assert len(choose([Chosen("bmr_1", "two"), Chosen("bmr_1", None)], [attempts, attempts])) == 2
    with pytest.raises(NotFound, match="no agent 'three'; it has: one, two"):
        choose([Chosen("bmr_1", "three")], [attempts])


async def test_there_is_a_limit_on_contenders() -> None:
    many = [_attempt(str(number), "a", 1) for number in range(9)]
    with pytest.raises(BadRequest, match="at most 8"):
        choose([Chosen("bmr_1", None)], [many])


async def test_the_figures_are_those_of_bench_compare() -> None:
    first = [_attempt("one", "worse", 1, "scr_1"), _attempt("one", "same", 1, "scr_2"), _attempt("one", "better", 0)]
    second = [
        _attempt("two", "worse", 0, "scr_3", "bmr_2"),
        _attempt("two", "same", 1, "scr_4", "bmr_2"),
        _attempt("two", "better", 1, "scr_5", "bmr_2"),
        _attempt("two", "alone", 1, "scr_6", "bmr_2"),
    ]
    found = choose([Chosen("bmr_1", None), Chosen("bmr_2", None)], [first, second])
    table = await tabulate(found, 1.0)
    contest = table.contests[0]
    assert contest.found == compare(*found)
    assert [one.scenario for one in contest.regressions] == ["worse"]
    assert [one.scenario for one in contest.improvements] == ["better"]
    assert [one.scenario for one in contest.unchanged] == ["same"]
    assert [one.scenario for one in contest.not_compared] == ["alone"]
    assert table.pairs[0] == {"worse": ("scr_1", "scr_3"), "same": ("scr_2", "scr_4")}


@pytest.mark.parametrize(
    ("mean", "low", "high", "signed", "drawn"),
    [
        (0.5, 0.25, 0.75, False, (50, 25, 50, None)),
        (0.0, 0.0, 0.0, False, (0, 0, 0.5, None)),
        (-0.5, -1.0, 0.0, True, (25, 0, 50, 50)),
        (0.5, None, None, True, (75, None, None, 50)),
    ],
)
async def test_an_interval_is_a_bar(
    mean: float, low: float | None, high: float | None, *, signed: bool, drawn: tuple[float | None, ...]
) -> None:
    bar = bar_of(Estimate(mean, low, high, 0.1, 3, 3), signed=signed)
    assert (bar.mean, bar.low, bar.width, bar.zero) == drawn
