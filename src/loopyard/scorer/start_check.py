"""Tells a scorer that could not be started from one that ran and found the work wanting."""

from loopyard.devbox.execution.models import Execution
from loopyard.kit.host.linux import CANNOT_EXECUTE, NOT_FOUND
from loopyard.runtime.output import tail
from loopyard.runtime.protocol import Runtime
from loopyard.scorer.request import ScoringInterrupted

_CANNOT_START = (CANNOT_EXECUTE, NOT_FOUND)
"""The exit statuses of a program that the kernel did not start; scripts may end so themselves."""

_SHOWN_LINES, _SHOWN_CHARACTERS = 3, 300


async def check_started(runtime: Runtime, execution: Execution, called: str) -> None:
    """See that the program of an execution that has ended was started at all. `called` is its name in the message.

    Raises:
        ScoringInterrupted: It was not, so that its exit status says nothing about the work.
        CommandNotFound: The execution was forgotten meanwhile, with its devbox.
    """
    if execution.exit_status not in _CANNOT_START:
        return
    result = await runtime.wait_command(execution.devbox_id, execution.id)
    if not result.not_started:
        return
    end = await tail(runtime, execution.devbox_id, execution.id, "stderr", _SHOWN_LINES)
    said = end.text.strip()[-_SHOWN_CHARACTERS:].removeprefix("loopyard: ")
    raise ScoringInterrupted(f"{called} could not be started: {said or f'exit status {execution.exit_status}'}")
