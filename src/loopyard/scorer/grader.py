"""Third step of scoring: scores are read from what the functions printed and how they ended, and weighed."""

from collections.abc import Sequence

from loopyard.devbox.execution.models import Execution
from loopyard.kit.host.linux import KILLED
from loopyard.runtime.grading import RestoreReport
from loopyard.runtime.output import tail
from loopyard.runtime.protocol import Runtime, Stream
from loopyard.scorer.contract import RunFunction, ScoringContractResult, ScoringFunctionResult, weigh
from loopyard.scorer.function_runs import FunctionRun, time_is_over
from loopyard.scorer.request import ScoringRequest
from loopyard.scorer.restore_note import with_restore_note
from loopyard.scorer.scorer import Ended, NoScore

MAX_STDOUT_BYTES = 12 * 1024
MAX_STDERR_BYTES = 4 * 1024
"""How much of a scorer's output its result holds: the ends of both streams. `download_logs` has all of it."""

_READ_BYTES = 1024**2
"""How far from the end of standard output a score is looked for."""


class Grader:
    """Grades runs of functions in the boxes of one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def grade(
        self, request: ScoringRequest, runs: Sequence[FunctionRun], restore_report: RestoreReport | None
    ) -> ScoringContractResult:
        """The result of each run, and their weighted mean."""
        results = [with_restore_note(await self._result(request, run), restore_report) for run in runs]
        return weigh([run.function.weight for run in runs], results)

    async def _result(self, request: ScoringRequest, run: FunctionRun) -> ScoringFunctionResult:
        function, execution = run.function, run.execution
        if execution is None:
            return _error(function, run.failure or "")
        stdout = await self._tail(execution, "stdout", _READ_BYTES)
        stderr = await self._tail(execution, "stderr", MAX_STDERR_BYTES)
        ends = (_last(stdout, MAX_STDOUT_BYTES).rstrip("\n"), stderr.rstrip("\n"))
        output = "\n".join(end for end in ends if end)
        if execution.timed_out:
            return _error(function, f"{time_is_over(request)}, and this one was stopped.", output)
        exit_status = KILLED if execution.exit_status is None else execution.exit_status
        try:
            score = function.scorer.judge(Ended(exit_status, stdout))
        except NoScore as reason:
            return _error(function, str(reason), output)
        return ScoringFunctionResult(scoring_function_name=function.name, score=score, output=output, state="complete")

    async def _tail(self, execution: Execution, stream: Stream, size: int) -> str:
        end = await tail(self._runtime, execution.devbox_id, execution.id, stream, None, size)
        return end.text.replace("\x00", "\ufffd")


def _error(function: RunFunction, reason: str, output: str = "") -> ScoringFunctionResult:
    text = f"{reason}\n{output}" if output else reason
    return ScoringFunctionResult(scoring_function_name=function.name, score=0.0, output=text, state="error")


def _last(text: str, size: int) -> str:
    data = text.encode()
    return text if len(data) <= size else data[-size:].decode(errors="ignore")
