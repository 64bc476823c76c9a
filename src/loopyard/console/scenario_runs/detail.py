"""Gathers what the page of a scenario run shows."""

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark.run.repository import BenchmarkRunRepository
from loopyard.console.outcomes import BROKEN, Outcome, of_run
from loopyard.console.page import Page
from loopyard.console.scenario_runs.blame import Blame, blame_of
from loopyard.console.scenario_runs.changes import LINES_AT_ONCE, changes_of
from loopyard.console.scenario_runs.work import MOST_COMMANDS, ScorerShown, Work, outputs, scorers_of, work_of
from loopyard.console.scenarios.contract import functions_of
from loopyard.devbox.execution.models import Execution
from loopyard.devbox.execution.repository import ExecutionRepository
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.clock import now_ms
from loopyard.model_usage import service as model_usage
from loopyard.model_usage.ledger import Ledger
from loopyard.model_usage.recording.recordings import Recordings
from loopyard.model_usage.schemas import ModelUsageView
from loopyard.runtime.output import Tail
from loopyard.runtime.protocol import Runtime
from loopyard.scenario.models import Scenario
from loopyard.scenario.repository import ScenarioRepository
from loopyard.scenario.run.models import ScenarioRun
from loopyard.scenario.run.schemas import ScenarioRunView
from loopyard.scenario.run.service import RunService
from loopyard.scenario.run.states import FINAL, State
from loopyard.scorer import contract

SEE_SCENARIO = "GET /v1/scenarios/{}"
SEE_LOGS = "POST /v1/scenarios/runs/{}/download_logs"
SEE_USAGE = "GET /v1/scenarios/runs/{}/model_usage"


@dataclass(frozen=True, slots=True)
class RunShown:
    """A run with all that belongs to it."""

    run: ScenarioRun
    scenario: Scenario | None
    devbox: Devbox | None
    job_id: str | None
    outcome: Outcome
    scorers: list[ScorerShown]
    work: Work
    blame: Blame | None
    usage: ModelUsageView | None
    has_recording: bool

    @property
    def score(self) -> float | None:
        result = self.run.scoring_contract_result
        return None if result is None else float(result["score"])

    @property
    def seconds(self) -> float:
        spent = self.run.duration_ms
        return (max(0, now_ms() - self.run.start_time_ms) if spent is None else spent) / 1000

    @property
    def is_over(self) -> bool:
        return self.run.state in FINAL


async def gather(page: Page, run_id: str, *, with_usage: bool = True) -> RunShown:
    """A run of the caller's account. Without usage it is soon there: what calls of models used is not waited for.

    Raises:
        NotFound: It has none of this id.
    """
    account_id = page.caller.account_id
    runs = page.parts.get(RunService)
    with_usage = with_usage and page.may(SEE_USAGE)
    if with_usage:
        async with page.database.read() as session:
            run = await runs.get(session, account_id, run_id)
        ledger = page.parts.get(Ledger)
        await (ledger.settle([run.devbox_id]) if run.state in FINAL else ledger.flush())
    async with page.database.read() as session:
        run = await runs.get(session, account_id, run_id)
        functions = functions_of(contract.load_run(await ScenarioRepository(session).contract(run.contract_digest)))
        devbox = await DevboxRepository(session).get_by_id(run.devbox_id)
        ran: list[Execution] = []
        left_out = 0
        if page.may(SEE_LOGS):
            ran, left_out = await ExecutionRepository(session).overview(run.devbox_id, MOST_COMMANDS)
        scorers = scorers_of(functions, run.scoring_contract_result, ran)
        return RunShown(
            run=run,
            scenario=await ScenarioRepository(session).get_visible(run.scenario_id, account_id),
            devbox=devbox,
            job_id=await _job_of(session, run),
            outcome=_outcome(run),
            scorers=scorers,
            work=work_of(ran, left_out),
            blame=blame_of(run, devbox, scorers),
            usage=await model_usage.of_devbox(session, run.devbox_id) if with_usage else None,
            has_recording=page.parts.get(Recordings).of_devbox(run.devbox_id) is not None,
        )


async def detail_of(page: Page, run_id: str) -> dict[str, Any]:
    """Context of the page of a run."""
    shown = await gather(page, run_id)
    run = shown.run
    printed: dict[str, tuple[Tail | None, Tail | None]] = {}
    for one in (*shown.work.setup, *shown.work.agent):
        if one.is_open and len(printed) < _MOST_OPEN:
            printed[one.id] = await outputs(page.parts.get(Runtime), run.devbox_id, one.id)
    return {
        "shown": shown,
        "stale": False,
        "run": run,
        "printed": printed,
        "changes": await changes_of(page, run.id, LINES_AT_ONCE) if page.may(SEE_LOGS) else None,
        "can_score": run.state == State.RUNNING,
        "can_complete": run.state in (State.RUNNING, State.SCORED),
        "can_cancel": run.state not in FINAL,
        "can_start_again": shown.is_over and shown.scenario is not None and shown.scenario.status == "active",
    }


_MOST_OPEN = 8


async def document_of(page: Page, run_id: str) -> bytes:
    """A run as JSON, with whose fault a failure was, what was put back, and the commands without their output."""
    shown = await gather(page, run_id)
    run = shown.run
    document = {
        **ScenarioRunView.model_validate(run).model_dump(mode="json", by_alias=True),
        "scenario_name": None if shown.scenario is None else shown.scenario.name,
        "failure_reason": run.failure_reason,
        "fault": run.fault,
        "setup_failed": run.setup_failed,
        "blame": None if shown.blame is None else {"side": shown.blame.side, "words": shown.blame.words},
        "put_back": run.restore_report,
        "model_usage": None if shown.usage is None else shown.usage.model_dump(mode="json"),
        "problem_statement": None if shown.scenario is None else shown.scenario.input_context.get("problem_statement"),
        "commands": [
            {
                "execution_id": one.id,
                "command": one.command,
                "exit_status": one.exit_status,
                "timed_out": one.timed_out,
                "lost": one.lost,
                "start_time_ms": one.start_time_ms,
                "seconds": one.seconds,
            }
            for one in (*shown.work.setup, *shown.work.agent)
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


async def _job_of(session: AsyncSession, run: ScenarioRun) -> str | None:
    """The job that a run is a trial of, as its benchmark run tells."""
    if run.benchmark_run_id is None:
        return None
    benchmark_run = await BenchmarkRunRepository(session).get_owned(run.benchmark_run_id, run.account_id)
    return None if benchmark_run is None else benchmark_run.metadata_.get("benchmark_job_id")


def _score(run: ScenarioRun) -> float | None:
    return None if run.scoring_contract_result is None else float(run.scoring_contract_result["score"])


def _outcome(run: ScenarioRun) -> Outcome:
    if run.state == State.FAILED and run.setup_failed:
        return BROKEN
    return of_run(run.state, _score(run), run.fault)
