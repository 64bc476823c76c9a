"""Decides about scenario runs. What it decides is written by the caller's transaction and acted on after its commit."""

import secrets
from collections.abc import Collection
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import require
from loopyard.devbox.lifecycle.shutdown import Endings
from loopyard.devbox.lifecycle.states import FINAL as DEVBOX_FINAL
from loopyard.devbox.lifecycle.states import has_failed_in_setup
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.devbox.service import DevboxService, Initiator
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import after_commit
from loopyard.kit.errors import Busy, WrongState
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.ids import new_id
from loopyard.kit.lists import names
from loopyard.launch.image import ImageNotes
from loopyard.launch.parameters import LaunchParameters
from loopyard.model_usage.repository import ModelUsageRepository
from loopyard.model_usage.wishes import KEYS, wishes_of
from loopyard.runtime.user_paths import absolute
from loopyard.scenario.environment import ScenarioEnvironment
from loopyard.scenario.models import Scenario
from loopyard.scenario.repository import ScenarioRepository
from loopyard.scenario.run import faults, kept_profiles
from loopyard.scenario.run.inherited import InheritedProfiles
from loopyard.scenario.run.models import ScenarioRun
from loopyard.scenario.run.profile import devbox_params, named_by_profile
from loopyard.scenario.run.repository import ScenarioRunRepository
from loopyard.scenario.run.requirements import check_required
from loopyard.scenario.run.schemas import RunProfile, ScenarioStartRunParams
from loopyard.scenario.run.scoring import ScoringService
from loopyard.scenario.run.states import FINAL, State, state_after_end
from loopyard.scenario.schemas import DEFAULT_SCORER_TIMEOUT_SEC
from loopyard.scenario.system_files import is_as_left
from loopyard.scorer import contract
from loopyard.scorer.registered.repository import RegisteredScorerRepository


class RunService:
    """The runs of this server."""

    def __init__(
        self, devbox_service: DevboxService, endings: Endings, scoring: ScoringService, inherited: InheritedProfiles
    ) -> None:
        self._devboxes = devbox_service
        self._endings = endings
        self._inherited = inherited
        self._scoring = scoring
        endings.add_listener(self._devbox_ended)

    async def start(
        self, session: AsyncSession, account_id: str, params: ScenarioStartRunParams, *, run_id: str
    ) -> ScenarioRun:
        """Decide on a run and its devbox, which is made once the transaction is committed.

        Raises:
            Forbidden: The caller's key may not use something that the run needs.
            NotFound: There is no such scenario or benchmark run.
            WrongState: The scenario is archived, or the benchmark run over.
            BadRequest: Something that the scenario requires is missing, or the profile is not valid.
        """
        scenario = await ScenarioRepository(session).get_one_visible(params.scenario_id, account_id, "scenario_id")
        if scenario.status == "archived":
            raise WrongState(f"Scenario {scenario.id} is archived; no run of it can be started.", field="scenario_id")
        profile = params.run_profile or RunProfile()
        inherited: dict[str, str] = {}
        if params.benchmark_run_id is not None:
            field = "benchmark_run_id"
            require(Resource.BENCHMARKS, Level.WRITE, "a run that is a part of a benchmark run", field=field)
            profile = await self._inherited.join(session, account_id, params.benchmark_run_id, profile)
            inherited = await self._inherited.metadata(session, params.benchmark_run_id)
        names_required = scenario.required_environment_variables, scenario.required_secret_names
        check_required("scenario", *names_required, profile)
        wishes = wishes_of(params.metadata or {}, inherited, scenario.metadata_)
        environment = ScenarioEnvironment.model_validate(scenario.environment or {})
        create = devbox_params(params.run_name or scenario.name, environment, profile)
        launch = create.launch_parameters or LaunchParameters()
        working_directory = environment.working_directory
        if working_directory is not None:
            working_directory = absolute(working_directory, launch.user)
        contract_digest = await self._keep_contract(session, scenario)
        run = ScenarioRun(
            id=run_id,
            account_id=account_id,
            scenario_id=scenario.id,
            devbox_id=new_id("dbx"),
            benchmark_run_id=params.benchmark_run_id,
            name=params.run_name,
            name_digest=None if params.run_name is None else names.digest(params.run_name),
            name_folded=None if params.run_name is None else names.fold(params.run_name),
            state=State.RUNNING,
            metadata_=params.metadata or {},
            purpose=profile.purpose,
            environment_variables=profile.env_vars or {},
            secrets_provided=profile.secrets or {},
            contract_digest=contract_digest,
            profile_digest=await kept_profiles.keep(session, profile),
            system_as_left=is_as_left(scenario.metadata_),
            working_directory=working_directory,
            scorer_timeout_sec=scenario.scorer_timeout_sec or DEFAULT_SCORER_TIMEOUT_SEC,
            start_time_ms=now_ms(),
        )
        with named_by_profile():
            devbox = await self._devboxes.create(
                session,
                account_id,
                create,
                devbox_id=run.devbox_id,
                initiator=Initiator("scenario", run.id),
                working_directory=working_directory,
            )
        if run.working_directory is None:
            run.working_directory = ImageNotes.read(devbox.image).working_directory
        await ModelUsageRepository(session).keep_wishes(run.devbox_id, wishes)
        await ScenarioRunRepository(session).create(run)
        after_commit(session, lambda: failpoint("run.started"))
        self._scoring.publish(session, run.id)
        return run

    async def repeat(
        self, session: AsyncSession, account_id: str, run_id: str, *, new_run_id: str, dropped: Collection[str] = ()
    ) -> ScenarioRun:
        """Decide on another run of the same scenario, by itself, with the name, metadata, budgets and profile of one
        that there was. Metadata of the keys `dropped` are left out.

        Raises:
            NotFound: The account has no such run, or something that it needs is gone.
            WrongState: The scenario is archived, or a part of the profile was not kept.
            Forbidden: The caller's key may not use something that the run needs.
            BadRequest: Something that the scenario requires by now is missing.
        """
        before = await self.get(session, account_id, run_id)
        kept = await kept_profiles.find(session, before.profile_digest)
        if kept.missing:
            message = f"Scenario run {run_id} cannot be repeated as it was: {', '.join(kept.missing)} was not kept."
            raise WrongState(message, field="id")
        inherited: dict[str, str] = {}
        if before.benchmark_run_id is not None:
            inherited = await self._inherited.metadata(session, before.benchmark_run_id)
        metadata = {key: inherited[key] for key in KEYS if key in inherited}
        metadata.update((key, value) for key, value in before.metadata_.items() if key not in dropped)
        params = ScenarioStartRunParams(
            scenario_id=before.scenario_id,
            run_name=before.name,
            metadata=metadata,
            run_profile=RunProfile(
                env_vars=before.environment_variables or None,
                secrets=before.secrets_provided or None,
                purpose=before.purpose,
                **kept.fields,
            ),
        )
        return await self.start(session, account_id, params, run_id=new_run_id)

    async def _keep_contract(self, session: AsyncSession, scenario: Scenario) -> str:
        """Keep what the run is scored by, custom scorers' scripts included, and tell under which digest."""
        digest, functions = scenario.contract_digest, scenario.scoring_functions
        if types := contract.custom_types(contract.load(functions)):
            scripts = await RegisteredScorerRepository(session).scripts(scenario.account_id, types)
            digest, functions = contract.fix(functions, scripts, "scenario_id")
        await ScenarioRepository(session).keep_contract(digest, functions)
        return digest

    def announce(self, session: AsyncSession, key: str) -> None:
        """Wake those who wait for a run, or for the benchmark run that runs are of, once the transaction is
        committed."""
        self._scoring.publish(session, key)

    async def get(self, session: AsyncSession, account_id: str, run_id: str) -> ScenarioRun:
        """A run of the account.

        Raises:
            NotFound: It has none of this id.
        """
        return await ScenarioRunRepository(session).get_one_owned(run_id, account_id)

    async def score(self, session: AsyncSession, account_id: str, run_id: str) -> ScenarioRun:
        """Decide to score a run, which is done in the background; if its devbox is still being made, once it runs.

        A run is scored once: one that is being scored or was scored stays as it is.

        Raises:
            NotFound: The account has none of this id.
            WrongState: It is over.
        """
        await self.get(session, account_id, run_id)
        run = await ScenarioRunRepository(session).get_one_by_id_for_update(run_id)
        if run.state in (State.SCORING, State.SCORED):
            return run
        if run.state in FINAL:
            raise WrongState(f"Scenario run {run_id} is {run.state}; it cannot be scored any more.")
        run.scoring_key = secrets.token_hex(16)
        await ScenarioRunRepository(session).move(run, State.SCORING)
        after_commit(session, lambda: failpoint("run.scoring"))
        self._scoring.publish(session, run_id)
        after_commit(session, lambda: self._scoring.begin(run_id))
        return run

    async def complete(self, session: AsyncSession, account_id: str, run_id: str) -> ScenarioRun:
        """End a run with the score it has, if it has one, and its devbox. One that is completed stays as it is.

        Raises:
            NotFound: The account has none of this id.
            Busy: It is being scored.
            WrongState: It ended otherwise.
        """
        return await self._end(session, account_id, run_id, State.COMPLETED)

    async def cancel(self, session: AsyncSession, account_id: str, run_id: str) -> ScenarioRun:
        """End a run and its devbox, whatever is going on in it. One that is canceled stays as it is.

        Raises:
            NotFound: The account has none of this id.
            WrongState: It ended otherwise.
        """
        return await self._end(session, account_id, run_id, State.CANCELED)

    async def give_up(
        self,
        session: AsyncSession,
        account_id: str,
        run_id: str,
        state: Literal[State.TIMEOUT, State.FAILED],
        reason: str,
    ) -> ScenarioRun:
        """End a run whose agent is out of time (`timeout`), or that the infrastructure broke (`failed`), and its
        devbox. One that ended so already stays as it is.

        Raises:
            NotFound: The account has none of this id.
            WrongState: It ended otherwise.
        """
        return await self._end(session, account_id, run_id, state, reason)

    async def _end(
        self, session: AsyncSession, account_id: str, run_id: str, state: State, reason: str | None = None
    ) -> ScenarioRun:
        run = await self.get(session, account_id, run_id)
        devbox = await DevboxRepository(session).get_by_id_for_update(run.devbox_id)
        run = await ScenarioRunRepository(session).get_one_by_id_for_update(run_id)
        if run.state == state:
            return run
        if run.state == State.SCORING and state == State.COMPLETED:
            raise Busy(f"Scenario run {run_id} is being scored; complete it when it is scored.")
        if reason is not None:
            run.failure_reason = reason
            run.fault = "model" if state == State.TIMEOUT else "infrastructure"
        await ScenarioRunRepository(session).move(run, state)
        if devbox is not None and devbox.status not in DEVBOX_FINAL:
            await self._endings.shut_down(session, devbox, "api_shutdown")
        after_commit(session, lambda: failpoint("run.ended"))
        self._scoring.publish(session, run_id)
        return run

    async def _devbox_ended(self, session: AsyncSession, devbox: Devbox) -> None:
        """End the run with its devbox, in the same transaction."""
        if devbox.initiator_type != "scenario" or devbox.initiator_id is None:
            return
        run = await ScenarioRunRepository(session).get_by_id_for_update(devbox.initiator_id)
        if run is None or run.state in FINAL:
            return
        state = state_after_end(run.state, devbox.shutdown_reason)
        run.failure_reason = devbox.shutdown_reason or devbox.failure_reason
        run.fault = faults.of_end(state, devbox)
        run.setup_failed = has_failed_in_setup(devbox)
        await ScenarioRunRepository(session).move(run, state)
        self._scoring.publish(session, run.id)
