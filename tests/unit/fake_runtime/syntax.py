"""What a shell script is made of."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`, or `${name<operator>argument}`; `length` is `${#name}`."""

    name: str
    quoted: bool = False
    operator: str = ""
    argument: "Word" = ()
    length: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """What a script prints: `$(script)`."""

    script: "Sequence"
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Sum:
    """`$((expression))`."""

    expression: "Word"
    quoted: bool = False


Part = Text | Variable | Output | Sum
Word = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Redirect:
    """`operator` is one of `<`, `>`, `>>`, `<<` (the word is the text itself), `<&`, `>&`, `&>`, `<>`."""

    number: int
    operator: str
    word: Word


@dataclass(frozen=True, slots=True)
class Simple:
    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """`{ body; }`, or `( body )` in a process of its own."""

    body: "Sequence"
    subshell: bool
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class If:
    branches: tuple[tuple["Sequence", "Sequence"], ...]
    otherwise: "Sequence"
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class While:
    condition: "Sequence"
    body: "Sequence"
    until: bool
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class For:
    name: str
    words: tuple[Word, ...] | None
    body: "Sequence"
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    word: Word
    arms: tuple[tuple[tuple[Word, ...], "Sequence"], ...]
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    body: "Command"
    redirects: tuple[Redirect, ...] = ()


Command = Simple | Group | If | While | For | Case | Function


@dataclass(frozen=True, slots=True)
class Pipeline:
    commands: tuple[Command, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """Pipelines joined by `&&` and `||`, in the background or not."""

    first: Pipeline
    rest: tuple[tuple[str, Pipeline], ...] = ()
    background: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Item, ...] = field(default=())
