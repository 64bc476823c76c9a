"""Failure of an instruction, told with its place in the Dockerfile."""

from loopyard.kit.host.linux import KILLED, tells_no_space
from loopyard.runtime.docker.building.lowering import Line
from loopyard.runtime.images import BuildFailed

_MOST_CHARACTERS = 2_000


def failure(line: Line | None, said: str, status: int | None, *, limited: bool) -> BuildFailed:
    """Failure by what the engine said. `status` is that of the command that failed, None where none did. `limited`
    tells that the command had a limit of memory."""
    reason = "out_of_disk" if tells_no_space(said) else "build_failed"
    what = said.strip()[-_MOST_CHARACTERS:]
    if status is not None:
        what = f"exit status {status}"
        if status == KILLED and limited:
            reason = "out_of_memory"
            what = f"it was killed (exit status {KILLED}), as commands are at their limit of memory"
    if line is None or line.place is None:
        return BuildFailed(reason, f"The build failed: {what}")
    place = line.place
    return BuildFailed(reason, f"{place.file}:{place.line}:{place.column}: {line.shown}: {what}")
