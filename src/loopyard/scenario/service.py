"""Decides about scenarios."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.clock import now_ms
from loopyard.kit.db.named_repository import set_name
from loopyard.kit.errors import WrongState
from loopyard.model_usage.wishes import wishes_of
from loopyard.scenario import environment
from loopyard.scenario.environment import ScenarioEnvironment
from loopyard.scenario.models import Scenario
from loopyard.scenario.repository import ScenarioRepository
from loopyard.scenario.schemas import InputContext, InputContextUpdate, ScenarioCreateParams, ScenarioUpdateParams
from loopyard.scenario.system_files import is_as_left
from loopyard.scorer import contract
from loopyard.scorer.contract import ScoringFunction
from loopyard.scorer.registered.repository import RegisteredScorerRepository

_ENVIRONMENT = "environment_parameters"
_FUNCTIONS = "scoring_contract.scoring_function_parameters"


async def create(session: AsyncSession, account_id: str, params: ScenarioCreateParams, *, scenario_id: str) -> Scenario:
    """Write a new scenario down.

    Raises:
        BadRequest: Its scoring functions cannot score, or something asked for is not offered here.
        NotFound: The blueprint, snapshot or policy named does not exist.
    """
    scenario = Scenario(
        id=scenario_id,
        account_id=account_id,
        status="active",
        is_public=False,
        input_context=_given(params.input_context),
        environment=await _environment(session, account_id, params.environment_parameters),
        reference_output=params.reference_output or None,
        required_environment_variables=params.required_environment_variables or [],
        required_secret_names=params.required_secret_names or [],
        scorer_timeout_sec=params.scorer_timeout_sec,
        validation_type=params.validation_type or "UNSPECIFIED",
        metadata_=params.metadata or {},
        create_time_ms=now_ms(),
    )
    is_as_left(scenario.metadata_)
    wishes_of(scenario.metadata_)
    set_name(scenario, params.name)
    await _score_by(session, scenario, params.scoring_contract.scoring_function_parameters)
    return await ScenarioRepository(session).create(scenario)


async def update(session: AsyncSession, account_id: str, scenario_id: str, params: ScenarioUpdateParams) -> Scenario:
    """Change what is given; an empty map, list or text clears. Runs that were started before are not changed.

    Raises:
        NotFound: The account has none of this id.
        WrongState: It is archived.
        BadRequest: Its scoring functions cannot score, or something asked for is not offered here.
    """
    scenario = await ScenarioRepository(session).get_one_owned_for_update(scenario_id, account_id)
    if scenario.status == "archived":
        raise WrongState(f"Scenario {scenario_id} is archived and cannot be updated.")
    if params.name is not None:
        set_name(scenario, params.name)
    if params.input_context is not None:
        scenario.input_context = {**scenario.input_context, **_given(params.input_context)}
    if params.environment_parameters is not None:
        scenario.environment = await _environment(session, account_id, params.environment_parameters)
    if params.scoring_contract is not None and params.scoring_contract.scoring_function_parameters is not None:
        await _score_by(session, scenario, params.scoring_contract.scoring_function_parameters)
    if params.metadata is not None:
        is_as_left(params.metadata)
        wishes_of(params.metadata)
        scenario.metadata_ = params.metadata
    if params.reference_output is not None:
        scenario.reference_output = params.reference_output or None
    if params.required_environment_variables is not None:
        scenario.required_environment_variables = params.required_environment_variables
    if params.required_secret_names is not None:
        scenario.required_secret_names = params.required_secret_names
    if params.scorer_timeout_sec is not None:
        scenario.scorer_timeout_sec = params.scorer_timeout_sec
    if params.validation_type is not None:
        scenario.validation_type = params.validation_type
    return await ScenarioRepository(session).update(scenario)


async def archive(session: AsyncSession, account_id: str, scenario_id: str) -> Scenario:
    """Take a scenario out of the lists; no run of it can be started any more. One that is archived stays so.

    Raises:
        NotFound: The account has none of this id.
    """
    scenario = await ScenarioRepository(session).get_one_owned_for_update(scenario_id, account_id)
    scenario.status = "archived"
    return await ScenarioRepository(session).update(scenario)


async def publish(session: AsyncSession, scenario_id: str, *, public: bool) -> Scenario:
    """Open a scenario of whatever account to every account, or close it again. Runs that were started stay.

    Raises:
        NotFound: There is none of this id.
        WrongState: It is archived.
    """
    scenario = await ScenarioRepository(session).get_one_by_id_for_update(scenario_id)
    if scenario.status == "archived":
        raise WrongState(f"Scenario {scenario_id} is archived; it is in no list.")
    scenario.is_public = public
    return await ScenarioRepository(session).update(scenario)


def _given(context: InputContext | InputContextUpdate) -> dict[str, Any]:
    return {name: value for name, value in context.model_dump().items() if value is not None}


async def _score_by(session: AsyncSession, scenario: Scenario, functions: list[ScoringFunction]) -> None:
    contract.check(functions, _FUNCTIONS)
    if types := contract.custom_types(functions):
        scripts = await RegisteredScorerRepository(session).scripts(scenario.account_id, types)
        contract.check_registered(functions, scripts, _FUNCTIONS)
    scenario.scoring_functions = contract.dump(functions)
    scenario.contract_digest = contract.digest(functions)


async def _environment(
    session: AsyncSession, account_id: str, params: ScenarioEnvironment | None
) -> dict[str, Any] | None:
    if params is None:
        return None
    await environment.check(session, account_id, params, _ENVIRONMENT)
    return params.model_dump(mode="json", exclude_none=True) or None
