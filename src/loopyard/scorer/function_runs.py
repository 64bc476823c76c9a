"""Second step of scoring: each function is run in the prepared box, once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.execution.models import Execution
from loopyard.kit.chunks import one_chunk
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.host.linux import KILLED
from loopyard.runtime.errors import FileAccessDenied, FileNotFound, FileUnsuitable, NoSpaceLeft
from loopyard.runtime.protocol import ROOT, CommandSpec, Runtime, User
from loopyard.scorer.contract import RunFunction
from loopyard.scorer.executions import has_begun
from loopyard.scorer.preparation import Preparation
from loopyard.scorer.python_environments import EnvironmentFailed, PythonEnvironments
from loopyard.scorer.request import FunctionJob, ScoringInterrupted, ScoringRequest, command_id
from loopyard.scorer.scorer import PYTHON, TOOLS, PlacedFile, ScorerJob
from loopyard.scorer.start_check import check_started
from loopyard.scorer.tools import FOLDER

_NOTICE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class FunctionRun:
    """Run of one function: its execution, or the `failure` for which it has none."""

    function: RunFunction
    execution: Execution | None = None
    failure: str | None = None
    out_of_time: bool = False
    """True if the time for scoring was over before the function's end."""

    @property
    def seconds(self) -> float:
        """How long it ran."""
        if self.execution is None or self.execution.end_time_ms is None:
            return 0.0
        return (self.execution.end_time_ms - self.execution.start_time_ms) / 1000


class FunctionRunner:
    """Runs scoring functions in the boxes of one runtime."""

    def __init__(
        self,
        runtime: Runtime,
        executions: ExecutionEngine,
        preparation: Preparation,
        environments: PythonEnvironments,
    ) -> None:
        self._runtime = runtime
        self._executions = executions
        self._preparation = preparation
        self._environments = environments

    async def run(self, request: ScoringRequest, jobs: Sequence[FunctionJob]) -> list[FunctionRun]:
        """Run the functions, in the order of the contract.

        Functions that only read run side by side. The others run one after the other, and what one leaves running is
        ended before the next: it may be the agent's code, and that must not meddle with another scorer.

        Raises:
            ScoringInterrupted: The devbox or the host failed under a function.
        """
        left: float = request.timeout_seconds
        readers = [job for job in jobs if job.function.scorer.reads_only]
        reads = await asyncio.gather(*(self._run_one(request, job, left) for job in readers))
        runs = {job.index: run for job, run in zip(readers, reads, strict=True)}
        left -= max((run.seconds for run in reads), default=0.0)
        others = [job for job in jobs if job.index not in runs]
        for job in others:
            if job is not others[0] and not await has_begun(self._executions, request.devbox_id, job.index):
                await self._preparation.clear(request)
            runs[job.index] = run = await self._run_one(request, job, left)
            left -= run.seconds
        return [runs[job.index] for job in jobs]

    async def _run_one(self, request: ScoringRequest, one: FunctionJob, seconds: float) -> FunctionRun:
        function = one.function
        if not await has_begun(self._executions, request.devbox_id, one.index):
            if seconds <= 0:
                failure = f"{time_is_over(request)} before this one began."
                return FunctionRun(function, failure=failure, out_of_time=True)
            failpoint(f"scoring.{one.index}.placing")
            try:
                await self._place(request, one.job)
            except (FileAccessDenied, FileUnsuitable, NoSpaceLeft) as fault:
                return FunctionRun(function, failure=f"A file of the scorer could not be written: {fault}")
        try:
            execution = await self._execute(request, one, seconds)
        except EnvironmentFailed as error:
            return FunctionRun(function, failure=str(error))
        failpoint(f"scoring.{one.index}.ended")
        await self._check(execution, function.name)
        return FunctionRun(function, execution, out_of_time=execution.timed_out)

    async def _place(self, request: ScoringRequest, job: ScorerJob) -> None:
        for file in job.files:
            if not file.protected:
                try:
                    await self._write(request.devbox_id, file, request.user)
                except FileAccessDenied:
                    await self._write(request.devbox_id, file, ROOT)  # the folder may be root's, or be closed
            else:
                await self._write(request.devbox_id, file, ROOT)
        await self._check_apart(request.devbox_id, [file for file in job.files if not file.protected])

    async def _write(self, devbox_id: str, file: PlacedFile, user: User) -> None:
        await self._runtime.write_file(devbox_id, file.path, one_chunk(file.data), user=user, mode=0o755)

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

    async def _execute(self, request: ScoringRequest, one: FunctionJob, seconds: float) -> Execution:
        spec = CommandSpec(
            id=command_id(one.index),
            argv=await self._argv(request, one),
            cwd=request.working_directory,
            environment={**_variables(request), **one.job.environment},
            timeout_seconds=seconds,
        )
        command = f"{one.function.scorer.type} {one.function.name}"
        return await self._executions.run(request.devbox_id, NewExecution(spec, command, purpose="scoring"))

    async def _argv(self, request: ScoringRequest, one: FunctionJob) -> Sequence[str]:
        program, *arguments = one.job.argv
        if one.job.python is None:
            return [program.replace(TOOLS, FOLDER, 1), *arguments]
        interpreter = await self._environments.interpreter(request.devbox_id, one.index, one.job.python)
        return [program.replace(PYTHON, interpreter, 1), *arguments]

    async def _check(self, execution: Execution, name: str) -> None:
        """Make sure that a function that ended did so by itself, and that all of its output is there.

        Raises:
            ScoringInterrupted: It did not, so that its end says nothing about the work.
        """
        if execution.lost or await self._killed_with_box(execution):
            raise ScoringInterrupted(f"The devbox went down under the scoring function {name}.")
        if await self._lost_output(execution):
            reason = f"The disk of the host was full, and output of the scoring function {name} was lost."
            raise ScoringInterrupted(reason)
        await check_started(self._runtime, execution, f"The scoring function {name}")

    async def _killed_with_box(self, execution: Execution) -> bool:
        """True if the scorer was killed because its devbox went down, which may be noticed a moment later."""
        if execution.exit_status != KILLED or execution.timed_out:
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


def time_is_over(request: ScoringRequest) -> str:
    """The beginning of a message about it."""
    return f"The time for scoring, {request.timeout_seconds} seconds, was over"


def _variables(request: ScoringRequest) -> dict[str, str]:
    """Variables of every scoring function's programs, so that they leave alone what the agent can have put beside its
    work: compiled Python modules, and hooks of git."""
    if not request.restored:
        return {}
    return {
        "PYTHONPYCACHEPREFIX": f"/tmp/loopyard-pycache-{request.key}",  # noqa: S108 - in the box, of an unknown name
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": "/dev/null",
        "GIT_CONFIG_KEY_1": "core.fsmonitor",
        "GIT_CONFIG_VALUE_1": "false",
    }
