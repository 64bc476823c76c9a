"""Decides about benchmark runs. All it decides is written by the caller's transaction and acted on after its commit."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark.repository import BenchmarkRepository
from loopyard.benchmark.run import score
from loopyard.benchmark.run.canceler import RunCanceler
from loopyard.benchmark.run.inheritance import Inheritance
from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark.run.repository import BenchmarkRunRepository
from loopyard.benchmark.run.schemas import BenchmarkStartRunParams
from loopyard.benchmark.run.states import State
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import after_commit
from loopyard.kit.errors import Busy, WrongState
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.lists import names
from loopyard.model_usage.wishes import wishes_of
from loopyard.scenario.run.requirements import check_possible, check_required
from loopyard.scenario.run.schemas import RunProfile
from loopyard.scenario.run.service import RunService
from loopyard.scenario.run.states import State as ScenarioRunState


@dataclass(frozen=True, slots=True)
class NewRun:
    """Parameters of a new run. `benchmark_id` is None for scenarios that no benchmark groups."""

    scenario_ids: Sequence[str]
    benchmark_id: str | None = None
    name: str | None = None
    profile: RunProfile = field(default_factory=RunProfile)
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


class BenchmarkRunService:
    """The benchmark runs of this server."""

    def __init__(self, runs: RunService, inheritance: Inheritance, canceler: RunCanceler) -> None:
        self._runs = runs
        self._inheritance = inheritance
        self._canceler = canceler

    async def start(
        self, session: AsyncSession, account_id: str, params: BenchmarkStartRunParams, *, run_id: str
    ) -> BenchmarkRun:
        """Decide on a run of a benchmark's scenarios as they are now. Its scenario runs are started one by one with its
        id.

        Raises:
            NotFound: There is no such benchmark, or something that the profile names.
            WrongState: The benchmark is archived.
            BadRequest: Something that the benchmark requires is missing, or the profile is not valid.
        """
        benchmarks = BenchmarkRepository(session)
        benchmark = await benchmarks.get_one_visible(params.benchmark_id, account_id, "benchmark_id")
        if benchmark.status == "archived":
            raise WrongState(f"Benchmark {benchmark.id} is archived; it cannot be run.", field="benchmark_id")
        profile = params.run_profile or RunProfile()
        names = benchmark.required_environment_variables, benchmark.required_secret_names
        check_required("benchmark", *names, profile)
        scenario_ids = await benchmarks.runnable_ids(benchmark.id)
        new = NewRun(scenario_ids, benchmark.id, params.run_name, profile, params.metadata or {})
        return await self.begin(session, account_id, new, run_id=run_id)

    async def begin(self, session: AsyncSession, account_id: str, new: NewRun, *, run_id: str) -> BenchmarkRun:
        """Decide on a run of any scenarios.

        Raises:
            BadRequest: The profile is not valid, or asks for what is not offered here.
            NotFound: Something that the profile names does not exist.
        """
        await check_possible(session, account_id, new.profile)
        wishes_of(new.metadata)
        run = BenchmarkRun(
            id=run_id,
            account_id=account_id,
            benchmark_id=new.benchmark_id,
            scenario_ids=list(new.scenario_ids),
            name=new.name,
            name_digest=None if new.name is None else names.digest(new.name),
            name_folded=None if new.name is None else names.fold(new.name),
            state=State.RUNNING,
            ending=False,
            metadata_=dict(new.metadata),
            start_time_ms=now_ms(),
        )
        await self._inheritance.keep(session, run, new.profile)
        return run

    async def get(self, session: AsyncSession, account_id: str, run_id: str) -> BenchmarkRun:
        """A run of the account.

        Raises:
            NotFound: It has none of this id.
        """
        return await BenchmarkRunRepository(session).get_one_owned(run_id, account_id)

    async def pending(self, session: AsyncSession, run: BenchmarkRun) -> list[str]:
        """Its scenarios that have no completed run yet, in order."""
        completed = await BenchmarkRunRepository(session).completed_scenarios(run)
        return [scenario_id for scenario_id in run.scenario_ids if scenario_id not in completed]

    async def complete(self, session: AsyncSession, account_id: str, run_id: str) -> BenchmarkRun:
        """End a run with the mean score of its scenario runs. Those that are scored are completed with it. It fails if
        the infrastructure failed in every one of them. A run that was completed stays as it is.

        Raises:
            NotFound: The account has none of this id.
            Busy: One of its scenario runs is being scored.
            WrongState: One of its scenario runs goes on, or it ended otherwise.
        """
        run = await BenchmarkRunRepository(session).get_one_owned_for_update(run_id, account_id)
        if run.state in (State.COMPLETED, State.FAILED):
            return run
        self._check_running(run, State.COMPLETED)
        live = await BenchmarkRunRepository(session).live(run)
        for scenario_run_id, state in live:
            if state == ScenarioRunState.RUNNING:
                raise WrongState(f"Scenario run {scenario_run_id} is running; score and complete it, or cancel it.")
        for scenario_run_id, state in live:
            if state == ScenarioRunState.SCORING:
                raise Busy(f"Scenario run {scenario_run_id} is being scored; complete this run when it is scored.")
        for scenario_run_id, _ in live:
            with suppress(WrongState):  # it was canceled at this moment
                await self._runs.complete(session, account_id, scenario_run_id)
        attempts = await BenchmarkRunRepository(session).list_attempts(run)
        run.score = score.mean(attempts)
        if score.all_failed(attempts):
            run.failure_reason = "The infrastructure failed in every scenario run."
        await self._end(session, run, State.FAILED if score.all_failed(attempts) else State.COMPLETED)
        return run

    async def cancel(self, session: AsyncSession, account_id: str, run_id: str) -> BenchmarkRun:
        """End a run without a score. Its scenario runs that are not over, and their devboxes, end in the background. A
        run that is canceled stays as it is.

        Raises:
            NotFound: The account has none of this id.
            WrongState: It ended otherwise.
        """
        run = await BenchmarkRunRepository(session).get_one_owned_for_update(run_id, account_id)
        if run.state == State.CANCELED:
            return run
        self._check_running(run, State.CANCELED)
        await self._cut_off(session, run, State.CANCELED)
        return run

    async def fail(self, session: AsyncSession, account_id: str, run_id: str, reason: str) -> BenchmarkRun:
        """End a run for a fault that is not the agent's, as `cancel` does. One that is over stays as it is.

        Raises:
            NotFound: The account has none of this id.
        """
        run = await BenchmarkRunRepository(session).get_one_owned_for_update(run_id, account_id)
        if run.state == State.RUNNING:
            run.failure_reason = reason
            await self._cut_off(session, run, State.FAILED)
        return run

    async def _cut_off(self, session: AsyncSession, run: BenchmarkRun, state: State) -> None:
        run.ending = True
        await self._end(session, run, state)
        after_commit(session, lambda: failpoint("benchmark_run.cut_off"))
        after_commit(session, lambda: self._canceler.begin(run.id))

    async def _end(self, session: AsyncSession, run: BenchmarkRun, state: State) -> None:
        run.state = state
        await self._inheritance.forget(session, run)
        run.duration_ms = max(0, now_ms() - run.start_time_ms)
        await BenchmarkRunRepository(session).update(run)
        self._runs.announce(session, run.id)

    def _check_running(self, run: BenchmarkRun, state: State) -> None:
        if run.state != State.RUNNING:
            raise WrongState(f"Benchmark run {run.id} is {run.state} and cannot become {state}.")
