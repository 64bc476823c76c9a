"""What an import must know of a Dockerfile, and what it adds to one."""

import re
from collections.abc import Mapping

_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
_WORKDIR = re.compile(r"^WORKDIR\s+(.+?)\s*$", re.IGNORECASE)


class Unresolved(Exception):
    """The working directory depends on a variable. `line` counts from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def workdir(text: str) -> str | None:
    """Where the last stage's WORKDIRs lead; None if it has none, so that the image says it.

    Raises:
        Unresolved: There is a variable in it.
    """
    stages: dict[str, str | None] = {}
    name, current = "", None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if found := _FROM.match(stripped):
            if name:
                stages[name] = current
            current, name = stages.get(found[1].lower()), (found[2] or "").lower()
        elif found := _WORKDIR.match(stripped):
            path = found[1].strip("\"'")
            if "$" in path:
                raise Unresolved(number, path)
            current = path if path.startswith("/") else f"{(current or '').rstrip('/')}/{path}"
    return current


def with_variables(text: str, variables: Mapping[str, str]) -> str:
    """The Dockerfile with an ENV for each variable at its end."""
    lines = [f"ENV {name}={_quoted(value)}" for name, value in variables.items()]
    return text.rstrip("\n") + "\n" + "".join(f"{line}\n" for line in lines)


def _quoted(value: str) -> str:
    return '"' + re.sub(r'([\\"$])', r"\\\1", value) + '"'
