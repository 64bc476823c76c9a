"""Runs scoring functions in a devbox. Can be repeated after a crash: what was started before is not run again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.execution.models import Execution
from loopyard.devbox.execution.output import tail
from loopyard.devbox.paths import absolute
from loopyard.kit.errors import LoopyardError, NotFound
from loopyard.kit.failpoint import failpoint
from loopyard.runtime.errors import FileAccessDenied, FileUnsuitable, NoSpaceLeft, RuntimeFault
from loopyard.runtime.protocol import CommandSpec, Runtime, Stream, User
from loopyard.scorer.contract import ScoringContractResult, ScoringFunction, ScoringFunctionResult, weigh
from loopyard.scorer.scorer import Ended, Job, NoScore, Place, PlacedFile

SCORING_FOLDER = "/var/lib/loopyard-scoring"
"""Where in the box the scorers' own files go. Each scoring has a folder there whose name is not known before."""

MAX_STDOUT_BYTES = 12 * 1024
MAX_STDERR_BYTES = 4 * 1024
"""How much of a scorer's output its result holds: the ends of both streams. `download_logs` has all of it."""

_READ_BYTES = 1024**2
"""How far from the end of standard output a score is looked for."""

_ROOT = User("root", 0)

_KILLED = 137
"""The exit status of what SIGKILL ended."""

_NOTICE_SECONDS = 1.0


class ScoringInterrupted(Exception):
    """The infrastructure failed under the scoring, so that it says nothing about what was to be scored."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is to be scored, and how. `key` names its folder in the box; `working_directory` None is the home."""

    devbox_id: str
    user: User
    working_directory: str | None
    timeout_seconds: int
    key: str
    functions: Sequence[ScoringFunction]

    def place(self, index: int) -> Place:
        return Place(f"{SCORING_FOLDER}/{self.key}/{index}", self.working_directory or self.user.home)


def command_id(index: int) -> str:
    """The execution of a scoring function in its devbox. Callers cannot choose ids with a dot."""
    return f"score.{index}"


class ScoringEngine:
    def __init__(self, runtime: Runtime, executions: ExecutionEngine) -> None:
        self._runtime = runtime
        self._executions = executions

    async def score(self, scoring: Scoring) -> ScoringContractResult:
        """Run the functions one after another, each at most once, and weigh what they say.

        Raises:
            ScoringInterrupted: The devbox or the host failed meanwhile.
        """
        try:
            results = [await self._function(scoring, index) for index in range(len(scoring.functions))]
        except LoopyardError as error:
            raise ScoringInterrupted(error.message) from error
        except RuntimeFault as fault:
            raise ScoringInterrupted(str(fault)) from fault
        return weigh(scoring.functions, results)

    async def _function(self, scoring: Scoring, index: int) -> ScoringFunctionResult:
        function = scoring.functions[index]
        job = function.scorer.job(scoring.place(index))
        if not await self._started(scoring.devbox_id, index):
            failpoint(f"scoring.{index}.placing")
            try:
                await self._put(scoring, job)
            except (FileAccessDenied, FileUnsuitable, NoSpaceLeft) as fault:
                return _error(function, f"A file of the scorer could not be written: {fault}")
        execution = await self._run(scoring, index, job)
        failpoint(f"scoring.{index}.ended")
        if execution.lost or await self._killed_with_box(execution):
            raise ScoringInterrupted(f"The devbox went down under the scoring function {function.name}.")
        return await self._judge(scoring, function, execution)

    async def _started(self, devbox_id: str, index: int) -> bool:
        try:
            await self._executions.get(devbox_id, command_id(index))
        except NotFound:
            return False
        return True

    async def _put(self, scoring: Scoring, job: Job) -> None:
        for file in job.files:
            if not file.protected:
                try:
                    await self._write(scoring.devbox_id, file, scoring.user)
                except FileAccessDenied:
                    await self._write(scoring.devbox_id, file, _ROOT)  # the folder may be root's, or be closed
            else:
                await self._write(scoring.devbox_id, file, _ROOT)

    async def _write(self, devbox_id: str, file: PlacedFile, user: User) -> None:
        await self._runtime.write_file(devbox_id, file.path, _once(file.content), user=user, mode=0o755)

    async def _run(self, scoring: Scoring, index: int, job: Job) -> Execution:
        function = scoring.functions[index]
        spec = CommandSpec(
            id=command_id(index),
            argv=job.argv,
            cwd=scoring.working_directory,
            environment=job.environment,
            timeout_seconds=scoring.timeout_seconds,
        )
        command = f"{function.scorer.type} {function.name}"
        return await self._executions.run(scoring.devbox_id, NewExecution(spec, command, purpose="scoring"))

    async def _killed_with_box(self, execution: Execution) -> bool:
        """Whether the scorer was killed because its devbox went down, which may be noticed a moment later."""
        if execution.exit_status != _KILLED or execution.timed_out:
            return False
        try:
            async with asyncio.timeout(_NOTICE_SECONDS):
                await self._runtime.wait(execution.devbox_id)
        except TimeoutError:
            return False
        return True

    async def _judge(self, scoring: Scoring, function: ScoringFunction, execution: Execution) -> ScoringFunctionResult:
        out = await self._tail(execution, "stdout", _READ_BYTES)
        err = await self._tail(execution, "stderr", MAX_STDERR_BYTES)
        output = "\n".join(part for part in (_last(out, MAX_STDOUT_BYTES).rstrip("\n"), err.rstrip("\n")) if part)
        if execution.timed_out:
            return _error(function, f"It took longer than {scoring.timeout_seconds} seconds and was stopped.", output)
        exit_status = 137 if execution.exit_status is None else execution.exit_status
        try:
            score = function.scorer.judge(Ended(exit_status, out))
        except NoScore as reason:
            return _error(function, str(reason), output)
        return ScoringFunctionResult(scoring_function_name=function.name, score=score, output=output, state="complete")

    async def _tail(self, execution: Execution, stream: Stream, size: int) -> str:
        read = await tail(self._runtime, execution.devbox_id, execution.id, stream, None, size)
        return read.text.replace("\x00", "\ufffd")


def resolve(path: str | None, user: User) -> str | None:
    """A working directory as an absolute path: `~` is the user's home, and a relative path starts there."""
    return None if path is None else absolute(path, user)


def _error(function: ScoringFunction, reason: str, output: str = "") -> ScoringFunctionResult:
    text = f"{reason}\n{output}" if output else reason
    return ScoringFunctionResult(scoring_function_name=function.name, score=0.0, output=text, state="error")


def _last(text: str, size: int) -> str:
    data = text.encode()
    return text if len(data) <= size else data[-size:].decode(errors="ignore")


async def _once(content: str) -> AsyncIterator[bytes]:
    yield content.encode()
