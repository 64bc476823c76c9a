"""The wire's words for benchmarks."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from loopyard.benchmark.models import Benchmark
from loopyard.kit.http.wire import Params, StringMap, Text, View
from loopyard.scenario.schemas import Name, RequiredNames

MAX_SCENARIOS = 10_000

BenchmarkStatus = Literal["active", "archived"]
ScenarioIds = Annotated[list[Text], Field(max_length=MAX_SCENARIOS)]


class BenchmarkCreateParams(Params):
    name: Name
    attribution: Text | None = None
    description: Text | None = None
    metadata: StringMap | None = None
    required_environment_variables: RequiredNames | None = None
    required_secret_names: RequiredNames | None = None
    scenario_ids: ScenarioIds | None = None


class BenchmarkUpdateParams(Params):
    """Parameters of an update. A field that is not given stays; an empty map, list or text clears."""

    attribution: Text | None = None
    description: Text | None = None
    metadata: StringMap | None = None
    name: Name | None = None
    required_environment_variables: RequiredNames | None = None
    required_secret_names: RequiredNames | None = None
    scenario_ids: ScenarioIds | None = None


class BenchmarkUpdateScenariosParams(Params):
    scenarios_to_add: ScenarioIds | None = None
    scenarios_to_remove: ScenarioIds | None = None


class BenchmarkView(View):
    id: str
    metadata: dict[str, str]
    name: str
    scenario_ids: Annotated[list[str], Field(alias="scenarioIds")]
    """In the order in which they were named."""
    status: BenchmarkStatus
    attribution: str | None = None
    description: str | None = None
    is_public: bool | None = None
    required_environment_variables: list[str] | None = None
    required_secret_names: list[str] | None = None

    @classmethod
    def of(cls, benchmark: Benchmark, scenario_ids: Sequence[str]) -> "BenchmarkView":
        return cls(
            id=benchmark.id,
            metadata=benchmark.metadata_,
            name=benchmark.name,
            scenario_ids=list(scenario_ids),
            status="archived" if benchmark.status == "archived" else "active",
            attribution=benchmark.attribution,
            description=benchmark.description,
            is_public=benchmark.is_public,
            required_environment_variables=benchmark.required_environment_variables,
            required_secret_names=benchmark.required_secret_names,
        )


class BenchmarkListView(View):
    benchmarks: list[BenchmarkView]
    has_more: bool
    total_count: int | None = None
