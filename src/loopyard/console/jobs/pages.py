"""/console/jobs: benchmark jobs as they go on, and the form that starts them."""

import hashlib
import secrets as random
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark.repository import BenchmarkFilters, BenchmarkRepository
from loopyard.benchmark_job import endpoints as api
from loopyard.benchmark_job import viewing
from loopyard.benchmark_job.repeating import params_of
from loopyard.benchmark_job.repository import BenchmarkJobRepository, JobFilters
from loopyard.benchmark_job.service import JobService
from loopyard.benchmark_job.states import UNFINISHED
from loopyard.console.family import Entry, Family, Hit
from loopyard.console.filtering import Given, shown_list
from loopyard.console.jobs.form import JobForm, equal_of
from loopyard.console.jobs.grid import grid_of
from loopyard.console.listing import ListQuery
from loopyard.console.live import Fragment
from loopyard.console.outcomes import LEGEND
from loopyard.console.page import Page, allowed
from loopyard.console.searching.finding import finder
from loopyard.kit.errors import BadRequest, LoopyardError
from loopyard.kit.http.sse import MessageStream
from loopyard.kit.http.wire import MAX_INT, ShortText
from loopyard.kit.idempotency import RequestIdentity
from loopyard.kit.ids import new_id
from loopyard.kit.lists.paging import PageQuery, cursor_of
from loopyard.secret.repository import SecretRepository

router = APIRouter()

LIST = "GET /v1/benchmark_jobs"
RETRIEVE = "GET /v1/benchmark_jobs/{}"
CREATE = "POST /v1/benchmark_jobs"
SECRETS = "GET /v1/secrets"
BENCHMARKS = "GET /v1/benchmarks"

_OFFERED = 200
"""Benchmarks and secrets that the form offers; others can be typed."""
_FALLBACK_SECONDS = 10.0

_First = Annotated[int, Query(ge=0, le=MAX_INT)]


@router.get("/jobs")
async def list_jobs(
    page: Annotated[Page, Depends(allowed(LIST))],
    query: ListQuery,
    name: Annotated[Given, Query()] = None,
    search: Annotated[Given, Query()] = None,
) -> HTMLResponse:
    """The account's jobs, newest first."""
    async with page.database.read() as session:
        found = await BenchmarkJobRepository(session).list_page(
            page.caller.account_id, JobFilters(name, search), cursor_of(query, "bmj")
        )
    views = [viewing.head(job) for job in found.items]
    given: dict[str, Any] = {"search": search, "name": name}
    return page.render(
        "jobs/list.html",
        jobs=views,
        total=found.total_count,
        can_start=page.may(CREATE),
        **shown_list(page.request, query, given, views, has_more=found.has_more),
    )


@router.get("/jobs/new")
async def new_job(
    page: Annotated[Page, Depends(allowed(CREATE))],
    benchmark_id: Annotated[Given, Query()] = None,
    scenario_ids: Annotated[Given, Query()] = None,
) -> HTMLResponse:
    """The form that starts a job."""
    return await _form(page, JobForm.empty(benchmark_id, scenario_ids))


@router.post("/jobs/new")
async def start_job(page: Annotated[Page, Depends(allowed(CREATE))]) -> Response:
    """Start the job of the form, or show the form again with what its buttons ask for."""
    given = await page.request.form(max_files=0)
    form = JobForm.read(given)
    match given.get("do"):
        case "add":
            form.add_agent()
            return await _form(page, form)
        case "drop":
            form.drop_agent()
            return await _form(page, form)
        case "start":
            return await _start(page, form, str(given.get("request_key") or ""))
        case _:
            return await _form(page, form)


@router.post("/jobs/preview")
async def preview(page: Annotated[Page, Depends(allowed(CREATE))]) -> HTMLResponse:
    """The Python and the shell commands that equal the form as it is filled in."""
    form = JobForm.read(await page.request.form(max_files=0))
    return page.render("jobs/_equal.html", **_equal(form))


async def _start(page: Page, form: JobForm, request_key: str) -> Response:
    try:
        params = form.params()
        digest = hashlib.sha256(params.model_dump_json().encode()).hexdigest()
        identity = RequestIdentity(f"console-{request_key[:200]}", digest) if request_key else None
        async with page.database.write(last=True) as session:
            account_id = page.caller.account_id
            made = await (await api.new_job(page.caller, identity)).claim(session)
            if not made.is_repeat:
                await page.parts.get(JobService).create(session, account_id, params, job_id=made.id)
    except LoopyardError as error:
        return await _form(page, form, error)
    return page.redirect(f"/console/jobs/{made.id}", note="The job is started.")


async def _form(page: Page, form: JobForm, error: LoopyardError | None = None) -> HTMLResponse:
    query = PageQuery(_OFFERED, include_total_count=False)
    account_id = page.caller.account_id
    offered: list[tuple[str, str]] = []
    names: list[str] = []
    async with page.database.read() as session:
        if page.may(BENCHMARKS):
            for owner in (account_id, None):
                found = await BenchmarkRepository(session).list_page(owner, BenchmarkFilters(), query)
                offered += [(one.id, one.name) for one in found.items if one.id not in dict(offered)]
        if page.may(SECRETS):
            names = [one.name for one in (await SecretRepository(session).list_page(account_id, query)).items]
    return page.render(
        "jobs/new.html",
        http_status=200 if error is None else error.status,
        form=form,
        problem=None if error is None else error.message,
        benchmarks=offered,
        kinds=sorted(page.parts.get(JobService).kinds.values(), key=lambda kind: kind.name),
        secrets=names,
        request_key=random.token_urlsafe(16),
        **_equal(form),
    )


def _equal(form: JobForm) -> dict[str, Any]:
    try:
        return {"equal": equal_of(form.request()), "missing": None}
    except BadRequest as error:
        return {"equal": None, "missing": error.message}


@router.get("/jobs/{id}")
async def detail(id: ShortText, page: Annotated[Page, Depends(allowed(RETRIEVE))], first: _First = 0) -> HTMLResponse:
    """Page of a job, with a page of its grid."""
    shown = await _shown(page, id, first)
    return page.render("jobs/detail.html", first=first, **shown)


@router.post("/jobs/{id}/again")
async def again(id: ShortText, page: Annotated[Page, Depends(allowed(CREATE))]) -> RedirectResponse:
    """Start another job of the same specification."""
    jobs, account_id = page.parts.get(JobService), page.caller.account_id
    async with page.database.write(last=True) as session:
        before = await jobs.get(session, account_id, id)
        job = await jobs.create(session, account_id, params_of(before), job_id=new_id("bmj"))
    return page.redirect(f"/console/jobs/{job.id}", note=f"This job was started anew after {id}.")


@router.get("/jobs/{id}/live")
async def live(id: ShortText, page: Annotated[Page, Depends(allowed(RETRIEVE))], first: _First = 0) -> MessageStream:
    """The progress and the grid of a job, whenever they change."""
    async with page.database.read() as session:
        job = await page.parts.get(JobService).get(session, page.caller.account_id, id)

    async def render() -> str:
        return page.html("jobs/_grid.html", **await _shown(page, job.id, first))

    return page.live(Fragment("grid", ("job", job.id, first), render, lambda key: key == job.id, _FALLBACK_SECONDS))


async def _shown(page: Page, job_id: str, first: int) -> dict[str, Any]:
    async with page.database.read() as session:
        job = await page.parts.get(JobService).get(session, page.caller.account_id, job_id)
        # What came of a job that has trials is in them.
        view = viewing.head(job) if job.spec is not None else await viewing.view(session, job)
        grid = await grid_of(session, job, view.benchmark_outcomes or [], first)
    after = first + grid.step
    return {
        "job": view,
        "end_time_ms": job.end_time_ms,
        "grid": grid,
        "legend": LEGEND,
        "is_live": view.state in UNFINISHED,
        "before": max(0, first - grid.step) if first > 0 else None,
        "after": after if after < grid.total else None,
    }


async def _hits(session: AsyncSession, page: Page, text: str, few: PageQuery) -> list[Hit]:
    found = await BenchmarkJobRepository(session).list_page(page.caller.account_id, JobFilters(search=text), few)
    return [Hit("job", one.name, f"/jobs/{one.id}", f"{one.state} {one.id}") for one in found.items]


FAMILY = Family(
    router,
    navigation=(Entry("Evaluation", "Jobs", "/jobs", LIST),),
    links={"bmj": "/jobs/"},
    find=finder(LIST, _hits),
)
