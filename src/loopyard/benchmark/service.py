"""Decides about benchmarks."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import require
from loopyard.benchmark.models import Benchmark
from loopyard.benchmark.repository import BenchmarkRepository
from loopyard.benchmark.schemas import (
    MAX_SCENARIOS,
    BenchmarkCreateParams,
    BenchmarkUpdateParams,
    BenchmarkUpdateScenariosParams,
)
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.clock import now_ms
from loopyard.kit.db.named_repository import set_name
from loopyard.kit.errors import BadRequest, WrongState
from loopyard.scenario.repository import ScenarioRepository
from loopyard.scenario.service import publish as publish_scenario


async def create(
    session: AsyncSession, account_id: str, params: BenchmarkCreateParams, *, benchmark_id: str
) -> Benchmark:
    """Write a new benchmark down.

    Raises:
        NotFound: One of the scenarios is not there.
        BadRequest: One of them is archived.
    """
    benchmark = Benchmark(
        id=benchmark_id,
        account_id=account_id,
        status="active",
        is_public=False,
        attribution=params.attribution or None,
        description=params.description or None,
        metadata_=params.metadata or {},
        required_environment_variables=params.required_environment_variables or [],
        required_secret_names=params.required_secret_names or [],
        create_time_ms=now_ms(),
    )
    set_name(benchmark, params.name)
    await BenchmarkRepository(session).create(benchmark)
    await _add(session, benchmark, [], params.scenario_ids or [], "scenario_ids")
    return benchmark


async def update(session: AsyncSession, account_id: str, benchmark_id: str, params: BenchmarkUpdateParams) -> Benchmark:
    """Change what is given; an empty map, list or text clears. Runs that were started before are not changed.

    Raises:
        NotFound: The account has none of this id, or one of the scenarios is not there.
        WrongState: It is archived.
        BadRequest: One of the scenarios is archived and was not in it before.
    """
    benchmark = await _own(session, account_id, benchmark_id)
    if params.name is not None:
        set_name(benchmark, params.name)
    if params.attribution is not None:
        benchmark.attribution = params.attribution or None
    if params.description is not None:
        benchmark.description = params.description or None
    if params.metadata is not None:
        benchmark.metadata_ = params.metadata
    if params.required_environment_variables is not None:
        benchmark.required_environment_variables = params.required_environment_variables
    if params.required_secret_names is not None:
        benchmark.required_secret_names = params.required_secret_names
    benchmarks = BenchmarkRepository(session)
    await benchmarks.update(benchmark)
    if params.scenario_ids is not None:
        before = await scenario_ids(session, benchmark)
        await benchmarks.remove_scenarios(benchmark.id, None)
        await _add(session, benchmark, [], params.scenario_ids, "scenario_ids", admitted=before)
    return benchmark


async def update_scenarios(
    session: AsyncSession, account_id: str, benchmark_id: str, params: BenchmarkUpdateScenariosParams
) -> Benchmark:
    """Take scenarios out and add others at the end. One that is in it already stays where it is; one to be removed that
    is not in it is no error.

    Raises:
        NotFound: The account has no such benchmark, or one of the scenarios to add is not there.
        WrongState: The benchmark is archived.
        BadRequest: A scenario to add is archived, or one is to be both added and removed.
    """
    benchmark = await _own(session, account_id, benchmark_id)
    add, remove = params.scenarios_to_add or [], params.scenarios_to_remove or []
    if both := sorted(set(add) & set(remove)):
        message = f"scenarios_to_remove: {both[0]} is to be added, too."
        raise BadRequest(message, field="scenarios_to_remove")
    if remove:
        await BenchmarkRepository(session).remove_scenarios(benchmark.id, remove)
    await _add(session, benchmark, await scenario_ids(session, benchmark), add, "scenarios_to_add")
    return benchmark


async def publish(session: AsyncSession, benchmark_id: str, *, public: bool) -> Benchmark:
    """Open a benchmark of whatever account, and its scenarios that are not archived, to every account; or close the
    benchmark again.

    Raises:
        NotFound: There is none of this id.
    """
    benchmarks = BenchmarkRepository(session)
    benchmark = await benchmarks.get_one_by_id_for_update(benchmark_id)
    benchmark.is_public = public
    await benchmarks.update(benchmark)
    if public:
        for scenario_id in await benchmarks.runnable_ids(benchmark_id):
            await publish_scenario(session, scenario_id, public=True)
    return benchmark


async def scenario_ids(session: AsyncSession, benchmark: Benchmark) -> Sequence[str]:
    """Its scenarios, in the order in which they were named."""
    return (await BenchmarkRepository(session).scenario_ids([benchmark.id])).get(benchmark.id, [])


async def _own(session: AsyncSession, account_id: str, benchmark_id: str) -> Benchmark:
    benchmark = await BenchmarkRepository(session).get_one_owned_for_update(benchmark_id, account_id)
    if benchmark.status == "archived":
        raise WrongState(f"Benchmark {benchmark_id} is archived and cannot be changed.")
    return benchmark


async def _add(
    session: AsyncSession,
    benchmark: Benchmark,
    present: Sequence[str],
    added: Sequence[str],
    field: str,
    admitted: Sequence[str] = (),
) -> None:
    """Add scenarios behind those that are `present`, each once. Those `admitted` may be archived."""
    if added:
        require(Resource.SCENARIOS, Level.READ, "a scenario that a benchmark has", field=field)
    known = set(present)
    fresh = [scenario_id for scenario_id in dict.fromkeys(added) if scenario_id not in known]
    if len(present) + len(fresh) > MAX_SCENARIOS:
        raise BadRequest(f"{field}: a benchmark has at most {MAX_SCENARIOS:,} scenarios.", field=field)
    scenarios = ScenarioRepository(session)
    statuses = await scenarios.statuses(fresh, benchmark.account_id)
    for scenario_id in fresh:
        if scenario_id not in statuses:
            raise scenarios.not_found(scenario_id, field)
        if statuses[scenario_id] == "archived" and scenario_id not in admitted:
            raise BadRequest(f"{field}: scenario {scenario_id} is archived.", field=field)
    await BenchmarkRepository(session).add_scenarios(benchmark.id, fresh)
