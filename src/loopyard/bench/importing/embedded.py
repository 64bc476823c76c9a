"""Folders and texts inside of Bash scripts."""

import base64
import shlex
from collections.abc import Mapping

_MARK = "LOOPYARD_FILES"


def unpack(archive: bytes, target: str) -> str:
    """Lines that unpack the gzipped tar archive into a new folder; the script ends where that fails."""
    quoted = shlex.quote(target)
    return f"""rm -rf {quoted} && mkdir -p {quoted} || exit 1
base64 -d <<'{_MARK}' | tar -xzf - -C {quoted} || exit 1
{_wrapped(archive)}
{_MARK}
"""


def place(content: bytes, target: str) -> str:
    """Lines that write the content to a file, named as Bash reads it; the script ends where that fails."""
    return f"""base64 -d > {target} <<'{_MARK}' || exit 1
{_wrapped(content)}
{_MARK}
"""


def exports(variables: Mapping[str, str]) -> str:
    """A line for each variable that is to have a value."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _wrapped(content: bytes) -> str:
    text = base64.b64encode(content).decode()
    return "\n".join(text[start : start + 120] for start in range(0, len(text), 120))
