"""Error of a Dockerfile, told as compilers do: file, line, column, reason, text and caret."""

from loopyard.dockerfile.plan import Place

_SHOWN = 100
"""Characters of a line that are shown."""


class DockerfileError(ValueError):
    """A Dockerfile that cannot be built. `str` gives the whole message; `reason` the sentence alone."""

    def __init__(self, place: Place, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(_message(place, reason))


def _message(place: Place, reason: str) -> str:
    where = f"{place.file}:{place.line}:{place.column}"
    if place.trigger_of is not None:
        where = f"ONBUILD trigger of {place.trigger_of}"
    shown, caret = _window(place)
    if not shown.strip():
        return f"{where}: {reason}"
    number = str(place.line)
    blank = " " * len(number)
    return f"{where}: {reason}\n {number} | {shown}\n {blank} | {caret}"


def _window(place: Place) -> tuple[str, str]:
    """The part of the line around the column, and the line with the caret below it."""
    line = place.text.split("\n", 1)[0].rstrip("\r")
    at = min(place.column - 1, len(line))
    first = 0 if at < _SHOWN - 20 else at - 20
    shown = line[first : first + _SHOWN]
    before = "…" if first else ""
    after = "…" if first + _SHOWN < len(line) else ""
    shown = "".join(character if character.isprintable() else " " for character in shown)
    return f"{before}{shown}{after}", " " * (len(before) + at - first) + "^"
