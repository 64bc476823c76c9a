"""Makes runs in a store without making devboxes, and a naive model of what the list must answer."""

from collections.abc import Sequence

from loopyard.kit.ids import new_id
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import PageQuery
from loopyard.scenario.run.models import ScenarioRun
from loopyard.scenario.run.repository import RunFilters


def new_run(
    account_id: str = "acc_1",
    *,
    name: str | None = None,
    scenario_id: str = "scn_a",
    benchmark_run_id: str | None = None,
    state: str = "running",
) -> ScenarioRun:
    return ScenarioRun(
        id=new_id("scr"),
        account_id=account_id,
        scenario_id=scenario_id,
        devbox_id=new_id("dbx"),
        benchmark_run_id=benchmark_run_id,
        name=name,
        name_digest=None if name is None else names.digest(name),
        name_folded=None if name is None else names.fold(name),
        state=state,
        metadata_={"k": "v"},
        environment_variables={},
        secrets_provided={},
        contract_digest="0" * 64,
        scorer_timeout_sec=1800,
        start_time_ms=1_000,
    )


def matching(runs: Sequence[ScenarioRun], account_id: str, filters: RunFilters) -> list[str]:
    """The ids of all runs that the list holds, newest first, told in the plainest way."""

    def matches(run: ScenarioRun) -> bool:
        by_name = run.name is not None and filters.search and filters.search.casefold() in run.name.casefold()
        return (
            run.account_id == account_id
            and filters.name in (None, run.name)
            and filters.state in (None, run.state)
            and filters.benchmark_run_id in (None, run.benchmark_run_id)
            and filters.scenario_id in (None, run.scenario_id)
            and (not filters.search or bool(by_name) or run.id.startswith(filters.search))
        )

    return sorted((run.id for run in runs if matches(run)), reverse=True)


def first_page(limit: int = 20, starting_after: str | None = None) -> PageQuery:
    return PageQuery(limit, starting_after)
