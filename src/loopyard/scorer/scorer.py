"""Base of every type of scorer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from loopyard.kit.http.wire import Params


@dataclass(frozen=True, slots=True)
class ScorerPaths:
    """Where a scoring function finds things in the box. `directory` is its own, made at scoring time, writable by root
    only, under a name that nobody can have guessed before. `working_directory` is absolute."""

    directory: str
    working_directory: str


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """A file that is written to the box at scoring time, whatever was there. `protected` files belong to root."""

    path: str
    content: str | bytes
    protected: bool = True

    @property
    def data(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content.encode()


@dataclass(frozen=True, slots=True)
class PythonNeeds:
    """A Python environment: `constraint` as uv takes it (None: the server's default), `requirements` the text of a
    requirements.txt."""

    constraint: str | None = None
    requirements: str = ""


@dataclass(frozen=True, slots=True)
class ScorerJob:
    """Work of a scorer: files are placed, then a program is run in the working directory as the box's user.

    The words `TOOLS` and `PYTHON` at the start of `argv[0]` stand for the folder of the server's own tools, and for the
    interpreter of the environment `python`.
    """

    argv: Sequence[str]
    files: Sequence[PlacedFile] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    python: PythonNeeds | None = None


TOOLS, PYTHON = "@tools", "@python"


@dataclass(frozen=True, slots=True)
class Ended:
    """How the program ended. `stdout` is the end of its standard output, large enough for any score."""

    exit_status: int
    stdout: str


class NoScore(Exception):
    """The program gave no valid score; the message says why, for a person to read."""


class Scorer(Params, ABC):
    """Scorer of one type. Subclasses hold the wire's fields for their `type`."""

    reads_only: ClassVar[bool] = False
    """True if it only reads what is in the box, and runs nothing of it: such ones can run side by side."""

    @abstractmethod
    def job(self, place: ScorerPaths) -> ScorerJob:
        """Work to be done in the box."""

    @abstractmethod
    def judge(self, ended: Ended) -> float:
        """The score, 0 to 1.

        Raises:
            NoScore: There is none, or it is not valid.
        """
