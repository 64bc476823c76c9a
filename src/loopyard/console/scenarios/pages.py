"""/console/scenarios: scenarios, what they are scored by, and their runs."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.console.family import Entry, Family, Hit
from loopyard.console.filtering import EMPTY_IS_NONE, Given, shown_list
from loopyard.console.listing import ListQuery
from loopyard.console.page import Page, allowed
from loopyard.console.scenario_runs.rows import rows_of
from loopyard.console.scenarios.contract import functions_of
from loopyard.console.searching.finding import finder
from loopyard.kit.http.wire import ShortText
from loopyard.kit.ids import new_id
from loopyard.kit.lists.paging import PageQuery, cursor_of
from loopyard.scenario import service
from loopyard.scenario.repository import ScenarioFilters, ScenarioRepository
from loopyard.scenario.run.counts import CountKey, by_state
from loopyard.scenario.run.repository import RunFilters, ScenarioRunRepository
from loopyard.scenario.run.schemas import ScenarioStartRunParams
from loopyard.scenario.run.service import RunService
from loopyard.scenario.run.states import State
from loopyard.scenario.schemas import ScenarioView, ValidationType

router = APIRouter()

LIST = "GET /v1/scenarios"
RETRIEVE = "GET /v1/scenarios/{}"
PUBLIC = "GET /v1/scenarios/list_public"
RUNS = "GET /v1/scenarios/runs"
START = "POST /v1/scenarios/start_run"
ARCHIVE = "POST /v1/scenarios/{}/archive"

_RECENT = 20

_Type = Annotated[ValidationType | None, EMPTY_IS_NONE, Query()]


@router.get("/scenarios")
async def list_scenarios(
    page: Annotated[Page, Depends(allowed(LIST))],
    query: ListQuery,
    name: Annotated[Given, Query()] = None,
    search: Annotated[Given, Query()] = None,
    benchmark_id: Annotated[Given, Query()] = None,
    validation_type: _Type = None,
    public: Annotated[bool, Query()] = False,
) -> HTMLResponse:
    """The account's scenarios, or the public ones, newest first."""
    page.need(PUBLIC if public else LIST)
    filters = ScenarioFilters(name, search, benchmark_id, validation_type)
    account_id = None if public else page.caller.account_id
    async with page.database.read() as session:
        found = await ScenarioRepository(session).list_page(account_id, filters, cursor_of(query, "scn"))
    given: dict[str, Any] = {
        "name": name,
        "search": search,
        "benchmark_id": benchmark_id,
        "validation_type": validation_type,
        "public": "true" if public else None,
    }
    return page.render(
        "scenarios/list.html",
        found=found,
        **shown_list(page.request, query, given, found.items, has_more=found.has_more, wide=("public",)),
    )


@router.get("/scenarios/{id}")
async def detail(id: ShortText, page: Annotated[Page, Depends(allowed(RETRIEVE))]) -> HTMLResponse:
    """Page of a scenario, with its scorers and its newest runs."""
    account_id = page.caller.account_id
    history = None
    rows = []
    counts: dict[str, int] = {}
    async with page.database.read() as session:
        scenario = await ScenarioRepository(session).get_one_visible(id, account_id)
        if page.may(RUNS):
            of_scenario = RunFilters(scenario_id=scenario.id)
            history = await ScenarioRunRepository(session).list_page(account_id, of_scenario, PageQuery(_RECENT))
            rows = await rows_of(session, account_id, history.items)
            counts = await by_state(session, CountKey(account_id, "scenario", scenario.id))
    view = ScenarioView.of(scenario)
    return page.render(
        "scenarios/detail.html",
        scenario=view,
        context=_as_text(view.input_context.additional_context),
        is_own=scenario.account_id == account_id,
        create_time_ms=scenario.create_time_ms,
        functions=functions_of(view.scoring_contract.scoring_function_parameters),
        history=history,
        rows=rows,
        counts=[(state, counts[state]) for state in State if counts.get(state)],
    )


def _as_text(value: Any) -> str | None:
    """A JSON value as it is read best; None for None."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False)


@router.post("/scenarios/{id}/start-run")
async def start_run(id: ShortText, page: Annotated[Page, Depends(allowed(START))]) -> RedirectResponse:
    """Start a run of a scenario; its devbox waits for whoever works in it."""
    params = ScenarioStartRunParams(scenario_id=id)
    async with page.database.write(last=True) as session:
        run = await page.parts.get(RunService).start(session, page.caller.account_id, params, run_id=new_id("scr"))
    return page.redirect(f"/console/runs/{run.id}", note="The run is started; its devbox is being made.")


@router.post("/scenarios/{id}/archive")
async def archive(id: ShortText, page: Annotated[Page, Depends(allowed(ARCHIVE))]) -> RedirectResponse:
    """Take a scenario out of the lists."""
    async with page.database.write() as session:
        scenario = await service.archive(session, page.caller.account_id, id)
    return page.redirect(f"/console/scenarios/{scenario.id}", note="The scenario is archived. Its runs stay.")


async def _hits(session: AsyncSession, page: Page, text: str, few: PageQuery) -> list[Hit]:
    found = await ScenarioRepository(session).list_page(page.caller.account_id, ScenarioFilters(search=text), few)
    return [Hit("scenario", one.name, f"/scenarios/{one.id}", one.id) for one in found.items]


FAMILY = Family(
    router,
    navigation=(Entry("Evaluation", "Scenarios", "/scenarios", LIST),),
    links={"scn": "/scenarios/"},
    find=finder(LIST, _hits),
)
