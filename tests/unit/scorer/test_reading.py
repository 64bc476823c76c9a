"""Reading a score out of what a scorer printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopyard.scorer.reading import last_score, last_score_or_number
from loopyard.scorer.scorer import NoScore


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
