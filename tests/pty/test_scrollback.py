"""What a session keeps of its output."""

from hypothesis import given
from hypothesis import strategies as st

from loopyard.pty.scrollback import Scrollback


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
