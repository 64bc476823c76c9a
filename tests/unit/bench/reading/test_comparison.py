"""What became better and worse."""

import pytest

from loopyard.bench.reading.comparison import compare
from loopyard.bench.reading.sections import of_comparison
from tests.unit.bench.reading.made import contender


def test_regressions_come_first_the_worst_at_the_top() -> None:
    a = contender({"same": [1.0], "better": [0.0], "worse": [1.0, 0.5], "worst": [1.0], "lost": [1.0], "gone": [1.0]})
    b = contender({"new": [1.0], "same": [1.0], "better": [1.0], "worse": [0.5], "worst": [0.0], "lost": [None]})
    found = compare(a, b)
    assert [change.scenario for change in found.changes][:4] == ["worst", "worse", "same", "better"]
    assert {change.scenario for change in found.changes[4:]} == {"lost", "gone", "new"}
    assert (found.regressions, found.improvements, found.unchanged, found.not_compared) == (2, 1, 1, 3)
    assert found.changes[1].difference == pytest.approx(-0.25)
    assert (found.changes[1].a_attempts, found.changes[1].b_attempts) == (2, 1)
    assert found.difference is not None
    assert found.difference.mean == pytest.approx((-1 - 0.25 + 0 + 1) / 4)
    assert found.difference.clusters == 4
    titles = [section.title for section in of_comparison(found)]
    assert titles[:3] == ["Difference", "Regressions", "Improvements"]


def test_what_shares_no_scenario_has_no_difference() -> None:
    found = compare(contender({"a": [1.0]}), contender({"b": [1.0]}))
    assert found.difference is None
    assert (found.not_compared, found.regressions) == (2, 0)
    assert of_comparison(found)[0].rows[0][:2] == ["-", "-"]
