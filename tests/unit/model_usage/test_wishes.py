"""Budgets and recording in metadata."""

import pytest

from loopyard.kit.errors import BadRequest
from loopyard.model_usage.wishes import Wishes, wishes_of


def test_the_first_that_says_something_is_heard() -> None:
    run = {"loopyard.max_tokens": "5", "other": "x"}
    benchmark = {"loopyard.max_cost_usd": "0.000000001", "loopyard.max_tokens": "6"}
    scenario = {"loopyard.max_cost_usd": "9", "loopyard.record_model_calls": "true"}
    assert wishes_of(run, benchmark, scenario) == Wishes(max_nano_usd=1, max_tokens=5, record=True)
    assert wishes_of({}, {}) == Wishes()
    assert not Wishes(record=False).has_budget


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            ("loopyard.max_cost_usd", value)
            for value in ("", "-1", "+1", "1e3", "NaN", "1,5", "$1", "0.", "1000001", "\u0661")
        ),
        *(("loopyard.max_tokens", value) for value in ("", "-1", "1.0", "1000000000001", "ten", "1_000", "\u0663")),
        *(("loopyard.record_model_calls", value) for value in ("", "True", "1", "yes")),
    ],
)
def test_what_cannot_be_is_named(key: str, value: str) -> None:
    with pytest.raises(BadRequest, match=key) as refused:
        wishes_of({key: value})
    assert refused.value.field == "metadata"
