"""What a session keeps of its output."""

from hypothesis import given
from hypothesis import strategies as st

from loopyard.pty.scrollback import LONGEST_LINE, Scrollback


@given(st.lists(st.binary(max_size=40)), st.integers(0, 60))
def test_it_keeps_the_last_bytes_and_never_begins_within_a_line(pieces: list[bytes], limit: int) -> None:
    scrollback = Scrollback(limit)
    for piece in pieces:
        scrollback.add(piece)
    whole = b"".join(pieces)
    if len(whole) <= limit:
        assert scrollback.replay() == whole
        return
    last = whole[len(whole) - limit :]
    assert scrollback.replay() == last[last.find(b"\n") + 1 :]


def test_output_without_lines_is_kept_as_it_is() -> None:
    scrollback = Scrollback(3 * LONGEST_LINE)
    scrollback.add(b"x" * 10 * LONGEST_LINE + b"end\n")
    assert scrollback.replay() == b"x" * (3 * LONGEST_LINE - 4) + b"end\n"
