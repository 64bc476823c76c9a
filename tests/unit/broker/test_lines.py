"""Output cut into lines."""

from loopyard.broker.lines import Lines, Oversized


def test_lines_come_whole_however_they_are_cut() -> None:
    lines = Lines(100)
    assert lines.feed(b"one\ntw") == ([b"one"], 4)
    assert lines.held == 2
    assert lines.feed(b"o\n\nthree") == ([b"two", b""], 5)
    assert lines.rest() == b"three"


def test_a_line_over_the_limit_is_left_out_as_it_comes() -> None:
    lines = Lines(10)
    assert lines.feed(b"x" * 8) == ([], 0)
    assert lines.feed(b"y" * 8) == ([Oversized(b"x" * 8 + b"y" * 8)], 16)
    assert lines.skipping
    assert lines.feed(b"z" * 50) == ([], 50)
    assert lines.held == 0
    assert lines.feed(b"z\nnext\n") == ([b"next"], 7)
    assert not lines.skipping
    assert lines.feed(b"a" * 11 + b"\nb\n") == ([Oversized(b"a" * 11), b"b"], 14)


def test_leaving_out_goes_on_in_another_process() -> None:
    lines = Lines(10, skipping=True)
    assert lines.feed(b"z" * 5) == ([], 5)
    assert lines.rest() == b""
    assert lines.feed(b"\nnext\n") == ([b"next"], 6)
