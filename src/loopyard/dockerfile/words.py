"""Lexer of words: takes quotes and escapes off, and replaces variables, as BuildKit's shell lexer does."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from loopyard.dockerfile import bounds
from loopyard.dockerfile.lines import SPACES
from loopyard.dockerfile.patterns import BadPattern, replaced, without_prefix, without_suffix

_SPECIAL_PARAMETERS = "@*#?-$!"


class WordError(ValueError):
    """A word that has no meaning."""


@dataclass
class Budget:
    """Work that is left for replacing variables."""

    left: int = bounds.EXPANSION_WORK

    def spend(self, work: int) -> None:
        """Count work that is to be done.

        Raises:
            WordError: There is no more left.
        """
        self.left -= work
        if self.left < 0:
            raise WordError("the values of variables add up to too much text")


class _Split:
    """Words that a text falls into at spaces outside of quotes."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._now: list[str] = []

    def add(self, text: str) -> None:
        """Text whose spaces divide."""
        for character in text:
            if character not in SPACES:
                self._now.append(character)
            else:
                self.end()

    def add_whole(self, text: str) -> None:
        """Text whose spaces do not divide."""
        self._now.append(text)

    def end(self) -> None:
        """End the word that was begun."""
        if word := "".join(self._now):
            self.words.append(word)
        self._now = []


@dataclass
class Lexer:
    """Lexer for one set of variables, of which `lookup` tells the values. With `quotes` off, quotes are characters like
    others, as in heredocs. `unset` gathers the names that were asked for and had no value."""

    lookup: Callable[[str], str | None]
    escape: str = "\\"
    quotes: bool = True
    unset: set[str] = field(default_factory=set[str])
    budget: Budget = field(default_factory=Budget)

    def expand(self, text: str) -> str:
        """The text as one word.

        Raises:
            WordError: Quotes or braces are not closed, a substitution is unknown, or the result is too long.
        """
        if text.isalnum():
            return text
        return _Scan(self, text).until(None, None, raw=False)

    def split(self, text: str) -> list[str]:
        """The words that the text falls into, also at spaces of variables' values.

        Raises:
            WordError: As `expand` does.
        """
        words = _Split()
        _Scan(self, text).until(None, words, raw=False)
        words.end()
        return words.words


class _Scan:
    def __init__(self, lexer: Lexer, text: str) -> None:
        self._lexer = lexer
        self._text = text
        self._at = 0
        self._depth = 0
        self._made = 0

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        character = self._peek()
        self._at += 1
        return character

    def until(self, stop: str | None, words: _Split | None, *, raw: bool) -> str:
        """Read to the character `stop`, or to the end. `raw` keeps escape characters."""
        self._depth += 1
        if self._depth > bounds.NESTED_EXPANSIONS:
            raise WordError("substitutions are nested too deeply")
        made: list[str] = []
        escape, quotes = self._lexer.escape, "'\"" if self._lexer.quotes else ""
        while character := self._take():
            if character == stop:
                self._depth -= 1
                return "".join(made)
            if character == "$":
                piece = self._dollar()
                if words is not None:
                    words.add(piece)
            elif character in quotes:
                piece = self._single() if character == "'" else self._double(raw=raw)
                if words is not None:
                    words.add_whole(piece)
            elif character == escape:
                piece = self._take()
                if words is not None and piece:
                    words.add_whole(piece)
                piece = escape + piece if raw else piece
            else:
                piece = character
                if words is not None:
                    words.add(piece)
            made.append(piece)
        if stop is not None:
            raise WordError(f"the substitution misses its {stop!r}")
        self._depth -= 1
        return "".join(made)

    def _single(self) -> str:
        end = self._text.find("'", self._at)
        if end < 0:
            raise WordError("unexpected end of statement while looking for matching single-quote")
        piece = self._text[self._at : end]
        self._at = end + 1
        return piece

    def _double(self, *, raw: bool) -> str:
        made: list[str] = []
        escape = self._lexer.escape
        while character := self._take():
            if character == '"':
                return "".join(made)
            if character == "$":
                made.append(self._dollar())
                continue
            if character == escape:
                following = self._peek()
                if raw:
                    made.append(character)
                if not following:
                    break
                if following in ('"', "$", escape):
                    character = self._take()
            made.append(character)
        raise WordError("unexpected end of statement while looking for matching double-quote")

    def _dollar(self) -> str:
        if self._peek() != "{":
            name = self._name()
            return self._value(name) or "" if name else "$"
        self._at += 1
        if self._peek() in ("", "{", "}", ":"):
            raise WordError("bad substitution" if self._peek() else "the substitution misses its '}'")
        name = self._name()
        sign = self._take()
        if sign == "}":
            return self._value(name) or ""
        if not sign:
            raise WordError("the substitution misses its '}'")
        if sign == "/":
            return self._replacement(name)
        empty_is_unset = sign == ":"
        if empty_is_unset:
            sign = self._take()
            if not sign:
                raise WordError("the substitution misses its '}'")
        if sign not in ("-+?" if empty_is_unset else "-+?#%"):
            raise WordError(f"unsupported modifier ({':' if empty_is_unset else ''}{sign}) in substitution")
        return self._modified(name, sign, empty_is_unset=empty_is_unset)

    def _modified(self, name: str, sign: str, *, empty_is_unset: bool) -> str:
        word = self.until("}", None, raw=sign in "#%")
        value = self._value(name, asked=sign in "?#%")
        unset = value is None or (empty_is_unset and not value)
        if sign == "-":
            return word if unset else value or ""
        if sign == "+":
            return "" if unset else word
        if sign == "?":
            if unset:
                why = word or f"is not allowed to be {'unset' if value is None else 'empty'}"
                raise WordError(f"{name}: {why}")
            return value or ""
        longest = word.startswith(sign)
        pattern = word[1:] if longest else word
        self._lexer.budget.spend(len(value or "") * (1 + pattern.count("*")))
        try:
            cut = without_prefix if sign == "#" else without_suffix
            return cut(pattern, value or "", longest=longest)
        except BadPattern as bad:
            raise WordError(str(bad)) from bad

    def _replacement(self, name: str) -> str:
        every = self._peek() == "/"
        if every:
            self._at += 1
        pattern = self.until("/", None, raw=True)
        replacement = self.until("}", None, raw=True)
        self._lexer.budget.spend(len(self._lexer.lookup(name) or "") * (1 + pattern.count("*")))
        try:
            made = replaced(pattern, self._value(name) or "", replacement, every=every)
        except BadPattern as bad:
            raise WordError(str(bad)) from bad
        self._count(len(made))
        return made

    def _value(self, name: str, *, asked: bool = True) -> str | None:
        value = self._lexer.lookup(name)
        if value is None:
            if asked:
                self._lexer.unset.add(name)
            return None
        self._count(len(value))
        return value

    def _count(self, characters: int) -> None:
        self._made += characters
        if self._made > bounds.EXPANDED_CHARACTERS:
            raise WordError(f"the result has more than {bounds.EXPANDED_CHARACTERS} characters")
        self._lexer.budget.spend(characters)

    def _name(self) -> str:
        first = self._peek()
        begin = self._at
        only_digits = first.isdecimal()
        if first and first in _SPECIAL_PARAMETERS and not only_digits:
            self._at += 1
            return first
        while (character := self._peek()) and _in_name(character, only_digits=only_digits):
            self._at += 1
        return self._text[begin : self._at]


def _in_name(character: str, *, only_digits: bool) -> bool:
    if only_digits:
        return character.isdecimal()
    return character == "_" or unicodedata.category(character)[0] == "L" or character.isdecimal()
