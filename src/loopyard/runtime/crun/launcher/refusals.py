"""Refusals of crun to start a program: the caller's mistake, which is a result, or the host's fault."""

from dataclasses import dataclass
from pathlib import Path

from loopyard.kit.host.linux import CANNOT_EXECUTE, KILLED, NOT_FOUND

_INSIDE = ("permission denied", "exec format", "not a directory", "levels of symbolic links")
"""Messages of crun on programs and folders that are as the sandbox made them."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """`lost` tells that the program was never the reason, `not_started` that there is no such program, or that the
    kernel does not start it."""

    exit_status: int
    lost: bool
    not_started: bool = False


def refusal(folder: Path) -> Refusal | None:
    """Why the command whose folder this is was not started; None if it was. crun told it on standard error, too."""
    if (folder / "pid").exists():
        return None
    try:
        log = (folder / "crun.log").read_text(errors="replace").strip()
    except FileNotFoundError:
        log = ""
    said = log.rpartition("error: ")[2] or log
    lowered = said.lower()
    if "not found" in lowered or "no such file" in lowered:
        no_program = "executable" in lowered
        return Refusal(NOT_FOUND if no_program else CANNOT_EXECUTE, lost=False, not_started=no_program)
    if "argument list too long" in lowered:
        return Refusal(CANNOT_EXECUTE, lost=False, not_started=True)
    if any(words in lowered for words in _INSIDE):
        return Refusal(CANNOT_EXECUTE, lost=False)
    return Refusal(KILLED, lost=True)
