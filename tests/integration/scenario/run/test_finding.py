"""Lists of runs and unknown runs, as the official client sees them, in real sandboxes."""

from collections.abc import Generator
from typing import Any

import pytest
from runloop_api_client import BadRequestError, NotFoundError, Runloop

from tests.integration.scenario.definitions import scenario
from tests.serving import ServerProcess


@pytest.fixture(scope="module")
def api(server: ServerProcess) -> Generator[Runloop]:
    with server.client(max_retries=0) as client:
        yield client


@pytest.mark.semantic
def test_lists_by_the_official_client(api: Runloop) -> None:
    made = api.scenarios.create(**scenario())
    runs = [api.scenarios.start_run(scenario_id=made.id, run_name=f"List {n}") for n in range(3)]
    newest_first = [run.id for run in reversed(runs)]
    page = api.scenarios.runs.list(scenario_id=made.id, limit=2)
    assert ([run.id for run in page.runs], page.has_more, page.total_count) == (newest_first[:2], True, 3)
    assert [run.id for run in page] == newest_first
    assert api.scenarios.runs.list(scenario_id=made.id, include_total_count=False).total_count is None
    api.scenarios.runs.cancel(runs[1].id)
    assert [run.id for run in api.scenarios.runs.list(scenario_id=made.id, state="canceled")] == [runs[1].id]
    assert [run.id for run in api.scenarios.runs.list(scenario_id=made.id, name="List 2")] == [runs[2].id]
    assert [run.id for run in api.scenarios.runs.list(scenario_id=made.id, search="lIsT")] == newest_first
    assert api.scenarios.runs.list(benchmark_run_id="bmr_none").total_count == 0
    for run in (runs[0], runs[2]):
        api.scenarios.runs.cancel(run.id)


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 5001}, "limit"),
        ({"limit": 0}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"state": "sleeping"}, "state"),
        ({"starting_after": "dbx_01k00000000000000000000000"}, "starting_after"),
        ({"starting_after": "x"}, "starting_after"),
        ({"name": "a\x00b"}, "name"),
        ({"search": "\x00"}, "search"),
        ({"scenario_id": "\x00"}, "scenario_id"),
    ],
)
def test_bad_list_queries_are_refused_by_name(api: Runloop, query: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        api.scenarios.runs.list(extra_query=query)
    assert raised.value.response.json()["field"] == field


@pytest.mark.semantic
def test_unknown_ids_are_not_found(api: Runloop) -> None:
    runs = api.scenarios.runs
    for call in (runs.retrieve, runs.score, runs.complete, runs.cancel, runs.download_logs):
        with pytest.raises(NotFoundError):
            call("scr_none")
