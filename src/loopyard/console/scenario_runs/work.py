"""Commands in the devbox of a scenario run: the scenario's set-up, the agent's work, and the scorers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loopyard.benchmark_job.trial.runner import AGENT_COMMAND
from loopyard.console.scenarios.contract import FunctionShown
from loopyard.devbox.execution.models import Execution
from loopyard.kit.clock import now_ms
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.output import Tail, tail
from loopyard.runtime.protocol import Runtime
from loopyard.scorer.request import command_id, setup_id

MOST_COMMANDS = 300
"""Commands of one kind that a page lists; the download has all."""

OUTPUT_LINES = 200
OUTPUT_BYTES = 64 * 1024

_SHOWN_AT_ONCE = 4
"""Commands whose output is on the page from the beginning; that of the others is loaded when they are opened."""


@dataclass(frozen=True, slots=True)
class CommandShown:
    """A command that ran in the devbox. `title` says what it is, where that is known."""

    id: str
    title: str | None
    command: str
    status: str
    exit_status: int | None
    timed_out: bool
    lost: bool
    start_time_ms: int
    seconds: float
    is_open: bool

    @property
    def went_well(self) -> bool:
        return self.exit_status == 0 and not self.timed_out and not self.lost

    @property
    def ending(self) -> str:
        """How it stands or ended, in a few words."""
        if self.lost:
            return "lost with the devbox"
        if self.timed_out:
            return "out of time"
        if self.exit_status is None:
            return self.status
        return f"exit status {self.exit_status}"


@dataclass(frozen=True, slots=True)
class ScorerShown:
    """A scoring function of a run, and what came of it. `seconds` is None where it did not run."""

    function: FunctionShown
    score: float | None
    state: str | None
    output: str
    seconds: float | None
    command_id: str | None


@dataclass(frozen=True, slots=True)
class Work:
    """The commands of a run by what they were for. `left_out` counts those of the agent that are not listed."""

    setup: list[CommandShown]
    agent: list[CommandShown]
    left_out: int


def work_of(executions: Sequence[Execution], left_out: int) -> Work:
    """The commands that are not the scorers'. `left_out` are not among the executions."""
    own = [one for one in executions if one.purpose != "scoring"]
    setup = [_shown(one, is_open=_failed(one)) for one in own if one.purpose in ("launch", "suspend")]
    listed = [one for one in own if one.purpose not in ("launch", "suspend")]
    few = len(listed) <= _SHOWN_AT_ONCE
    agent = [_shown(one, is_open=few or one.id == AGENT_COMMAND) for one in listed]
    return Work(setup, agent, left_out)


def scorers_of(
    functions: Sequence[FunctionShown], result: dict[str, Any] | None, executions: Sequence[Execution]
) -> list[ScorerShown]:
    """Each scoring function with its result, output and time."""
    ran = {one.id: one for one in executions if one.purpose == "scoring"}
    results: list[dict[str, Any]] = [] if result is None else result["scoring_function_results"]
    by_name = {one["scoring_function_name"]: one for one in results}
    shown: list[ScorerShown] = []
    for index, function in enumerate(functions):
        told = by_name.get(function.name)
        command = ran.get(command_id(index)) or ran.get(setup_id(index))
        shown.append(
            ScorerShown(
                function,
                score=None if told is None else float(told["score"]),
                state=None if told is None else told["state"],
                output="" if told is None else told["output"],
                seconds=None if command is None else _seconds(command),
                command_id=None if command is None else command.id,
            )
        )
    return shown


async def outputs(runtime: Runtime, devbox_id: str, execution_id: str) -> tuple[Tail | None, Tail | None]:
    """The ends of a command's output and errors; None where they are not kept any more."""
    try:
        return (
            await tail(runtime, devbox_id, execution_id, "stdout", OUTPUT_LINES, OUTPUT_BYTES),
            await tail(runtime, devbox_id, execution_id, "stderr", OUTPUT_LINES, OUTPUT_BYTES),
        )
    except RuntimeFault:
        return None, None


def _shown(execution: Execution, *, is_open: bool) -> CommandShown:
    title = "The agent, set to the problem by the job" if execution.id == AGENT_COMMAND else None
    return CommandShown(
        id=execution.id,
        title=title,
        command=execution.command,
        status=execution.status,
        exit_status=execution.exit_status,
        timed_out=execution.timed_out,
        lost=execution.lost,
        start_time_ms=execution.start_time_ms,
        seconds=_seconds(execution),
        is_open=is_open,
    )


def _failed(execution: Execution) -> bool:
    return execution.exit_status not in (None, 0) or execution.timed_out or execution.lost


def _seconds(execution: Execution) -> float:
    end = now_ms() if execution.end_time_ms is None else execution.end_time_ms
    return max(0, end - execution.start_time_ms) / 1000
