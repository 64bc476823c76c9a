"""/console/: what goes on, live."""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from loopyard.benchmark_job import endpoints as jobs
from loopyard.benchmark_job.repository import JobFilters
from loopyard.blueprint import endpoints as blueprints
from loopyard.console.family import Entry, Family
from loopyard.console.live import Fragment
from loopyard.console.overview.host import HostMeter
from loopyard.console.page import Page, allowed
from loopyard.console.settings import ServerSettings
from loopyard.devbox import endpoints as devboxes
from loopyard.devbox.repository import DevboxRepository
from loopyard.devbox.schemas import DevboxView
from loopyard.kit.clock import now_ms
from loopyard.kit.lists.paging import PageQuery
from loopyard.runtime.protocol import Runtime
from loopyard.runtime.readiness import KeepsReady

router = APIRouter()

PageDep = Annotated[Page, Depends(allowed(None))]
_FEW = PageQuery(limit=6, include_total_count=False)
_NEWEST = PageQuery(limit=60, include_total_count=False)
_MINUTE_MS = 60_000
_JOB_RUNNING = {"initializing", "queued", "running"}


@router.get("/")
async def overview(page: PageDep) -> Response:
    """The overview page."""
    return page.render("overview/overview.html", parts=await _figures(page))


@router.get("/live")
async def live(page: PageDep) -> Response:
    """Live parts of the overview, whenever they have changed."""

    async def render() -> str:
        return page.html("overview/_parts.html", parts=await _figures(page))

    async def render_host() -> str:
        return page.html("overview/_host.html", parts=_host(page))

    return page.live(
        Fragment("parts", "overview", render, concerns=lambda key: "/" not in key, every_seconds=5.0),
        Fragment("host", "overview", render_host, concerns=lambda _: False, every_seconds=5.0),
    )


def _host(page: Page) -> dict[str, Any]:
    runtime = page.parts.get(Runtime)
    meter = _meter(page)
    return {"host": meter.figures(), "ready": runtime.ready_count if isinstance(runtime, KeepsReady) else None}


def _meter(page: Page) -> HostMeter:
    state = page.request.app.state
    if not hasattr(state, "host_meter"):
        state.host_meter = HostMeter(page.parts.get(ServerSettings).data_dir)
    meter: HostMeter = state.host_meter
    return meter


async def _figures(page: Page) -> dict[str, Any]:
    """Content of the page; of what the caller may not see, nothing."""
    found = _host(page)
    async with page.database.read() as session:
        found |= {"creates": None, "states": None, "failures": None, "builds": None, "jobs": None}
        if page.may("GET /v1/devboxes"):
            sizes = await DevboxRepository(session).sizes(page.caller.account_id)
            found["states"] = Counter(str(status) for status, _ in sizes)
            failed = await devboxes.list_devboxes(page.caller, session, _FEW, "failure")
            found["failures"] = failed.devboxes
            newest = await devboxes.list_devboxes(page.caller, session, _NEWEST, None)
            found["creates"] = _creates(newest.devboxes)
        if page.may("GET /v1/blueprints"):
            building = await blueprints.list_blueprints(page.caller, session, _FEW, None, "building")
            queued = await blueprints.list_blueprints(page.caller, session, _FEW, None, "queued")
            found["builds"] = [*building.blueprints, *queued.blueprints]
        if page.may("GET /v1/benchmark_jobs"):
            query = PageQuery(limit=20, include_total_count=False)
            begun = await jobs.list_jobs(page.caller, session, query, JobFilters(None, None))
            found["jobs"] = [job for job in begun.jobs if job.state in _JOB_RUNNING]
    return found


def _creates(newest: Sequence[DevboxView]) -> dict[str, Any]:
    """How many devboxes were made in the last minute, and how long those took at the median that run since."""
    since = now_ms() - _MINUTE_MS
    fresh = [one for one in newest if one.create_time_ms >= since]
    took = [
        (step.transition_time_ms - one.create_time_ms) / 1000
        for one in fresh
        for step in one.state_transitions
        if step.status == "running" and step.transition_time_ms is not None
    ]
    is_more = len(fresh) == _NEWEST.limit
    return {"count": len(fresh), "is_more": is_more, "seconds": median(took) if took else None}


FAMILY = Family(router, navigation=[Entry("Now", "Overview", "/", None)])
