"""Facts that an import needs from a Dockerfile, and lines that it appends to one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from e2b_dockerfile_utils import DockerfileAst, DockerfileSyntaxError, parse_dockerfile_ast

from loopyard.runtime.images import STARTS_IN_WORKDIR

_ARGUMENT = "LOOPYARD_VALUE_"
_SPECIAL = '\\"$'
_LONGEST = 8192
"""Characters of a value that is written into the Dockerfile."""


class Invalid(Exception):
    """Error for a text that is no Dockerfile. `line` counts from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


@dataclass(frozen=True, slots=True)
class Ended:
    """A Dockerfile with what an import adds at its end, and the build arguments that this needs."""

    text: str
    build_args: dict[str, str] = field(default_factory=dict[str, str])


def ended(text: str, variables: Mapping[str, str]) -> Ended:
    """The Dockerfile with an ENV for each variable, exact whatever its value, and the label that commands start in
    its WORKDIR, as those of a container do.

    Raises:
        Invalid: It cannot be parsed, or has no FROM.
    """
    parsed = _parsed(text)
    text, escape = text.rstrip(), parsed.escape_token
    if text.endswith(escape) and not text.endswith(escape * 2):  # it would go on in the first line that is added
        text = text.removesuffix(escape)
    lines = [text, f'LABEL {STARTS_IN_WORKDIR}="true"']
    arguments: dict[str, str] = {}
    for name, value in variables.items():
        if _is_plain(value) and escape == "\\":
            lines.append(f'ENV {name}="{_escaped(value)}"')
        else:  # no line of a Dockerfile can say it
            argument = f"{_ARGUMENT}{len(arguments)}"
            arguments[argument] = value
            lines += [f"ARG {argument}", f'ENV {name}="${argument}"']
    return Ended("\n".join(lines) + "\n", arguments)


def _parsed(text: str) -> DockerfileAst:
    try:
        parsed = parse_dockerfile_ast(text)
    except DockerfileSyntaxError as error:
        raise Invalid(error.line or 1, str(error).partition(": ")[2]) from error
    if not any(instruction.name == "FROM" for instruction in parsed.instructions):
        raise Invalid(1, "has no FROM; name the image that it begins with")
    return parsed


def _is_plain(value: str) -> bool:
    return value.isprintable() and len(value) <= _LONGEST


def _escaped(value: str) -> str:
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in value)
