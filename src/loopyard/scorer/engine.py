"""Runs scoring functions in a devbox. Can be repeated after a crash: what was started before is not run again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.execution.models import Execution
from loopyard.devbox.execution.output import tail
from loopyard.kit.errors import LoopyardError, NotFound
from loopyard.kit.failpoint import failpoint
from loopyard.runtime.errors import FileAccessDenied, FileNotFound, FileUnsuitable, NoSpaceLeft, RuntimeFault
from loopyard.runtime.protocol import CommandSpec, Runtime, Stream, User
from loopyard.runtime.user_paths import absolute
from loopyard.scorer.contract import RunFunction, ScoringFunctionResult, weigh
from loopyard.scorer.preparing import Preparing, variables
from loopyard.scorer.restored import noted
from loopyard.scorer.scorer import Ended, NoScore, PlacedFile, ScorerJob
from loopyard.scorer.scoring import ROOT, Outcome, ScoringInterrupted, ScoringRequest, SetupFailed, command_id
from loopyard.scorer.starting import check_started

MAX_STDOUT_BYTES = 12 * 1024
MAX_STDERR_BYTES = 4 * 1024
"""How much of a scorer's output its result holds: the ends of both streams. `download_logs` has all of it."""

_READ_BYTES = 1024**2
"""How far from the end of standard output a score is looked for."""

_KILLED = 137
"""The exit status of what SIGKILL ended."""

_NOTICE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Judged:
    """Result of one function, how long it ran, and whether the time was over before its end."""

    result: ScoringFunctionResult
    seconds: float = 0.0
    out_of_time: bool = False


class ScoringEngine:
    def __init__(self, runtime: Runtime, executions: ExecutionEngine, preparing: Preparing) -> None:
        self._runtime = runtime
        self._executions = executions
        self._preparing = preparing

    async def score(self, scoring: ScoringRequest) -> Outcome:
        """Prepare the box, run the functions, each at most once, and weigh what they say.

        Functions that only read run side by side. The others run one after the other, and what one leaves running is
        ended before the next: it may be the agent's code, and that must not meddle with another scorer.

        Raises:
            ScoringInterrupted: The devbox or the host failed meanwhile.
        """
        try:
            judged = await self._functions(scoring)
            put_back = await self._preparing.put_back(scoring)
        except LoopyardError as error:
            raise ScoringInterrupted(error.message) from error
        except RuntimeFault as fault:
            raise ScoringInterrupted(str(fault)) from fault
        results = [noted(one.result, put_back) for one in judged]
        result = weigh([one.weight for one in scoring.functions], results)
        return Outcome(result, any(one.out_of_time for one in judged), put_back)

    async def _functions(self, scoring: ScoringRequest) -> list[_Judged]:
        order = range(len(scoring.functions))
        jobs = [function.scorer.job(scoring.place(index)) for index, function in enumerate(scoring.functions)]
        started = [await self._started(scoring.devbox_id, index) for index in order]
        if not any(started):
            try:
                await self._preparing.prepare(scoring, jobs)
            except NoSpaceLeft as fault:  # who filled the disk has not broken the infrastructure
                reason = f"The box could not be made ready for scoring: {fault}"
                return [_Judged(_error(function, reason)) for function in scoring.functions]
        reading = [index for index in order if scoring.functions[index].scorer.reads_only]
        left: float = scoring.timeout_seconds
        read = await asyncio.gather(*(self._function(scoring, index, jobs[index], left) for index in reading))
        judged = dict(zip(reading, read, strict=True))
        left -= max((one.seconds for one in read), default=0.0)
        others = [index for index in order if index not in judged]
        for index in others:
            if index != others[0] and not started[index]:
                await self._preparing.clear(scoring)
            judged[index] = await self._function(scoring, index, jobs[index], left)
            left -= judged[index].seconds
        return [judged[index] for index in order]

    async def _function(self, scoring: ScoringRequest, index: int, job: ScorerJob, seconds: float) -> _Judged:
        function = scoring.functions[index]
        if not await self._started(scoring.devbox_id, index):
            if seconds <= 0:
                return _Judged(_error(function, f"{_over(scoring)} before this one began."), out_of_time=True)
            failpoint(f"scoring.{index}.placing")
            try:
                await self._put(scoring, job)
            except (FileAccessDenied, FileUnsuitable, NoSpaceLeft) as fault:
                return _Judged(_error(function, f"A file of the scorer could not be written: {fault}"))
        try:
            execution = await self._run(scoring, index, job, seconds)
        except SetupFailed as failure:
            return _Judged(_error(function, str(failure)))
        failpoint(f"scoring.{index}.ended")
        if execution.lost or await self._killed_with_box(execution):
            raise ScoringInterrupted(f"The devbox went down under the scoring function {function.name}.")
        if await self._lost_output(execution):
            reason = f"The disk of the host was full, and output of the scoring function {function.name} was lost."
            raise ScoringInterrupted(reason)
        await check_started(self._runtime, execution, f"The scoring function {function.name}")
        ran = (execution.end_time_ms or execution.start_time_ms) - execution.start_time_ms
        return _Judged(await self._judge(scoring, function, execution), ran / 1000, execution.timed_out)

    async def _started(self, devbox_id: str, index: int) -> bool:
        try:
            await self._executions.get(devbox_id, command_id(index))
        except NotFound:
            return False
        return True

    async def _put(self, scoring: ScoringRequest, job: ScorerJob) -> None:
        for file in job.files:
            if not file.protected:
                try:
                    await self._write(scoring.devbox_id, file, scoring.user)
                except FileAccessDenied:
                    await self._write(scoring.devbox_id, file, ROOT)  # the folder may be root's, or be closed
            else:
                await self._write(scoring.devbox_id, file, ROOT)
        await self._check_apart(scoring.devbox_id, [file for file in job.files if not file.protected])

    async def _write(self, devbox_id: str, file: PlacedFile, user: User) -> None:
        await self._runtime.write_file(devbox_id, file.path, _once(file.data), user=user, mode=0o755)

    async def _check_apart(self, devbox_id: str, files: Sequence[PlacedFile]) -> None:
        """Make sure that no two of the files are one by a link that was laid there before: the last one written would
        stand in for all."""
        for file in files if len(files) > 1 else ():
            try:
                found = b"".join([chunk async for chunk in self._runtime.read_file(devbox_id, file.path, user=ROOT)])
            except FileNotFound:
                found = None
            if found != file.data:
                raise FileUnsuitable(f"{file.path}: it is the same file as another one")

    async def _run(self, scoring: ScoringRequest, index: int, job: ScorerJob, seconds: float) -> Execution:
        function = scoring.functions[index]
        spec = CommandSpec(
            id=command_id(index),
            argv=await self._preparing.argv(scoring, index, job),
            cwd=scoring.working_directory,
            environment={**variables(scoring), **job.environment},
            timeout_seconds=seconds,
        )
        command = f"{function.scorer.type} {function.name}"
        return await self._executions.run(scoring.devbox_id, NewExecution(spec, command, purpose="scoring"))

    async def _killed_with_box(self, execution: Execution) -> bool:
        """True if the scorer was killed because its devbox went down, which may be noticed a moment later."""
        if execution.exit_status != _KILLED or execution.timed_out:
            return False
        try:
            async with asyncio.timeout(_NOTICE_SECONDS):
                await self._runtime.wait(execution.devbox_id)
        except TimeoutError:
            return False
        return True

    async def _lost_output(self, execution: Execution) -> bool:
        """True if some of a scorer's output could not be kept, so that a score read from it might be wrong."""
        key = (execution.devbox_id, execution.id)
        return any([await self._runtime.is_truncated(*key, stream) for stream in ("stdout", "stderr")])

    async def _judge(
        self, scoring: ScoringRequest, function: RunFunction, execution: Execution
    ) -> ScoringFunctionResult:
        out = await self._tail(execution, "stdout", _READ_BYTES)
        err = await self._tail(execution, "stderr", MAX_STDERR_BYTES)
        output = "\n".join(part for part in (_last(out, MAX_STDOUT_BYTES).rstrip("\n"), err.rstrip("\n")) if part)
        if execution.timed_out:
            return _error(function, f"{_over(scoring)}, and this one was stopped.", output)
        exit_status = _KILLED if execution.exit_status is None else execution.exit_status
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


def _over(scoring: ScoringRequest) -> str:
    return f"The time for scoring, {scoring.timeout_seconds} seconds, was over"


def _error(function: RunFunction, reason: str, output: str = "") -> ScoringFunctionResult:
    text = f"{reason}\n{output}" if output else reason
    return ScoringFunctionResult(scoring_function_name=function.name, score=0.0, output=text, state="error")


def _last(text: str, size: int) -> str:
    data = text.encode()
    return text if len(data) <= size else data[-size:].decode(errors="ignore")


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
