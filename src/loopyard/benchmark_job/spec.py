"""Specification of a job, in the wire's words. The kinds of specs are told apart by `type`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from loopyard.kit.http.wire import Params, ShortText, StringMap, Text
from loopyard.launch.upstreams import GatewaySpecs, McpSpecs
from loopyard.model_usage.wishes import MOST_TOKENS, MOST_USD

MAX_AGENTS = 100
MAX_SCENARIOS = 10_000
MAX_TRIALS = 20_000
"""Limit on the agents of a job times its scenarios."""
MAX_ATTEMPTS = 20
MAX_CONCURRENT = 1024
MAX_AGENT_SECONDS = 86_400


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Name = Annotated[ShortText, AfterValidator(_not_blank)]


class AgentEnvironment(Params):
    environment_variables: StringMap | None = None
    gateways: GatewaySpecs | None = None
    """Beyond the wire's own words: what the agent calls upstream with credentials that it does not have."""
    mcp: McpSpecs | None = None
    secrets: StringMap | None = None
    """Environment variable to the id of the secret in it; the secret's name does as well."""


class AgentConfig(Params):
    """An agent, and how it is set to every scenario of the job."""

    type: Literal["job_agent"]
    name: Name
    agent_environment: AgentEnvironment | None = None
    agent_id: ShortText | None = None
    kwargs: StringMap | None = None
    model_name: ShortText | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=MAX_AGENT_SECONDS, allow_inf_nan=False)] | None = None


class OrchestratorConfig(Params):
    max_cost_usd: Annotated[float, Field(ge=0, le=float(MOST_USD), allow_inf_nan=False)] | None = None
    """Beyond the wire's own words: the budget of each scenario run of the job, in US dollars of model calls. It takes
    the place of the scenario's own."""
    max_tokens: Annotated[int, Field(ge=0, le=MOST_TOKENS)] | None = None
    """Beyond the wire's own words: the same in tokens."""
    n_attempts: Annotated[int, Field(ge=0, le=MAX_ATTEMPTS)] | None = None
    """How often a scenario is tried again after a failure of the agent's. Default 0."""
    n_concurrent_trials: Annotated[int, Field(ge=1, le=MAX_CONCURRENT)] | None = None
    """How many trials of the job go on at once at most. Default 1."""
    quiet: bool | None = None
    """Shown again, and nothing more: a job says nothing but in the server's log."""
    timeout_multiplier: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = None
    """Each further attempt multiplies the agent's time by this. Default 1."""


Agents = Annotated[list[AgentConfig], Field(min_length=1, max_length=MAX_AGENTS)]


class HarborJobSpec(Params):
    type: Literal["harbor"]
    inline_yaml: Text


class BenchmarkJobSpec(Params):
    """The scenarios of a benchmark, as they are when the job is made."""

    type: Literal["benchmark"]
    benchmark_id: Text
    agent_configs: Agents
    orchestrator_config: OrchestratorConfig | None = None


class ScenariosJobSpec(Params):
    type: Literal["scenarios"]
    scenario_ids: Annotated[list[Text], Field(min_length=1, max_length=MAX_SCENARIOS)]
    agent_configs: Agents
    orchestrator_config: OrchestratorConfig | None = None


AnyJobSpec = Annotated[HarborJobSpec | BenchmarkJobSpec | ScenariosJobSpec, Field(discriminator="type")]


class BenchmarkJobCreateParams(Params):
    name: Name | None = None
    spec: AnyJobSpec | None = None
