"""Finds a few values in JSON of any size while it comes in, in bounded memory.

Only the objects on the way to the wanted values are looked into. All else is passed over by regular expressions, which
take whole strings and runs of values at once. Nothing is checked beyond what finding needs: text that is no JSON gives
nothing or nonsense, never an exception.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

MOST_VALUE = 16 * 1024
"""Bytes of a value that is wanted; one that is longer is not found."""

MOST_DEPTH = 512
"""How deep values may be nested; what is deeper is given up."""

_MOST_KEY = 64

Node = Mapping[str, Any]
"""Wanted names to nodes, or to None where the value itself is wanted."""

Found = Callable[[tuple[str, ...], bytes], None]
"""Is told the path of a value and its bytes: an object or array whole, a string without its quotes."""

# A string, as far as this piece has it; the group is its closing quote.
_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+("?)', re.DOTALL)
# All up to the next bracket, or to a string that this piece does not have the end of.
_UNBRACKETED = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_PLAIN = re.compile(rb'[^"{}\[\]:,]*+')

_QUOTE, _BACKSLASH, _COLON, _COMMA = b'"\\:,'
_OPENING, _CLOSING = b"{[", b"}]"


class JsonPaths:
    """Reader of one JSON text after another: `feed` its pieces, then `finish`."""

    def __init__(self, wanted: Node, found: Found, ended: Callable[[], None]) -> None:
        """Take what is wanted in an object at the top, or in each object of an array at the top; what is told of it;
        and what is called when such an object ends, or is cut off."""
        self._wanted = wanted
        self._found = found
        self._ended = ended
        self.steps = 0
        """How much work all texts together have been: characters of structure that were looked at one by one."""
        self._reset()

    def _reset(self) -> None:
        self._nodes: list[Node] = []
        """The objects that are being looked into, by what is wanted in them."""
        self._names: list[str] = []
        """The names that lead to the innermost of them."""
        self._in_array = False
        self._over = False
        self._depth = 0
        """How deep the value is nested that is being passed over; 0 for none."""
        self._in_string = self._escaped = False
        self._key: bytes | None = None
        """The name whose value comes next."""
        self._text: bytearray | None = None
        """The string that is being read, if it is one to know."""
        self._last: bytes | None = None
        self._value: bytearray | None = None
        """The value that is being kept; None if what is passed over is not wanted."""

    def finish(self) -> None:
        """This text is at its end; whatever comes is another."""
        if self._nodes:
            self._ended()
        self._reset()

    @property
    def complete(self) -> bool:
        """True if the value at the top has ended."""
        return self._over

    def feed(self, data: bytes) -> None:
        """Read on."""
        at, end = 0, len(data)
        while at < end and not self._over:
            if self._in_string:
                at = self._string(data, at)
            elif self._depth:
                at = self._pass_over(data, at)
            else:
                at = self._look(data, at)

    def _string(self, data: bytes, at: int) -> int:
        """Read a string on, up to its closing quote or the end of the piece."""
        start = at
        if self._escaped:
            self._escaped = False
            at += 1
        match = _STRING.match(data, at)
        assert match is not None  # noqa: S101 - it matches nothing too
        at = match.end()
        self._in_string = not match[1]
        inner = at if self._in_string else at - 1
        if self._in_string and at < len(data):
            self._escaped = True  # a backslash whose other half is in the next piece
            at = inner = len(data)
        if self._depth:
            self._keep(data, start, at)
        elif self._text is not None:
            self._text += data[start:inner]
            if len(self._text) > MOST_VALUE:
                self._text = None
        if not self._in_string and not self._depth:
            self._end_string()
        return at

    def _end_string(self) -> None:
        text, self._text = self._text, None
        if self._key is None:
            self._last = None if text is None or len(text) > _MOST_KEY else bytes(text)
            return
        name = self._key.decode("utf-8", "replace")
        if text is not None and self._nodes and name in self._nodes[-1] and self._nodes[-1][name] is None:
            self._found((*self._names, name), bytes(text))

    def _pass_over(self, data: bytes, at: int) -> int:
        """Pass over a nested value, up to its end or that of the piece."""
        start, end = at, len(data)
        while at < end:
            match = _UNBRACKETED.match(data, at)
            assert match is not None  # noqa: S101 - it matches nothing too
            at = match.end()
            if at == end:
                break
            char = data[at]
            at += 1
            self.steps += 1
            if char == _QUOTE:
                self._in_string = True
                break
            self._depth += 1 if char in _OPENING else -1
            if self._depth > MOST_DEPTH:
                self._over = True
                return end
            if not self._depth:
                break
        self._keep(data, start, at)
        if not self._depth:
            self._end_value()
        return at

    def _keep(self, data: bytes, start: int, end: int) -> None:
        if self._value is None:
            return
        if len(self._value) + end - start > MOST_VALUE:
            self._value = None
        else:
            self._value += data[start:end]

    def _end_value(self) -> None:
        value, self._value = self._value, None
        if value is not None and self._key is not None:
            self._found((*self._names, self._key.decode("utf-8", "replace")), bytes(value))

    def _look(self, data: bytes, at: int) -> int:
        """Read one character of structure of an object that is looked into, or at the top."""
        match = _PLAIN.match(data, at)
        assert match is not None  # noqa: S101 - it matches nothing too
        at = match.end()
        if at == len(data):
            return at
        char = data[at]
        self.steps += 1
        if char == _QUOTE:
            self._in_string = True
            self._text = bytearray() if self._nodes else None
        elif char == _COLON:
            self._key, self._last = self._last, None
        elif char == _COMMA:
            self._key = self._last = None
        elif char in _CLOSING:
            self._close()
        else:
            self._open(char)
        return at + 1

    def _close(self) -> None:
        self._key = self._last = None
        if not self._nodes:
            self._over = True
            return
        self._nodes.pop()
        if self._names:
            self._names.pop()
            return
        self._ended()
        if not self._in_array:
            self._over = True

    def _open(self, char: int) -> None:
        if not self._nodes:
            if char == _OPENING[0]:
                self._nodes.append(self._wanted)
            elif self._in_array:
                self._depth = 1
            else:
                self._in_array = True
            return
        name = None if self._key is None else self._key.decode("utf-8", "replace")
        inner = self._nodes[-1]
        if name is not None and name in inner:
            node = inner[name]
            if node is not None and char == _OPENING[0]:
                self._nodes.append(node)
                self._names.append(name)
                self._key = self._last = None
                return
            if node is None:
                self._value = bytearray((char,))
        self._depth = 1
