"""What differs between two texts, whoever wrote them."""

import time

from loopyard.console.compare.difference import MOST_LINES, difference_of


def test_lines_that_changed_stand_beside_each_other() -> None:
    found = difference_of("a\nb\nc\n", "a\nx\nc\nd\n")
    lines = [(line.side, line.a_number, line.a, line.b_number, line.b) for line in found.lines]
    assert lines == [
        ("same", 1, "a", 1, "a"),
        ("changed", 2, "b", 2, "x"),
        ("same", 3, "c", 3, "c"),
        ("changed", None, None, 4, "d"),
    ]
    assert not found.is_same
    assert not found.left_out


def test_equal_texts_have_no_lines() -> None:
    assert difference_of("a\nb", "a\nb").is_same
    assert difference_of("", "").is_same
    assert not difference_of("", "a").is_same


def test_what_is_the_same_far_from_a_change_is_a_gap() -> None:
    same = [str(number) for number in range(100)]
    found = difference_of("\n".join(same), "\n".join([*same[:50], "new", *same[50:]]))
    assert [(line.side, line.hidden) for line in found.lines if line.side == "gap"] == [("gap", 47), ("gap", 47)]
    assert [line.b for line in found.lines if line.side == "changed"] == ["new"]


def test_of_long_texts_the_ends_are_compared_by_their_own_line_numbers() -> None:
    long = "\n".join(str(number) for number in range(3 * MOST_LINES))
    found = difference_of(long, f"{long}\nend")
    assert found.left_out
    assert [(line.a_number, line.b_number) for line in found.lines if line.side == "changed"] == [
        *[(number, None) for number in (2001,)],
        (None, 3001),
    ]


def test_hostile_texts_take_no_time() -> None:
    begun = time.monotonic()
    difference_of("\n".join("ab"[number % 2] for number in range(100_000)), "\n".join("ba" * 50_000))
    difference_of("a" * 10_000_000, "b" * 10_000_000)
    difference_of(
        "\n".join(str(number % 90) for number in range(9999)), "\n".join(str(-number % 97) for number in range(9999))
    )
    assert time.monotonic() - begun < 30
