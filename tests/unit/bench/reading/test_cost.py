"""Where costs are found."""

import pytest

from loopyard.bench.reading import cost


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('working\n{"type": "result", "total_cost_usd": 0.125, "usage": {}}\n', 0.125),
        ('{"cost_usd": 1}\n{"cost_usd": 2}\nbye', 2.0),
        ('{"info": {"instance_cost": 0.5}}', 0.5),
        ('{"cost_usd": null}', None),
        ('{"cost_usd": true}', None),
        ('{"cost_usd": -1}', None),
        ('{"cost_usd": NaN}', None),
        ("the cost_usd was 3", None),
        ('{"said": "a\u2028b", "cost_usd": 2}\r\n', 2.0),
        ("[1, 2]", None),
        ("", None),
    ],
)
def test_the_last_line_of_json_that_tells_a_cost_counts(text: str, found: float | None) -> None:
    assert cost.of_output(text) == found


def test_metadata_tells_costs_as_text() -> None:
    assert cost.of_metadata({"cost_usd": "0.25", "other": "1"}) == 0.25
    assert cost.of_metadata({"total_cost_usd": "2"}) == 2.0
    assert cost.of_metadata({"cost_usd": "much"}) is None
    assert cost.of_metadata({}) is None
