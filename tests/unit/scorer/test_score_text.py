"""Reading a score out of what a scorer printed."""

from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopyard.scorer.score_text import check_exit, last_score, last_score_or_number
from loopyard.scorer.scorer import Ended, NoScore


@pytest.mark.parametrize(
    ("printed", "score"),
    [
        ("score=1", 1.0),
        ("score=0.5\n", 0.5),
        ("a score=.25 b", 0.25),
        ('{"score=0.75"}', 0.75),
        ("score=0\nscore=1.0\n", 1.0),
        ("score=1e-3", 0.001),
        ("underscore=1 score=0", 0.0),
        ("final:score=1.", 1.0),
    ],
)
def test_the_last_score_counts(printed: str, score: float) -> None:
    assert last_score(printed) == score


@pytest.mark.parametrize(
    "printed",
    ["", "1.0", "score", "score = 1", "high_score=1", "SCORE=1", "score=1_0", "score=٣", "score=0x1", "score=1.0001"],
)
def test_what_is_no_score(printed: str) -> None:
    with pytest.raises(NoScore):
        last_score(printed)


@pytest.mark.parametrize(
    ("printed", "score"),
    [
        ("0.5", 0.5),
        ("0.5\r\n", 0.5),
        ("50 %\r0.5", 0.5),
        ("0.5\nsaid\u20280.75", 0.5),
        ("0.5\nsaid\x0c0.75\x1c1", 0.5),
        ("noise 0.9\n 1 \n", 1.0),
        ("score=0.25\n0.5\n", 0.5),
        ("0.5\nthe score=0.25\ndone 3 of 4\n", 0.25),
        ("1e-1", 0.1),
    ],
)
def test_a_number_alone_on_its_line_is_a_score_too(printed: str, score: float) -> None:
    assert last_score_or_number(printed) == score


@pytest.mark.parametrize("printed", ["", "1 of 2", "0.5\n2\n", "score=0.5\nnan\n", "inf", "-0.5", "0.5\nscore=x"])
def test_the_last_number_must_be_a_score(printed: str) -> None:
    with pytest.raises(NoScore):
        last_score_or_number(printed)


@given(st.floats())
def test_any_float_is_read_exactly_or_refused(value: float) -> None:
    try:
        read = last_score(f"noise score=0.5\nscore={value!r}\n")
    except NoScore:
        assert not 0 <= value <= 1
    else:
        assert read == value
        assert 0 <= read <= 1


@given(st.text())
def test_no_text_is_read_as_anything_but_a_score_or_none(text: str) -> None:
    try:
        score = last_score(text)
    except NoScore:
        return
    assert 0 <= score <= 1


def _refusal(read: Callable[[str], float], text: str) -> str:
    with pytest.raises(NoScore) as refused:
        read(text)
    return str(refused.value)


def test_a_refusal_says_what_was_expected_or_found() -> None:
    told = "It printed no score; print 'score=' and a number from 0.0 to 1.0 to standard output."
    assert _refusal(last_score, "1.0") == told
    told = "It printed no score; print a number from 0.0 to 1.0 to standard output, on a line of its own."
    assert _refusal(last_score_or_number, "1 of 2") == told
    assert _refusal(last_score, "score=x") == "The score is not a number: 'x'."
    assert _refusal(last_score, "score=1.5") == "The score 1.5 is not from 0.0 to 1.0."
    assert _refusal(last_score, f"score={'x' * 200}") == f"The score is not a number: '{'x' * 100}'."
    assert _refusal(last_score, f"score={'9' * 200}") == f"The score {'9' * 100} is not from 0.0 to 1.0."


@pytest.mark.parametrize("text", ["score=1.0", "score=0", "score=+1", "score=-0", "score=00.50", "score=1e0"])
def test_the_ends_of_the_range_are_scores(text: str) -> None:
    assert last_score(text) in (0.0, 0.5, 1.0)


@pytest.mark.parametrize(
    "text", ["score=nan", "score=NaN", "score=inf", "score=-Infinity", "score=1.0000001", "score=-1e-9"]
)
def test_numbers_outside_of_the_range_are_none(text: str) -> None:
    assert "is not from 0.0 to 1.0" in _refusal(last_score, text)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (0, None),
        (1, "The script exited with status 1."),
        (128, "The script exited with status 128."),
        (129, "The script was ended by signal 1."),
        (137, "The script was ended by signal 9."),
    ],
)
def test_a_script_counts_only_if_it_ended_well(status: int, why: str | None) -> None:
    if why is None:
        check_exit(Ended(status, "score=1"), "script")
    else:
        assert _refusal(lambda text: cast("float", check_exit(Ended(status, text), "script")), "score=1") == why
