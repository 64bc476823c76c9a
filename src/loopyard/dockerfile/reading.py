"""Instructions of a Dockerfile, read from its lines: name, flags, arguments, heredocs, each with its place."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, cast

from e2b_dockerfile_utils import DockerfileHeredoc, ShellLex, parse_heredoc, parse_words

from loopyard.dockerfile import bounds
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.lines import SPACES, Lines, LogicalLine
from loopyard.dockerfile.plan import Flag, Heredoc, Instruction, Place

_BLANKS = re.compile(r"[\t\v\f\r ]+")
_TAKES_HEREDOCS = ("ADD", "COPY", "RUN")
_HEREDOC = re.compile(r"[0-9]*<<")

Arguments = tuple[tuple[str, ...], bool]


def instructions(lines: Lines) -> Iterator[Instruction]:
    """The instructions of a Dockerfile, in order.

    Raises:
        DockerfileError: One cannot be read, or there are too many.
    """
    for number, line in enumerate(lines, 1):
        if number > bounds.INSTRUCTIONS:
            raise DockerfileError(line.place(), f"A Dockerfile has at most {bounds.INSTRUCTIONS} instructions.")
        yield _Reader(lines, line).instruction()


def trigger(text: str, base: str) -> Instruction:
    """The instruction of an ONBUILD trigger of `base`, which is a text of its own.

    Raises:
        DockerfileError: It cannot be read, or is none.
    """
    try:
        found = list(instructions(Lines.of(text, "ONBUILD")))
    except DockerfileError as error:
        raise DockerfileError(_of_trigger(error.place, base), error.reason) from None
    if len(found) != 1:
        raise DockerfileError(Place("ONBUILD", 1, 1, text, base), "An ONBUILD trigger is one instruction.")
    made = found[0]
    return Instruction(
        _of_trigger(made.place, base),
        made.name,
        tuple(Flag(flag.name, flag.value, _of_trigger(flag.place, base)) for flag in made.flags),
        made.args,
        made.json,
        made.heredocs,
        made.rest,
        made.shown,
        tuple(_of_trigger(place, base) for place in made.places),
    )


def _of_trigger(place: Place, base: str) -> Place:
    return Place(place.file, place.line, place.column, place.text, base)


class _Reader:
    def __init__(self, lines: Lines, line: LogicalLine) -> None:
        self._lines = lines
        self._line = line
        self._text = line.text.rstrip(SPACES)

    def instruction(self) -> Instruction:
        start = len(self._text) - len(self._text.lstrip(SPACES))
        blank = _BLANKS.search(self._text, start)
        end = len(self._text) if blank is None else blank.start()
        name = self._text[start:end].upper()
        parse = _PARSERS.get(name)
        if parse is None:
            raise DockerfileError(self._line.place(start), f"Unknown instruction: {self._text[start:end][:60]}.")
        flags, at = self._flags(end)
        rest = self._text[at:]
        try:
            args, is_json = parse(rest, self._lines.escape)
        except ValueError as error:
            raise DockerfileError(self._line.place(at), f"{name}: {error}") from None
        return Instruction(
            place=self._line.whole(),
            name=name,
            flags=tuple(flags),
            args=args,
            json=is_json,
            heredocs=self._heredocs(name, rest, is_json=is_json),
            rest=rest,
            shown=self._text[start:],
            places=tuple(self._places(args, at)),
        )

    def _places(self, args: tuple[str, ...], at: int) -> Iterator[Place]:
        for argument in args:
            found = self._text.find(argument, at) if argument else -1
            at = max(at, found)
            yield self._line.place(at)
            at += len(argument) if found >= 0 else 0

    def _flags(self, at: int) -> tuple[list[Flag], int]:
        """The words at the beginning that start with `--`, without their quotes, and where the rest begins."""
        flags: list[Flag] = []
        text = self._text
        while True:
            while at < len(text) and text[at] in SPACES:
                at += 1
            if not text.startswith("--", at):
                return flags, at
            begin = at
            word, at = self._flag(at)
            if word == "--":
                while at < len(text) and text[at] in SPACES:
                    at += 1
                return flags, at
            if len(flags) >= bounds.FLAGS:
                raise DockerfileError(self._line.place(begin), f"An instruction has at most {bounds.FLAGS} flags.")
            name, equals, value = word[2:].partition("=")
            flags.append(Flag(name, value if equals else None, self._line.place(begin)))

    def _flag(self, at: int) -> tuple[str, int]:
        text, escape, quote = self._text, self._lines.escape, ""
        word: list[str] = []
        while at < len(text):
            character = text[at]
            at += 1
            if character == escape:
                word.append(text[at : at + 1])
                at += 1
            elif quote:
                if character == quote:
                    quote = ""
                else:
                    word.append(character)
            elif character in "'\"":
                quote = character
            elif character in SPACES:
                break
            else:
                word.append(character)
        return "".join(word), min(at, len(text))

    def _heredocs(self, name: str, rest: str, *, is_json: bool) -> tuple[Heredoc, ...]:
        if "<<" not in rest or is_json:
            return ()
        if name == "ONBUILD":
            inner, _, tail = rest.partition(" ")
            if inner.upper() not in _TAKES_HEREDOCS or _json(tail) is not None:
                return ()
            name = inner.upper()
        elif name not in _TAKES_HEREDOCS:
            return ()
        try:
            words = ShellLex("\\", raw_quotes=True, raw_escapes=True).process_words(self._text)
        except ValueError:
            return ()
        found: list[Heredoc] = []
        for word in words:
            marker = _marker(word)
            if marker is None:
                continue
            if len(found) >= bounds.HEREDOCS:
                raise DockerfileError(self._line.place(), f"An instruction has at most {bounds.HEREDOCS} heredocs.")
            content = self._lines.heredoc(marker.name, chomp=marker.chomp)
            if content is None:
                at = max(self._text.find(word.strip()), 0)
                raise DockerfileError(
                    self._line.place(at), f"The heredoc does not end: there is no line {marker.name[:60]!r} after it."
                )
            if name == "RUN" and self._lines.windows:
                content = content.replace("\r\n", "\n")
            found.append(Heredoc(marker.name, content, marker.chomp, marker.expand, marker.file_descriptor))
        return tuple(found)


def _marker(word: str) -> DockerfileHeredoc | None:
    if not _HEREDOC.match(word) or len(word) > 1_000:
        return None
    try:
        return parse_heredoc(word)
    except ValueError:
        return None


def heredoc_name(text: str) -> str | None:
    """The name of the heredoc if the text is nothing else than its marker."""
    made = _marker(text)
    return None if made is None else made.name


# Forms of arguments.


def _json(rest: str) -> tuple[str, ...] | None:
    text = rest.lstrip(SPACES)
    if not text.startswith("[") or len(text) > bounds.JSON_CHARACTERS:
        return None
    try:
        parsed: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, list):
        return None
    items = cast("list[Any]", parsed)
    if not all(isinstance(item, str) for item in items):
        raise ValueError("only strings are possible in a JSON array")
    for item in cast("list[str]", items):
        if "\0" in item or not _encodes(item):
            raise ValueError("a string has a character that no argument can have")
    return tuple(cast("list[str]", items))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _one(rest: str, _: str) -> Arguments:
    return ((rest,) if rest else ()), False


def _blank_divided(rest: str, _: str) -> Arguments:
    return (tuple(_BLANKS.split(rest)) if rest else ()), False


def _json_or_one(rest: str, escape: str) -> Arguments:
    made = _json(rest)
    return (made, True) if made is not None else _one(rest, escape)


def _json_or_divided(rest: str, escape: str) -> Arguments:
    made = _json(rest)
    return (made, True) if made is not None else _blank_divided(rest, escape)


def _words(rest: str, escape: str) -> Arguments:
    return tuple(parse_words(rest, escape)), False


def _health(rest: str, escape: str) -> Arguments:
    kind = rest.split(None, 1)[0] if rest.strip(SPACES) else ""
    if not kind:
        return (), False
    args, is_json = _json_or_one(rest[len(kind) :].lstrip(SPACES), escape)
    return (kind, *args), is_json


def _pairs(rest: str, escape: str) -> Arguments:
    words = parse_words(rest, escape)
    if not words:
        return (), False
    if "=" not in words[0]:
        divided = _BLANKS.split(rest, maxsplit=1)
        if len(divided) < 2 or not divided[1]:
            raise ValueError("it needs a name and a value, as in NAME=value")
        return (divided[0], divided[1]), False
    args: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f'there is no = in "{word[:60]}"; each part has the form NAME=value')
        args += [name, value]
    return tuple(args), False


_PARSERS: dict[str, Callable[[str, str], Arguments]] = {
    "ADD": _json_or_divided,
    "ARG": _words,
    "CMD": _json_or_one,
    "COPY": _json_or_divided,
    "ENTRYPOINT": _json_or_one,
    "ENV": _pairs,
    "EXPOSE": _blank_divided,
    "FROM": _blank_divided,
    "HEALTHCHECK": _health,
    "LABEL": _pairs,
    "MAINTAINER": _one,
    "ONBUILD": _one,
    "RUN": _json_or_one,
    "SHELL": _json_or_one,
    "STOPSIGNAL": _one,
    "USER": _one,
    "VOLUME": _json_or_divided,
    "WORKDIR": _one,
}
