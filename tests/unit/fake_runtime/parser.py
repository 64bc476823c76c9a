"""Reads as much of the shell's language as tests and the server's own scripts write."""

import re
from collections.abc import Callable

from tests.unit.fake_runtime.syntax import (
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    Item,
    Output,
    Part,
    Pipeline,
    Redirect,
    Sequence,
    Simple,
    Sum,
    Text,
    Variable,
    While,
    Word,
)

_NAME = re.compile(r"[A-Za-z_]\w*")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=")
_REDIRECT = re.compile(r"(\d*)(<<<|<<-|<<|<>|<&|<|>>|>&|>\||>|&>)")
_OPERATOR = re.compile(r":?[-=+?]|##?|%%?|//?")
_ENDS = " \t\n;&|<>()"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "a": "\a", "e": "\x1b", "0": "\0"}
_CLOSING = {"then", "do", "done", "fi", "elif", "else", "esac", "}"}


class BadScript(Exception):
    """A script is not one, or uses what this shell does not know."""


class Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def script(self) -> Sequence:
        """The whole text."""
        found = self._sequence()
        if self._at < len(self._text):
            raise BadScript(f"syntax error near `{self._text[self._at : self._at + 20]}'")
        return found

    # What separates commands.

    def _skip(self, *, lines: bool = False) -> None:
        while self._at < len(self._text):
            here = self._text[self._at]
            if here in " \t" or self._text.startswith("\\\n", self._at):
                self._at += 1 if here in " \t" else 2
            elif here == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            elif here == "\n" and lines:
                self._at += 1
            else:
                return

    def _peek(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _take(self, text: str) -> bool:
        if self._peek(text):
            self._at += len(text)
            return True
        return False

    def _need(self, text: str) -> None:
        self._skip(lines=True)
        if not self._take(text):
            raise BadScript(f"syntax error: expected `{text}' near `{self._text[self._at : self._at + 20]}'")

    def _word_ahead(self) -> str:
        found = re.compile(r"[A-Za-z]+|[{}!]").match(self._text, self._at)
        if found is None or (found.end() < len(self._text) and self._text[found.end()] not in _ENDS):
            return ""
        return found.group()

    def _sequence(self) -> Sequence:
        items: list[Item] = []
        while True:
            self._skip(lines=True)
            if self._at >= len(self._text) or self._text[self._at] in ");" or self._word_ahead() in _CLOSING:
                return Sequence(tuple(items))
            first = self._pipeline()
            rest: list[tuple[str, Pipeline]] = []
            while True:
                self._skip()
                operator = next((word for word in ("&&", "||") if self._take(word)), None)
                if operator is None:
                    break
                self._skip(lines=True)
                rest.append((operator, self._pipeline()))
            background = not self._peek("&&") and self._take("&")
            items.append(Item(first, tuple(rest), background))
            if not background and not self._peek(";;"):
                self._take(";")

    def _pipeline(self) -> Pipeline:
        negated = False
        self._skip()
        while self._word_ahead() == "!":
            self._at += 1
            negated = not negated
            self._skip()
        commands = [self._command()]
        while True:
            self._skip()
            if self._peek("||") or not self._take("|"):
                return Pipeline(tuple(commands), negated)
            self._skip(lines=True)
            commands.append(self._command())

    # Commands.

    def _command(self) -> Command:
        word = self._word_ahead()
        kinds: dict[str, Callable[[], Command]] = {
            "if": self._if, "while": self._while, "until": self._while, "for": self._for, "case": self._case,
        }  # fmt: skip
        if self._take("("):
            body = self._sequence()
            self._need(")")
            return Group(body, subshell=True, redirects=self._redirects())
        if word == "{":
            self._at += 1
            body = self._sequence()
            self._need("}")
            return Group(body, subshell=False, redirects=self._redirects())
        if word in kinds:
            return kinds[word]()
        found = re.compile(r"(?:function\s+)?([A-Za-z_][\w-]*)\s*\(\)\s*").match(self._text, self._at)
        if found is not None:
            self._at = found.end()
            self._skip(lines=True)
            return Function(found.group(1), self._command())
        return self._simple()

    def _if(self) -> If:
        branches: list[tuple[Sequence, Sequence]] = []
        self._at += 2
        while True:
            condition = self._sequence()
            self._need("then")
            branches.append((condition, self._sequence()))
            if not self._take("elif"):
                break
        otherwise = self._sequence() if self._take("else") else Sequence()
        self._need("fi")
        return If(tuple(branches), otherwise, self._redirects())

    def _while(self) -> While:
        until = self._peek("until")
        self._at += 5
        condition = self._sequence()
        body = self._body()
        return While(condition, body, until, self._redirects())

    def _for(self) -> For:
        self._at += 3
        self._skip()
        name = self._name()
        self._skip(lines=True)
        words: list[Word] | None = None
        if self._word_ahead() == "in":
            self._at += 2
            words = []
            while self._skip() or (self._at < len(self._text) and self._text[self._at] not in ";\n"):
                words.append(self._word())
        self._skip(lines=True)
        self._take(";")
        return For(name, None if words is None else tuple(words), self._body(), self._redirects())

    def _body(self) -> Sequence:
        self._need("do")
        body = self._sequence()
        self._need("done")
        return body

    def _case(self) -> Case:
        self._at += 4
        self._skip()
        word = self._word()
        self._need("in")
        arms: list[tuple[tuple[Word, ...], Sequence]] = []
        while True:
            self._skip(lines=True)
            if self._take("esac"):
                return Case(word, tuple(arms), self._redirects())
            self._take("(")
            patterns: list[Word] = []
            while True:
                self._skip()
                patterns.append(self._word())
                self._skip()
                if not self._take("|"):
                    break
            self._need(")")
            arms.append((tuple(patterns), self._sequence()))
            self._skip(lines=True)
            self._take(";;")

    def _simple(self) -> Simple:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            self._skip()
            if self._redirect(redirects):
                continue
            if self._at >= len(self._text) or self._text[self._at] in _ENDS:
                break
            found = _ASSIGNMENT.match(self._text, self._at)
            if found is not None and not words:
                self._at = found.end()
                assignments.append((found.group(1), self._word()))
            else:
                words.append(self._word())
        if not (assignments or words or redirects):
            raise BadScript(f"syntax error near `{self._text[self._at : self._at + 20]}'")
        return Simple(tuple(assignments), tuple(words), tuple(redirects))

    def _redirects(self) -> tuple[Redirect, ...]:
        found: list[Redirect] = []
        self._skip()
        while self._redirect(found):
            self._skip()
        return tuple(found)

    def _redirect(self, into: list[Redirect]) -> bool:
        found = _REDIRECT.match(self._text, self._at)
        if found is None:
            return False
        operator = found.group(2)
        self._at = found.end()
        number = int(found.group(1) or (0 if operator.startswith("<") else 1))
        self._skip()
        if operator == "<<<":
            into.append(Redirect(number, "<<", (*self._word(), Text("\n", quoted=True))))
        elif operator.startswith("<<"):
            word = self._word()
            end = "".join(part.text for part in word if isinstance(part, Text))
            quoted = any(isinstance(part, Text) and part.quoted for part in word)
            into.append(Redirect(number, "<<", self._here_document(end, operator == "<<-", quoted=quoted)))
        else:
            into.append(Redirect(number, ">" if operator == ">|" else operator, self._word()))
        return True

    def _here_document(self, end: str, stripped: bool, *, quoted: bool) -> Word:
        """The text of a here-document, which begins after this line, and is taken out of there."""
        begin = at = self._text.find("\n", self._at) + 1
        if begin == 0:
            raise BadScript("a here-document has no text")
        lines: list[str] = []
        while at < len(self._text):
            line, newline, _ = self._text[at:].partition("\n")
            at += len(line) + len(newline)
            line = line.lstrip("\t") if stripped else line
            if line == end:
                break
            lines.append(line + newline)
        self._text = self._text[:begin] + self._text[at:]
        text = "".join(lines)
        return (Text(text, quoted=True),) if quoted else Parser(text)._quoted_until(None)

    # Words.

    def _name(self) -> str:
        found = _NAME.match(self._text, self._at)
        if found is None:
            raise BadScript(f"`{self._text[self._at : self._at + 20]}': not a valid identifier")
        self._at = found.end()
        return found.group()

    def _word(self, ends: str = _ENDS) -> Word:
        parts: list[Part] = []
        while self._at < len(self._text) and (here := self._text[self._at]) not in ends:
            if here == "'":
                end = self._text.index("'", self._at + 1)
                parts.append(Text(self._text[self._at + 1 : end], quoted=True))
                self._at = end + 1
            elif here == '"':
                self._at += 1
                parts += self._quoted_until('"') or (Text("", quoted=True),)
            elif self._take("$'"):
                parts.append(Text(self._ansi(), quoted=True))
            elif here == "\\":
                following = self._text[self._at + 1 : self._at + 2]
                self._at += 2
                if following != "\n":
                    parts.append(Text(following, quoted=True))
            elif here in "$`":
                parts.append(self._expansion(quoted=False))
            else:
                begin = self._at
                while self._at < len(self._text) and self._text[self._at] not in ends + "'\"$\\`":
                    self._at += 1
                parts.append(Text(self._text[begin : self._at]))
        return tuple(parts)

    def _ansi(self) -> str:
        out: list[str] = []
        while not self._take("'"):
            here = self._text[self._at]
            if here == "\\":
                self._at += 1
                here = _ESCAPES.get(self._text[self._at], self._text[self._at])
            out.append(here)
            self._at += 1
        return "".join(out)

    def _quoted_until(self, end: str | None) -> Word:
        """Text in double quotes, or of a here-document, which has no end but its own."""
        parts: list[Part] = []
        text: list[str] = []

        def finish() -> None:
            if text:
                parts.append(Text("".join(text), quoted=True))
                text.clear()

        while self._at < len(self._text):
            here = self._text[self._at]
            if here == end:
                break
            if here == "\\" and self._text[self._at + 1 : self._at + 2] in ("$", "`", "\\", end or "$", "\n"):
                following = self._text[self._at + 1]
                text.append("" if following == "\n" else following)
                self._at += 2
            elif here in "$`":
                finish()
                parts.append(self._expansion(quoted=True))
            else:
                text.append(here)
                self._at += 1
        finish()
        if end is not None and not self._take(end):
            raise BadScript(f"unexpected EOF while looking for matching `{end}'")
        return tuple(parts)

    def _expansion(self, *, quoted: bool) -> Part:
        if self._take("`"):
            end = self._text.index("`", self._at)
            script = self._text[self._at : end].replace("\\`", "`")
            self._at = end + 1
            return Output(Parser(script).script(), quoted)
        self._at += 1
        if self._take("(("):
            end = self._balanced("((", "))")
            return Sum(Parser(end)._quoted_until(None), quoted)
        if self._take("("):
            body = self._sequence()
            self._need(")")
            return Output(body, quoted)
        if self._take("{"):
            return self._braced(quoted)
        found = re.compile(r"[A-Za-z_]\w*|\d|[@*#?$!-]").match(self._text, self._at)
        if found is None:
            return Text("$", quoted=True)
        self._at = found.end()
        return Variable(found.group(), quoted)

    def _balanced(self, opening: str, closing: str) -> str:
        begin, depth = self._at, 0
        while self._at < len(self._text):
            if self._peek(closing) and depth == 0:
                inside = self._text[begin : self._at]
                self._at += len(closing)
                return inside
            depth += {"(": 1, ")": -1}.get(self._text[self._at], 0)
            self._at += 1
        raise BadScript(f"`{opening}' is not closed")

    def _braced(self, quoted: bool) -> Variable:
        length = self._peek("#") and not self._peek("#}")
        if length:
            self._at += 1
        found = re.compile(r"[A-Za-z_]\w*|\d+|[@*#?$!-]").match(self._text, self._at)
        if found is None:
            raise BadScript(f"bad substitution: {self._text[self._at : self._at + 20]}")
        self._at = found.end()
        operator = _OPERATOR.match(self._text, self._at)
        if operator is not None:
            self._at = operator.end()
        argument = self._word("}") if operator is not None else ()
        self._need("}")
        return Variable(found.group(), quoted, operator.group() if operator else "", argument, length)
