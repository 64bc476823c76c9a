"""Server-sent events whose data are given on while they come in, whatever their size."""

import re
from collections.abc import Callable

_LINE_END = re.compile(rb"[\r\n]")
_WHOLE = re.compile(rb"data:([^\r\n]*+)(?:\n\n|\r\n\r\n)")
_DATA = b"data:"
_CR, _LF = b"\r\n"


class EventData:
    """Reads a stream of events. A line may be of any size; no more than a few bytes are kept."""

    def __init__(
        self, data: Callable[[bytes], None], end: Callable[[], None], skips: Callable[[bytes], bool] | None = None
    ) -> None:
        """Take what is called with each piece of an event's data, and what at the event's end; and what tells of the
        data of an event that is there whole, on one line, that nobody needs to be called."""
        self._data = data
        self._end = end
        self._skips = skips
        self.lines = 0
        self._start: bytes | None = b""
        """The start of a line of which it is not clear yet what it is; None within a line."""
        self._is_data = False
        self._is_open = False
        """True if the event has any data yet."""
        self._after_cr = False

    def feed(self, chunk: bytes) -> None:
        """Read on."""
        at, end = 0, len(chunk)
        if self._after_cr and chunk:
            self._after_cr = False
            at = 1 if chunk[0] == _LF else 0
        while at < end:
            if self._skips is not None and self._start == b"" and not self._is_open:
                whole = _WHOLE.match(chunk, at)
                if whole is not None and self._skips(whole[1]):
                    at = whole.end()
                    self.lines += 2
                    continue
            match = _LINE_END.search(chunk, at)
            line_end = end if match is None else match.start()
            self._line(chunk[at:line_end])
            if match is None:
                return
            self._end_line()
            at = line_end + 1
            if chunk[line_end] == _CR:
                if at == end:
                    self._after_cr = True
                elif chunk[at] == _LF:
                    at += 1

    def finish(self) -> None:
        """The stream is at its end; an event that is not closed by an empty line is one, too."""
        self._end_line()
        self._end_event()

    def _line(self, piece: bytes) -> None:
        if self._start is None:
            if self._is_data:
                self._data(piece)
            return
        start = self._start + piece
        if len(start) < len(_DATA):
            self._start = start
            return
        self._start = None
        self._is_data = start.startswith(_DATA)
        if self._is_data:
            if self._is_open:
                self._data(b"\n")
            self._is_open = True
            self._data(start[len(_DATA) :])

    def _end_line(self) -> None:
        self.lines += 1
        if self._start == b"":
            self._end_event()
        self._start, self._is_data = b"", False

    def _end_event(self) -> None:
        if self._is_open:
            self._is_open = False
            self._end()
