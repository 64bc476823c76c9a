"""Failure of an instruction, told with its place in the Dockerfile."""

from loopyard.runtime.docker.building.lowering import Line
from loopyard.runtime.images import BuildFailed

_KILLED = 137
_NO_SPACE = ("no space left on device", "disk quota exceeded")
_MOST_CHARACTERS = 2_000


def failure(line: Line | None, said: str, status: int | None, *, limited: bool) -> BuildFailed:
    """Failure by what the engine said. `status` is that of the command that failed, None where none did. `limited`
    tells that the command had a limit of memory."""
    reason = "out_of_disk" if any(words in said.lower() for words in _NO_SPACE) else "build_failed"
    what = said.strip()[-_MOST_CHARACTERS:]
    if status is not None:
        what = f"exit status {status}"
        if status == _KILLED and limited:
            reason, what = "out_of_memory", "it was killed (exit status 137), as commands are at their limit of memory"
    if line is None or line.place is None:
        return BuildFailed(reason, f"The build failed: {what}")
    place = line.place
    return BuildFailed(reason, f"{place.file}:{place.line}:{place.column}: {line.shown}: {what}")
