"""The wire's words for benchmark runs."""

from typing import Annotated

from pydantic import Field

from loopyard.benchmark.run.states import StateName
from loopyard.kit.http.wire import Params, ShortText, StringMap, Text, View
from loopyard.scenario.run.schemas import RunProfile


class BenchmarkStartRunParams(Params):
    benchmark_id: Text
    metadata: StringMap | None = None
    run_name: ShortText | None = None
    run_profile: Annotated[RunProfile | None, Field(alias="runProfile")] = None


class BenchmarkRunView(View):
    id: str
    metadata: dict[str, str] = Field(validation_alias="metadata_", serialization_alias="metadata")
    start_time_ms: int
    state: StateName
    benchmark_id: str | None = None
    duration_ms: int | None = None
    environment_variables: dict[str, str] | None = None
    name: str | None = None
    purpose: str | None = None
    score: float | None = None
    secrets_provided: dict[str, str] | None = None
    pending_scenarios: list[str] | None = None
    """The scenarios that have no completed run yet, in order; left out in lists."""


class BenchmarkRunListView(View):
    runs: list[BenchmarkRunView]
    has_more: bool
    total_count: int | None = None
