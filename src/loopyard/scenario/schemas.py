"""The wire's words for scenarios."""

from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from loopyard.kit.http.wire import JsonValue, Params, StringMap, Text, View
from loopyard.scenario.environment import ScenarioEnvironment
from loopyard.scenario.models import Scenario
from loopyard.scorer import contract
from loopyard.scorer.contract import ScoringFunction

DEFAULT_SCORER_TIMEOUT_SEC = 1800
MAX_SCORER_TIMEOUT_SEC = 7 * 24 * 3600

ValidationType = Literal["UNSPECIFIED", "FORWARD", "REVERSE", "EVALUATION"]
ScenarioStatus = Literal["active", "archived"]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _cleared(value: Any) -> Any:
    return "UNSPECIFIED" if value == "" else value


Name = Annotated[Text, StringConstraints(max_length=1024), AfterValidator(_not_blank)]
RequiredNames = list[Annotated[Text, StringConstraints(min_length=1, max_length=1024)]]
ScorerTimeout = Annotated[int, Field(ge=1, le=MAX_SCORER_TIMEOUT_SEC)]


class InputContext(Params):
    problem_statement: Text
    additional_context: JsonValue | None = None


class InputContextUpdate(Params):
    problem_statement: Text | None = None
    additional_context: JsonValue | None = None


class ScoringContractParams(Params):
    scoring_function_parameters: list[ScoringFunction]


class ScoringContractUpdate(Params):
    scoring_function_parameters: list[ScoringFunction] | None = None


class ScenarioCreateParams(Params):
    input_context: InputContext
    name: Name
    scoring_contract: ScoringContractParams
    environment_parameters: ScenarioEnvironment | None = None
    metadata: StringMap | None = None
    reference_output: Text | None = None
    required_environment_variables: RequiredNames | None = None
    required_secret_names: RequiredNames | None = None
    scorer_timeout_sec: ScorerTimeout | None = None
    validation_type: ValidationType | None = None


class ScenarioUpdateParams(Params):
    """Parameters of an update. A field that is not given stays; an empty map, list or text clears."""

    input_context: InputContextUpdate | None = None
    name: Name | None = None
    scoring_contract: ScoringContractUpdate | None = None
    environment_parameters: ScenarioEnvironment | None = None
    metadata: StringMap | None = None
    reference_output: Text | None = None
    required_environment_variables: RequiredNames | None = None
    required_secret_names: RequiredNames | None = None
    scorer_timeout_sec: ScorerTimeout | None = None
    validation_type: Annotated[ValidationType, BeforeValidator(_cleared)] | None = None


class ScenarioView(View):
    id: str
    input_context: InputContext
    metadata: dict[str, str]
    name: str
    scoring_contract: ScoringContractParams
    status: ScenarioStatus
    environment: ScenarioEnvironment | None = None
    is_public: bool | None = None
    reference_output: str | None = None
    required_environment_variables: list[str] | None = None
    required_secret_names: list[str] | None = None
    scorer_timeout_sec: int | None = None
    validation_type: ValidationType | None = None

    @classmethod
    def of(cls, scenario: Scenario) -> "ScenarioView":
        return cls(
            id=scenario.id,
            input_context=InputContext.model_validate(scenario.input_context),
            metadata=scenario.metadata_,
            name=scenario.name,
            scoring_contract=ScoringContractParams(
                scoring_function_parameters=contract.load(scenario.scoring_functions)
            ),
            status="archived" if scenario.status == "archived" else "active",
            environment=None if scenario.environment is None else ScenarioEnvironment(**scenario.environment),
            is_public=scenario.is_public,
            reference_output=scenario.reference_output,
            required_environment_variables=scenario.required_environment_variables,
            required_secret_names=scenario.required_secret_names,
            scorer_timeout_sec=scenario.scorer_timeout_sec or DEFAULT_SCORER_TIMEOUT_SEC,
            validation_type=cast("ValidationType", scenario.validation_type),
        )


class ScenarioListView(View):
    """ScenarioDefinitionListView on the wire."""

    scenarios: list[ScenarioView]
    has_more: bool
    total_count: int | None = None
