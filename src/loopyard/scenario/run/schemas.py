"""The wire's words for scenario runs."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from loopyard.kit.http.wire import Params, ShortText, StringMap, Text, View
from loopyard.launch.mounts import Mount
from loopyard.launch.parameters import LaunchParameters
from loopyard.launch.upstreams import GatewaySpecs, McpSpecs
from loopyard.scenario.run.states import StateName
from loopyard.scorer.contract import ScoringContractResult


class RunProfile(Params):
    """How a run differs from what its scenario says."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, alias_generator=to_camel)

    env_vars: StringMap | None = None
    gateways: GatewaySpecs | None = None
    launch_parameters: LaunchParameters | None = None
    mcp: McpSpecs | None = None
    mounts: list[Mount] | None = None
    purpose: Text | None = None
    secrets: StringMap | None = None


class ScenarioStartRunParams(Params):
    scenario_id: Text
    benchmark_run_id: Text | None = None
    metadata: StringMap | None = None
    run_name: ShortText | None = None
    run_profile: Annotated[RunProfile | None, Field(alias="runProfile")] = None


class ScenarioRunView(View):
    id: str
    devbox_id: str
    metadata: dict[str, str] = Field(validation_alias="metadata_", serialization_alias="metadata")
    scenario_id: str
    state: StateName
    benchmark_run_id: str | None = None
    duration_ms: int | None = None
    environment_variables: dict[str, str] | None = None
    name: str | None = None
    purpose: str | None = None
    scoring_contract_result: ScoringContractResult | None = None
    secrets_provided: dict[str, str] | None = None
    start_time_ms: int | None = None


class ScenarioRunListView(View):
    runs: list[ScenarioRunView]
    has_more: bool
    total_count: int | None = None
