"""What scenario runs come to: a sum over a number."""

import pytest

from loopyard.benchmark.run.score import CountedRun, all_failed, mean


def _attempts(*rows: tuple[str, str, float | None]) -> list[CountedRun]:
    return [CountedRun(*row) for row in rows]


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        (_attempts(), None),
        (_attempts(("a", "completed", 1.0), ("b", "completed", 0.5)), 0.75),
        # Without a score it counts as 0, whyever that is.
        (_attempts(("a", "completed", 1.0), ("b", "completed", None)), 0.5),
        (_attempts(("a", "completed", 1.0), ("b", "timeout", None)), 0.5),
        (_attempts(("a", "completed", 1.0), ("b", "canceled", 0.9)), 0.5),
        (_attempts(("a", "completed", 1.0), ("b", "failed", None)), 0.5),
        # Each attempt at a scenario counts,
        (_attempts(("a", "completed", 1.0), ("a", "completed", 0.0), ("b", "completed", 0.5)), 0.5),
        # but for a failure of the infrastructure that was tried again.
        (_attempts(("a", "failed", None), ("a", "failed", None), ("a", "completed", 1.0)), 1.0),
        (_attempts(("a", "failed", None), ("a", "timeout", None)), 0.0),
        (_attempts(("a", "completed", 1.0), ("a", "failed", None)), 0.5),
        (_attempts(("a", "failed", None), ("b", "failed", None)), None),
        (_attempts(*[(str(index), "completed", 0.1) for index in range(10)]), 0.1),
    ],
)
def test_the_score_is_the_sum_of_the_scores_over_the_number_of_runs(
    attempts: list[CountedRun], expected: float | None
) -> None:
    assert mean(attempts) == expected


def test_only_failures_make_a_failure() -> None:
    assert not all_failed([])
    assert all_failed(_attempts(("a", "failed", None)))
    assert not all_failed(_attempts(("a", "failed", None), ("b", "canceled", None)))
