"""What jobs are made of, in a store that several accounts share."""

import pytest

from loopyard.benchmark.models import Benchmark
from loopyard.benchmark_job.planning import targets_of_benchmark, targets_of_list
from loopyard.benchmark_job.spec import AgentConfig, BenchmarkJobSpec, ScenariosJobSpec
from loopyard.kit.db.database import Database
from loopyard.kit.errors import BadRequest, NotFound
from loopyard.kit.lists import names
from loopyard.scenario.models import BenchmarkScenario, Scenario

pytestmark = pytest.mark.anyio

AGENTS = [AgentConfig(type="job_agent", name="nop")]


def _scenario(scenario_id: str, *, is_public: bool) -> Scenario:
    return Scenario(
        id=scenario_id,
        account_id="acc_owner",
        name=scenario_id,
        name_digest=names.digest(scenario_id),
        name_folded=scenario_id,
        status="active",
        is_public=is_public,
        input_context={"problem_statement": "x"},
        required_environment_variables=[],
        required_secret_names=[],
        validation_type="UNSPECIFIED",
        metadata_={},
        scoring_functions=[],
        contract_digest="0" * 64,
        create_time_ms=1,
    )


def _benchmark(benchmark_id: str) -> Benchmark:
    return Benchmark(
        id=benchmark_id,
        account_id="acc_owner",
        name="shown to all",
        name_digest=names.digest("shown to all"),
        name_folded="shown to all",
        status="active",
        is_public=True,
        metadata_={},
        required_environment_variables=[],
        required_secret_names=[],
        create_time_ms=1,
    )


@pytest.fixture
async def shared(database: Database) -> Database:
    """A public benchmark with a public scenario, and one with a private scenario beside it."""
    async with database.write() as session:
        session.add_all([_scenario("scn_open", is_public=True), _scenario("scn_closed", is_public=False)])
        session.add_all([_benchmark("bmk_open"), _benchmark("bmk_mixed")])
        parts = [("bmk_open", "scn_open", 0), ("bmk_mixed", "scn_open", 0), ("bmk_mixed", "scn_closed", 1)]
        session.add_all([BenchmarkScenario(benchmark_id=b, scenario_id=s, position=p) for b, s, p in parts])
    return database


async def test_a_public_benchmark_of_somebody_else_can_be_run_if_its_scenarios_can(shared: Database) -> None:
    async with shared.read() as session:
        spec = BenchmarkJobSpec(type="benchmark", benchmark_id="bmk_open", agent_configs=AGENTS)
        targets = await targets_of_benchmark(session, "acc_other", spec)
        assert [scenario.id for scenario in targets.scenarios] == ["scn_open"]
        spec = BenchmarkJobSpec(type="benchmark", benchmark_id="bmk_mixed", agent_configs=AGENTS)
        with pytest.raises(BadRequest, match="scn_closed") as refused:
            await targets_of_benchmark(session, "acc_other", spec)
        assert refused.value.field == "spec.benchmark_id"
        targets = await targets_of_benchmark(session, "acc_owner", spec)
        assert [scenario.id for scenario in targets.scenarios] == ["scn_open", "scn_closed"]


async def test_a_scenario_that_is_not_public_is_not_there_for_others(shared: Database) -> None:
    spec = ScenariosJobSpec(type="scenarios", scenario_ids=["scn_open", "scn_closed"], agent_configs=AGENTS)
    async with shared.read() as session:
        with pytest.raises(NotFound) as missing:
            await targets_of_list(session, "acc_other", spec)
        assert missing.value.field == "spec.scenario_ids.1"
        targets = await targets_of_list(session, "acc_owner", spec)
        assert targets.source == {"type": "scenarios", "scenario_ids": ["scn_open", "scn_closed"]}
