"""Output of terminals as HTML: colours become classes; titles, links, the clipboard and the cursor become nothing."""

import re
from collections.abc import Iterator

from markupsafe import Markup, escape

from loopyard.console.text import visible

MOST_LINE = 4000
"""How much of a line is shown."""

_SEQUENCE = re.compile(
    "\x1b\\[([0-?]*)([ -/]*)([@-~])"  # CSI
    "|\x1b[\\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC
    "|\x1b[ -/]*[0-~]?"  # the rest
    "|\x9b([0-?]*)([ -/]*)([@-~])"
)
_FLAGS = {1: "b", 2: "dim", 3: "i", 4: "u", 7: "rev", 9: "s"}
_OFF = {22: ("b", "dim"), 23: ("i",), 24: ("u",), 27: ("rev",), 29: ("s",)}


class _Style:
    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.colour = self.ground = ""

    @property
    def classes(self) -> str:
        return " ".join(f"a-{name}" for name in (*sorted(self.flags), self.colour, self.ground) if name)

    def apply(self, parameters: str) -> None:
        if not re.fullmatch(r"[0-9;:]*", parameters):
            return
        codes = [int(part[:6] or 0) for part in re.split("[;:]", parameters)[:64]]
        at = 0
        while at < len(codes):
            at += self._apply(codes, at)

    def _apply(self, codes: list[int], at: int) -> int:
        """Apply the code there; how many were used."""
        code = codes[at]
        if code == 0:
            self.__init__()
        elif code in _FLAGS:
            self.flags.add(_FLAGS[code])
        elif code in _OFF:
            self.flags.difference_update(_OFF[code])
        elif code in (38, 48):
            colour, used = _extended(codes[at + 1 :])
            if code == 38:
                self.colour = colour and f"f{colour}"
            else:
                self.ground = colour and f"g{colour}"
            return used + 1
        elif 30 <= code <= 37 or 90 <= code <= 97:
            self.colour = f"f{code % 10 + (8 if code >= 90 else 0)}"
        elif 40 <= code <= 47 or 100 <= code <= 107:
            self.ground = f"g{code % 10 + (8 if code >= 100 else 0)}"
        elif code == 39:
            self.colour = ""
        elif code == 49:
            self.ground = ""
        return 1


def _extended(codes: list[int]) -> tuple[str, int]:
    """The nearest of the 16 colours to one of 256 or of 16 million, and how many codes it took."""
    if codes[:1] == [5] and len(codes) >= 2:
        number = codes[1]
        if number < 16:
            return str(number), 2
        if number >= 232:
            return ("0" if number < 238 else "8" if number < 244 else "7" if number < 250 else "15"), 2
        number -= 16
        return _nearest(number // 36 * 51, number // 6 % 6 * 51, number % 6 * 51), 2
    if codes[:1] == [2] and len(codes) >= 4:
        return _nearest(*codes[1:4]), 4
    return "", len(codes)


def _nearest(red: int, green: int, blue: int) -> str:
    greatest = max(red, green, blue)
    if greatest < 48:
        return "8"
    bits = (red * 2 > greatest) + (green * 2 > greatest) * 2 + (blue * 2 > greatest) * 4
    return str(bits + (8 if greatest > 190 else 0))


def html(text: str) -> Markup:
    """The text as HTML, a line after another. Long lines are cut."""
    return Markup("\n").join(lines(text))


def lines(text: str) -> Iterator[Markup]:
    """Each line of the text as HTML; a style goes on in the next."""
    style = _Style()
    for line in text.split("\n"):
        # What a carriage return would overwrite is not shown.
        yield _line(line.rstrip("\r").rsplit("\r", 1)[-1], style)


def _line(line: str, style: _Style) -> Markup:
    pieces: list[Markup] = []
    at = shown = 0
    cut = len(line) > MOST_LINE * 4
    rest = line[: MOST_LINE * 4]
    for match in _SEQUENCE.finditer(rest):
        shown = _add(pieces, rest[at : match.start()], style, shown)
        at = match.end()
        parameters = match[1] if match[1] is not None else match[4]
        if "m" in (match[3], match[6]) and not (match[2] or match[5]):
            style.apply(parameters)
    shown = _add(pieces, rest[at:], style, shown)
    if cut or shown > MOST_LINE:
        pieces.append(Markup('<span class="cut">… line cut: {} characters</span>').format(f"{len(line):,}"))
    return Markup("").join(pieces)


def _add(pieces: list[Markup], text: str, style: _Style, shown: int) -> int:
    """Add text to a line; how much the line has then."""
    room = MOST_LINE - shown
    if text and room > 0:
        safe = escape(visible(text[:room]))
        classes = style.classes
        pieces.append(Markup('<span class="{}">{}</span>').format(classes, safe) if classes else safe)
    return shown + len(text)
