"""Scores what is in a devbox: prepare, run, grade. Can be repeated after a crash: what was started is not run again."""

from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.kit.errors import LoopyardError
from loopyard.runtime.errors import NoSpaceLeft, RuntimeFault
from loopyard.runtime.protocol import Runtime
from loopyard.scorer.config import ScorerConfig
from loopyard.scorer.function_runs import FunctionRun, FunctionRunner
from loopyard.scorer.grader import Grader
from loopyard.scorer.preparation import Preparation
from loopyard.scorer.python_environments import PythonEnvironments
from loopyard.scorer.request import ScoringInterrupted, ScoringOutcome, ScoringRequest


class ScoringEngine:
    """Scores in the boxes of one runtime."""

    def __init__(self, runtime: Runtime, executions: ExecutionEngine, config: ScorerConfig) -> None:
        environments = PythonEnvironments(runtime, executions, config)
        self._preparation = Preparation(runtime, executions, environments)
        self._runner = FunctionRunner(runtime, executions, self._preparation, environments)
        self._grader = Grader(runtime)

    async def score(self, request: ScoringRequest) -> ScoringOutcome:
        """Prepare the box, run the functions, each at most once, and grade what they say.

        Raises:
            ScoringInterrupted: The devbox or the host failed meanwhile.
        """
        try:
            runs = await self._run(request)
            restore_report = await self._preparation.restore_report(request)
            result = await self._grader.grade(request, runs, restore_report)
        except LoopyardError as error:
            raise ScoringInterrupted(error.message) from error
        except RuntimeFault as fault:
            raise ScoringInterrupted(str(fault)) from fault
        return ScoringOutcome(result, any(run.out_of_time for run in runs), restore_report)

    async def _run(self, request: ScoringRequest) -> list[FunctionRun]:
        jobs = request.jobs()
        try:
            await self._preparation.prepare(request, jobs)
        except NoSpaceLeft as fault:  # who filled the disk has not broken the infrastructure
            failure = f"The box could not be made ready for scoring: {fault}"
            return [FunctionRun(job.function, failure=failure) for job in jobs]
        return await self._runner.run(request, jobs)
