"""Runner of trials, step by step. Each step can be repeated after a crash: finished work is not repeated."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.account.limits import RETRY_SECONDS, LimitReached
from loopyard.agent.invocation import AgentInvocation, IncompatibleAgent
from loopyard.benchmark.run.repository import BenchmarkRunRepository
from loopyard.benchmark.run.states import State as BenchmarkRunState
from loopyard.benchmark_job.agents import JobAgents
from loopyard.benchmark_job.config import JobConfig
from loopyard.benchmark_job.repository import BenchmarkJobRepository
from loopyard.benchmark_job.spec import AgentConfig, OrchestratorConfig
from loopyard.benchmark_job.states import JobState
from loopyard.benchmark_job.trial import verdict
from loopyard.benchmark_job.trial.models import Trial
from loopyard.benchmark_job.trial.repository import TrialRepository
from loopyard.benchmark_job.trial.starting import start
from loopyard.benchmark_job.trial.states import Step
from loopyard.benchmark_job.trial.turn import turn
from loopyard.benchmark_job.trial.verdict import TrialOutcome
from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.execution.models import Execution
from loopyard.devbox.lifecycle.states import FINAL as DEVBOX_FINAL
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.repository import DevboxRepository
from loopyard.devbox.status_wait import wait_for_status
from loopyard.kit.chunks import one_chunk
from loopyard.kit.clock import now_ms
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database, after_commit
from loopyard.kit.errors import LoopyardError, NotFound, WaitTimeout, WrongState
from loopyard.kit.host.failpoint import failpoint
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import CommandSpec, Runtime
from loopyard.scenario.repository import ScenarioRepository
from loopyard.scenario.run.models import ScenarioRun
from loopyard.scenario.run.repository import ScenarioRunRepository
from loopyard.scenario.run.service import RunService
from loopyard.scenario.run.states import FINAL, State

log = logging.getLogger("loopyard.benchmark_job")

AGENT_COMMAND = "agent.run"
"""The execution of the agent in its devbox. Callers cannot choose ids with a dot."""

_GRACE_SECONDS = 5.0
"""How long whoever watches a devbox has to tell that it went down, and why."""

_Act = Callable[[AsyncSession], Awaitable[object]]


class TrialRunner:
    """Runner of trials. Each method opens its own transactions."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        executions: ExecutionEngine,
        runs: RunService,
        agents: JobAgents,
        changes: Changes,
        config: JobConfig,
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._executions = executions
        self._runs = runs
        self._agents = agents
        self._changes = changes
        self._config = config

    async def run(self, trial_id: str) -> None:
        """Run a trial from its present step to its end."""
        trial = await self._read(trial_id)
        if trial.step == Step.WAITING and not await self._start(trial_id, trial.job_id):
            return
        trial = await self._read(trial_id)
        try:
            if trial.step == Step.STARTING and not await self._ready(trial):
                await self._conclude(trial)
                return
            if trial.step in (Step.STARTING, Step.WORKING):
                await self._work(await self._read(trial_id))
            trial = await self._read(trial_id)
            if trial.step == Step.SCORING:
                await self._judge(trial)
        except (WrongState, NotFound):  # the scenario run came to an end by something else
            await self._conclude(await self._read(trial_id))

    async def give_up(self, trial_id: str, reason: str) -> None:
        """End a trial that the server itself cannot run."""
        trial = await self._read(trial_id)
        try:
            await self._settle(trial, verdict.broken(reason, "ServerError"), self._failing(trial, reason))
        except WrongState:
            await self._conclude(trial)

    async def _start(self, trial_id: str, job_id: str) -> bool:
        try:
            async with self._database.write() as session:
                await self._mark_running(session, job_id)
                trial = await TrialRepository(session).get_one_by_id_for_update(trial_id)
                if trial.step != Step.WAITING:
                    return trial.step != Step.ENDED
                config, _ = await self._configs(session, trial)
                await start(session, self._runs, trial, config.name)
                after_commit(session, lambda: failpoint("trial.started"))
                after_commit(session, lambda: self._changes.publish(job_id))
        except LimitReached:
            await self._put_off(trial_id)
            return False
        except LoopyardError as error:
            await self._refuse(trial_id, error)
            return False
        return True

    async def _put_off(self, trial_id: str) -> None:
        """Try again a little later: the account has as many devboxes as it may have."""
        async with self._database.write() as session:
            trial = await TrialRepository(session).get_one_by_id_for_update(trial_id)
            if trial.step == Step.WAITING:
                trial.not_before_ms = now_ms() + RETRY_SECONDS * 1000

    async def _mark_running(self, session: AsyncSession, job_id: str) -> None:
        job = await BenchmarkJobRepository(session).get_by_id(job_id)
        if job is not None and job.state in (JobState.INITIALIZING, JobState.QUEUED):
            job = await BenchmarkJobRepository(session).get_by_id_for_update(job_id)
            if job is not None and job.state in (JobState.INITIALIZING, JobState.QUEUED):
                job.state = JobState.RUNNING

    async def _refuse(self, trial_id: str, error: LoopyardError) -> None:
        """End a trial whose scenario run could not be started."""
        trial = await self._read(trial_id)
        async with self._database.read() as session:
            run = await BenchmarkRunRepository(session).get_by_id(trial.benchmark_run_id)
        if run is None or run.state != BenchmarkRunState.RUNNING:
            await self._settle(trial, verdict.CANCELED)
        else:
            await self._settle(trial, verdict.broken(error.message, "StartError"))

    async def _ready(self, trial: Trial) -> bool:
        """Wait until the devbox can be used; false if it has ended instead."""
        statuses = {Status.RUNNING, *DEVBOX_FINAL}
        status = await wait_for_status(self._database, self._changes, trial.devbox_id or "", statuses, None)
        if status != Status.RUNNING:
            return False
        async with self._database.write() as session:
            locked = await TrialRepository(session).get_one_by_id_for_update(trial.id)
            locked.step, locked.ready_time_ms = Step.WORKING, now_ms()
            after_commit(session, lambda: failpoint("trial.ready"))
            after_commit(session, lambda: self._changes.publish(trial.job_id))
        return True

    async def _work(self, trial: Trial) -> None:
        """Set the agent to the problem, and ask for its work to be scored."""
        try:
            execution = await self._run_agent(trial, await self._turn(trial))
        except IncompatibleAgent as reason:
            unsuited = verdict.broken(str(reason), "UnsuitedError")
            await self._settle(trial, unsuited, self._failing(trial, str(reason)))
            return
        except (LoopyardError, RuntimeFault) as fault:
            await self._lose(trial, fault.message if isinstance(fault, LoopyardError) else str(fault))
            return
        failpoint("trial.worked")
        if execution.lost:
            await self._lose(trial, "The devbox went down under the agent.")
            return
        async with self._database.write() as session:
            locked = await TrialRepository(session).get_one_by_id_for_update(trial.id)
            locked.agent_exit_status = None if execution.timed_out else execution.exit_status
            locked.agent_end_time_ms = execution.end_time_ms or now_ms()
            if not execution.timed_out:
                await self._runs.score(session, trial.account_id, trial.scenario_run_id or "")
                locked.step = Step.SCORING
                after_commit(session, lambda: failpoint("trial.scoring"))
                after_commit(session, lambda: self._changes.publish(trial.job_id))
        if execution.timed_out:
            over = verdict.out_of_time(trial)
            await self._settle(trial, over, self._ending(trial, State.TIMEOUT, over.exception_message or ""))

    async def _turn(self, trial: Trial) -> AgentInvocation:
        async with self._database.read() as session:
            config, _ = await self._configs(session, trial)
            scenario = await ScenarioRepository(session).get_visible(trial.scenario_id, trial.account_id)
        description = self._agents.described(config)
        if scenario is None or description is None:
            raise IncompatibleAgent("The scenario is gone." if scenario is None else f"Agent {config.name} is gone.")
        return turn(description, config, scenario)

    async def _run_agent(self, trial: Trial, invocation: AgentInvocation) -> Execution:
        devbox_id = trial.devbox_id or ""
        if not await self._has_agent_run(devbox_id):
            for path, text in invocation.files.items():
                await self._runtime.write_file(devbox_id, path, one_chunk(text))
            failpoint("trial.placed")
        async with self._database.read() as session:
            run = await ScenarioRunRepository(session).get_by_id(trial.scenario_run_id or "")
        spec = CommandSpec(
            id=AGENT_COMMAND,
            argv=["/bin/bash", "-c", invocation.command],
            cwd=None if run is None else run.working_directory,
            environment=invocation.environment,
            timeout_seconds=trial.timeout_seconds,
        )
        return await self._executions.run(devbox_id, NewExecution(spec, invocation.command))

    async def _has_agent_run(self, devbox_id: str) -> bool:
        with suppress(NotFound):
            await self._executions.get(devbox_id, AGENT_COMMAND)
            return True
        return False

    async def _judge(self, trial: Trial) -> None:
        """Wait for the score, and end the run with it."""
        run = await self._run_in(trial, {State.SCORED, *FINAL}, None)
        if run is None or run.state != State.SCORED:
            await self._conclude(trial)
            return
        failpoint("trial.scored")
        used_up = await self._used_up_memory(trial)
        good = verdict.told_by_agent(verdict.scored(run), trial.agent_exit_status, out_of_memory=used_up)
        await self._settle(trial, good, lambda session: self._runs.complete(session, trial.account_id, run.id))

    async def _used_up_memory(self, trial: Trial) -> bool:
        """True if the kernel killed something in the devbox for its memory limit while the agent ran."""
        try:
            return (await self._runtime.wait_command(trial.devbox_id or "", AGENT_COMMAND)).out_of_memory
        except RuntimeFault:  # it is gone with its devbox
            return False

    async def _run_in(self, trial: Trial, states: set[State], timeout: float | None) -> ScenarioRun | None:
        async def read() -> ScenarioRun | None:
            async with self._database.read() as session:
                return await ScenarioRunRepository(session).get_by_id(trial.scenario_run_id or "")

        def matches(run: ScenarioRun | None) -> bool:
            return run is None or run.state in states

        return await self._changes.wait_until(trial.scenario_run_id or "", read, matches, timeout)

    async def _lose(self, trial: Trial, reason: str) -> None:
        """End a trial whose devbox did not do what it should. Whoever watches the devbox may know better why."""
        with suppress(WaitTimeout):
            devbox_id = trial.devbox_id or ""
            await wait_for_status(self._database, self._changes, devbox_id, DEVBOX_FINAL, _GRACE_SECONDS)
            await self._conclude(trial)
            return
        await self._settle(trial, verdict.broken(reason), self._failing(trial, reason))

    async def _conclude(self, trial: Trial) -> None:
        """End a trial whose scenario run has ended by something else, in the way that the run tells."""
        run = await self._run_in(trial, {*FINAL}, _GRACE_SECONDS)
        async with self._database.read() as session:
            devbox = await DevboxRepository(session).get_by_id(trial.devbox_id or "")
        if run is None:
            await self._settle(trial, verdict.broken("The scenario run is gone."))
        else:
            await self._settle(trial, verdict.of_ended(run, devbox))

    async def _settle(self, trial: Trial, what: TrialOutcome, act: _Act | None = None) -> None:
        """End a trial, do `act`, and decide on the next attempt, in one transaction.

        Raises:
            WrongState: `act` cannot be done any more.
        """
        async with self._database.write() as session:
            trials = TrialRepository(session)
            locked = await trials.get_one_by_id_for_update(trial.id)
            if locked.step == Step.ENDED:
                return
            if act is not None:
                await act(session)
            _, orchestrator = await self._configs(session, locked)
            run = await BenchmarkRunRepository(session).get_by_id(locked.benchmark_run_id)
            follows = None
            if run is not None and run.state == BenchmarkRunState.RUNNING:
                follows = verdict.next_attempt(locked, what, self._config, orchestrator)
            verdict.record(locked, what)
            locked.final = follows is None
            if follows is not None:
                await trials.create(follows)
            await trials.update(locked)
            after_commit(session, lambda: failpoint("trial.ended"))
            after_commit(session, lambda: self._changes.publish(trial.job_id))
        told = "" if what.exception_message is None else f" ({what.exception_message})"
        log.info("trial %s: %s%s%s", trial.id, what.result, told, "" if follows is None else f", again as {follows.id}")

    def _failing(self, trial: Trial, reason: str) -> _Act:
        return self._ending(trial, State.FAILED, reason)

    def _ending(self, trial: Trial, state: Literal[State.TIMEOUT, State.FAILED], reason: str) -> _Act:
        async def act(session: AsyncSession) -> None:
            if trial.scenario_run_id is not None:
                await self._runs.give_up(session, trial.account_id, trial.scenario_run_id, state, reason)

        return act

    async def _configs(self, session: AsyncSession, trial: Trial) -> tuple[AgentConfig, OrchestratorConfig]:
        """How the job sets this trial's agent to work, and how all of them."""
        job = await BenchmarkJobRepository(session).get_by_id(trial.job_id)
        spec = (job.spec if job is not None else None) or {}
        config = AgentConfig.model_validate(spec["agent_configs"][trial.position])
        return config, OrchestratorConfig.model_validate(spec.get("orchestrator_config") or {})

    async def _read(self, trial_id: str) -> Trial:
        async with self._database.read() as session:
            trial = await TrialRepository(session).get_by_id(trial_id)
        if trial is None:
            raise NotFound(f"There is no trial {trial_id}.")
        return trial
