"""Turns words into what they stand for: variables, output of scripts, sums, and names of files."""

import ast
import operator
import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from typing import Protocol

from tests.unit.fake_runtime.process import Process
from tests.unit.fake_runtime.syntax import Output, Part, Sum, Text, Variable, Word
from tests.unit.fake_runtime.syntax import Sequence as Script

_GLOB = "*?["
_BRACES = re.compile(r"\{([^{}\s]*,[^{}\s]*|-?\d+\.\.-?\d+)\}")
_Piece = tuple[str, bool]
"""Some text, and whether it was quoted."""


class Unset(Exception):
    """A variable that must be there is not."""


class Scope(Protocol):
    """What words are looked up in: a shell."""

    process: Process
    arguments: list[str]

    def value(self, name: str) -> str | None: ...

    def assign(self, name: str, value: str) -> None: ...

    async def output_of(self, script: Script) -> str: ...


async def fields(scope: Scope, words: Sequence[Word]) -> list[str]:
    """The arguments that words are."""
    found: list[str] = []
    for word in words:
        for braced in _brace(word):
            for pieces in await _split(scope, braced):
                found += _names(scope.process, pieces)
    return found


async def single(scope: Scope, word: Word) -> str:
    """The text that a word is where it is not split."""
    return "".join([await _text(scope, part) for part in _tilde(scope, word)])


async def pattern(scope: Scope, word: Word) -> str:
    """A regular expression of a pattern, such as an arm of `case` has."""
    pieces = [(await _text(scope, part), part.quoted) for part in word]
    return translate(_escaped(pieces))


def _brace(word: Word) -> list[Word]:
    for index, part in enumerate(word):
        if isinstance(part, Text) and not part.quoted and (found := _BRACES.search(part.text)):
            inner = found.group(1)
            if "," in inner:
                choices = inner.split(",")
            else:
                first, last = (int(number) for number in inner.split(".."))
                step = 1 if first <= last else -1
                choices = [str(number) for number in range(first, last + step, step)]
            before, after = part.text[: found.start()], part.text[found.end() :]
            made = [(*word[:index], Text(before + choice + after), *word[index + 1 :]) for choice in choices]
            return [one for each in made for one in _brace(each)]
    return [word]


def _tilde(scope: Scope, word: Word) -> Word:
    if word and isinstance(first := word[0], Text) and not first.quoted and re.match(r"~(/|$)", first.text):
        return (Text(scope.value("HOME") or "", quoted=True), Text(first.text[1:]), *word[1:])
    return word


async def _split(scope: Scope, word: Word) -> list[list[_Piece]]:
    """The fields of a word, each in pieces."""
    made: list[list[_Piece]] = [[]]
    is_there = False
    for part in _tilde(scope, word):
        if isinstance(part, Variable) and part.name == "@" and part.quoted and not part.operator:
            for index, argument in enumerate(scope.arguments):
                if index:
                    made.append([])
                made[-1].append((argument, True))
                is_there = True
            continue
        text = await _text(scope, part)
        if isinstance(part, Text) or part.quoted:
            made[-1].append((text, part.quoted))
            is_there = is_there or part.quoted or bool(text)
            continue
        is_there = _spread(text, made) or is_there
    return [pieces for pieces in made if any(text or quoted for text, quoted in pieces)] if is_there else []


def _spread(text: str, made: list[list[_Piece]]) -> bool:
    """Put the words of an expansion that is not quoted into fields."""
    words = text.split()
    if text[:1].isspace() and made[-1]:
        made.append([])
    for index, word in enumerate(words):
        if index:
            made.append([])
        made[-1].append((word, False))
    if words and text[-1:].isspace():
        made.append([])
    return bool(words)


def _escaped(pieces: list[_Piece]) -> str:
    return "".join(re.sub(r"([*?\[])", r"[\1]", text) if quoted else text for text, quoted in pieces)


def _names(process: Process, pieces: list[_Piece]) -> list[str]:
    """The files that a field with a pattern stands for; the field itself if there are none."""
    plain = "".join(text for text, _ in pieces)
    if not any(not quoted and any(sign in text for sign in _GLOB) for text, quoted in pieces):
        return [plain]
    found = ["/" if plain.startswith("/") else ""]
    for part in _escaped(pieces).strip("/").split("/"):
        reached: list[str] = []
        for place in found:
            if not any(sign in part for sign in _GLOB):
                reached += [place + part] if process.disk.exists(process.path(place + part), process.who) else []
                continue
            try:
                names = process.disk.entries(process.path(place or "."), process.who)
            except OSError:
                continue
            hidden = part.startswith(".")
            matches = re.compile(translate(part)).match
            reached += [place + name for name in names if matches(name) and (hidden or not name.startswith("."))]
        found = [f"{place}/" for place in reached]
    return [place.rstrip("/") for place in found] or [plain]


async def _text(scope: Scope, part: Part) -> str:
    match part:
        case Text():
            return part.text
        case Output():
            return (await scope.output_of(part.script)).rstrip("\n")
        case Sum():
            return str(total(scope, await single(scope, part.expression)))
        case Variable():
            return await _variable(scope, part)


async def _variable(scope: Scope, part: Variable) -> str:
    value = scope.value(part.name)
    if part.length:
        return str(len(value or ""))
    sign = part.operator.lstrip(":")
    missing = value is None or (part.operator.startswith(":") and not value)
    if sign in ("-", "=", "?"):
        if not missing:
            return value or ""
        argument = await single(scope, part.argument)
        if sign == "?":
            raise Unset(f"{part.name}: {argument or 'parameter null or not set'}")
        if sign == "=":
            scope.assign(part.name, argument)
        return argument
    if sign == "+":
        return "" if missing else await single(scope, part.argument)
    if sign.startswith(("#", "%", "/")):
        return await _cut(scope, value or "", sign, part.argument)
    return value or ""


async def _cut(scope: Scope, value: str, sign: str, argument: Word) -> str:
    """What `#`, `%` and `/` leave of a value."""
    if sign.startswith("/"):
        old, _, new = (await single(scope, argument)).partition("/")
        return value.replace(old, new) if sign == "//" else value.replace(old, new, 1)
    matches = re.compile(await pattern(scope, argument)).match
    lengths = range(len(value) + 1)
    if sign.startswith("#"):
        found = [value[at:] for at in lengths if matches(value[:at])]
        return (found[-1] if sign == "##" else found[0]) if found else value
    found = [value[: len(value) - at] for at in lengths if matches(value[len(value) - at :])]
    return (found[-1] if sign == "%%" else found[0]) if found else value


_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: lambda a, b: a // b,
    ast.Mod: operator.mod,
    ast.Pow: lambda a, b: int(a**b), ast.LShift: lambda a, b: a << b, ast.RShift: lambda a, b: a >> b,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip


def total(scope: Scope, expression: str) -> int:
    """The value of a sum; names in it are variables."""
    return _reckon(scope, ast.parse(expression.strip() or "0", mode="eval").body)


def _reckon(scope: Scope, node: ast.expr) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return int(scope.value(name) or 0)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_reckon(scope, operand)
        case ast.BinOp(left=left, op=sign, right=right):
            return _OPERATORS[type(sign)](_reckon(scope, left), _reckon(scope, right))
        case ast.Compare(left=left, ops=[sign], comparators=[right]):
            return int(_OPERATORS[type(sign)](_reckon(scope, left), _reckon(scope, right)))
        case _:
            raise Unset(f"{ast.unparse(node)}: this sum is not known here")
