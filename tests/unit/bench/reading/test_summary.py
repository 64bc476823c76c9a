"""One contender's figures."""

import pytest

from loopyard.bench.reading.attempt import AttemptEnd
from loopyard.bench.reading.contender import Contender
from loopyard.bench.reading.summary import summarize
from tests.unit.bench.reading.made import attempt, contender, scorer


def test_failures_of_the_infrastructure_count_in_no_score_and_are_told_apart() -> None:
    found = summarize(contender({"a": [1.0, None], "b": [0.0, 0.5, None], "c": [None]}))
    assert found.score is not None
    assert (found.score.mean, found.score.n, found.score.clusters) == (0.5, 3, 2)
    assert found.endings["infrastructure failed"] == 3
    assert [failure.scenario for failure in found.failures] == ["a", "b", "c"]
    assert [(one.scenario, one.mean, one.counted, one.passed) for one in found.scenarios] == [
        ("a", 1.0, 1, 1),
        ("b", 0.25, 2, 0),
        ("c", None, 0, 0),
    ]


def test_a_timeout_counts_as_zero_and_what_was_canceled_or_goes_on_does_not() -> None:
    attempts = [
        attempt("a", 1.0),
        attempt("a", None, ending=AttemptEnd.TIMEOUT),
        attempt("a", None, ending=AttemptEnd.CANCELED),
        attempt("a", None, ending=AttemptEnd.UNFINISHED),
    ]
    found = summarize(Contender("here", "agent", attempts))
    assert found.score is not None
    assert (found.score.mean, found.score.n) == (0.5, 2)
    assert found.endings == {
        "scored": 1, "timeout": 1, "agent failed": 0, "infrastructure failed": 0, "canceled": 1, "unfinished": 1,
    }  # fmt: skip


def test_a_broken_scenario_counts_in_no_score() -> None:
    attempts = [attempt("a", 1.0), attempt("b", None, ending=AttemptEnd.BROKEN_SCENARIO)]
    found = summarize(Contender("here", "agent", attempts))
    assert found.score is not None
    assert (found.score.mean, found.score.n) == (1.0, 1)
    assert found.endings["broken scenario"] == 1
    assert [failure.scenario for failure in found.failures] == ["b"]


def test_an_agent_that_used_up_its_box_counts_as_zero_and_a_timeout_with_a_score_by_it() -> None:
    attempts = [attempt("a", None, ending=AttemptEnd.AGENT_FAILED), attempt("b", 0.5, ending=AttemptEnd.TIMEOUT)]
    found = summarize(Contender("here", "agent", attempts))
    assert found.score is not None
    assert found.score.mean == 0.25
    assert found.failures == []


def test_pass_rates_are_means_over_the_scenarios_with_enough_attempts() -> None:
    found = summarize(contender({"a": [1.0, 0.0, 1.0], "b": [0.0, 0.0], "c": [1.0]}))
    rates = {rate.k: (rate.at.mean, rate.hat.mean, rate.at.clusters) for rate in found.passing}
    assert list(rates) == [1, 2, 3]
    assert rates[1] == pytest.approx(((2 / 3 + 0 + 1) / 3, (2 / 3 + 0 + 1) / 3, 3))
    assert rates[2] == pytest.approx(((1 + 0) / 2, (1 / 3 + 0) / 2, 2))
    assert rates[3] == pytest.approx((1.0, 0.0, 1))


def test_what_counts_as_passed_can_be_set() -> None:
    found = summarize(contender({"a": [0.5, 0.8]}), pass_score=0.8)
    assert found.scenarios[0].passed == 1
    assert summarize(contender({"a": [0.5, 0.8]})).scenarios[0].passed == 0


def test_each_scorer_is_told_over_all_scenarios_that_have_it() -> None:
    attempts = [
        attempt("a", 1.0, scorers=[scorer("tests", 1.0), scorer("style", 1.0)]),
        attempt("a", 0.5, scorers=[scorer("tests", 0.0), scorer("style", 1.0)]),
        attempt("b", 0.0, scorers=[scorer("tests", 0.0, failed=True)]),
    ]
    found = summarize(Contender("here", "agent", attempts))
    told = {one.name: (one.score.mean, one.score.n, one.score.clusters, one.errors) for one in found.scorers}
    assert told == {"tests": (pytest.approx(1 / 3), 3, 2, 1), "style": (1.0, 2, 1, 0)}
    assert [[one.name for one in scenario.scorers] for scenario in found.scenarios] == [["tests", "style"], ["tests"]]


def test_time_and_cost_are_of_those_that_tell_them() -> None:
    attempts = [
        attempt("a", 1.0, seconds=10.0, cost_usd=0.5),
        attempt("b", 1.0, seconds=20.0),
        attempt("c", 1.0, seconds=60.0, cost_usd=0.25),
        attempt("d", None, ending=AttemptEnd.INFRASTRUCTURE_FAILED, seconds=900.0, cost_usd=0.25),
    ]
    found = summarize(Contender("here", "agent", attempts))
    assert (found.seconds_total, found.seconds_median) == (90.0, 20.0)
    assert (found.cost_usd, found.cost_known, found.attempts) == (1.0, 3, 4)


def test_without_any_score_there_is_none() -> None:
    found = summarize(contender({"a": [None]}))
    assert (found.score, found.passing, found.seconds_median, found.cost_usd) == (None, [], None, None)
