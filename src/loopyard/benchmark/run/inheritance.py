"""Inheritance of a benchmark run's profile by its scenario runs."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark.run.repository import BenchmarkRunRepository
from loopyard.benchmark.run.states import State
from loopyard.kit.errors import WrongState
from loopyard.scenario.run.kept_profiles import TOKENS, fields_of
from loopyard.scenario.run.profile import inherit
from loopyard.scenario.run.schemas import RunProfile
from loopyard.secret.held import HeldTokens
from loopyard.secret.repository import SecretRepository

_FIELD = "benchmark_run_id"


class Inheritance:
    """Keeps the run profiles of benchmark runs as long as something can be started in them."""

    def __init__(self, tokens: HeldTokens) -> None:
        self._tokens = tokens

    async def keep(self, session: AsyncSession, run: BenchmarkRun, profile: RunProfile) -> None:
        """Write a new run down with what its scenario runs will inherit; tokens of mounts are sealed."""
        run.environment_variables = profile.env_vars or {}
        run.secrets_provided = profile.secrets or {}
        run.purpose = profile.purpose
        run.run_profile = fields_of(profile) or None
        await BenchmarkRunRepository(session).create(run)
        mounts = enumerate(profile.mounts or [])
        held = {_place(at, name): getattr(mount, name, None) for at, mount in mounts for name in TOKENS}
        await self._tokens.hold(session, run.id, {place: token for place, token in held.items() if token})

    async def forget(self, session: AsyncSession, run: BenchmarkRun) -> None:
        """Erase what nothing can inherit any more."""
        run.run_profile = None
        await SecretRepository(session).delete_tokens(run.id)

    async def join(self, session: AsyncSession, account_id: str, run_id: str, profile: RunProfile) -> RunProfile:
        """The profile of a scenario run that is started as a part of a benchmark run, which cannot end before the
        transaction does.

        Raises:
            NotFound: The account has no such benchmark run.
            WrongState: It is over.
            BadRequest: The launch parameters of the two profiles do not go together.
        """
        runs = BenchmarkRunRepository(session)
        run = await runs.get_owned_for_share(run_id, account_id)
        if run is None:
            raise runs.not_found(run_id, _FIELD)
        if run.state != State.RUNNING:
            raise WrongState(f"Benchmark run {run_id} is {run.state}; nothing can be run in it any more.", field=_FIELD)
        return inherit(await self._kept(session, run), profile)

    async def metadata(self, session: AsyncSession, run_id: str) -> dict[str, str]:
        """The metadata of a benchmark run of whatever account; empty if there is none."""
        run = await BenchmarkRunRepository(session).get_by_id(run_id)
        return {} if run is None else run.metadata_

    async def _kept(self, session: AsyncSession, run: BenchmarkRun) -> RunProfile:
        kept = dict(run.run_profile or {})
        if mounts := kept.get("mounts"):
            tokens = await self._tokens.opened(session, run.id)
            kept["mounts"] = [
                {**mount, **{name: tokens[_place(at, name)] for name in TOKENS if _place(at, name) in tokens}}
                for at, mount in enumerate(mounts)
            ]
        return RunProfile(
            env_vars=run.environment_variables or None,
            purpose=run.purpose,
            secrets=run.secrets_provided or None,
            **kept,
        )


def _place(index: int, name: str) -> str:
    return f"mounts.{index}.{name}"
