"""/v1/benchmark_jobs: making and finding jobs, which the server carries out by itself."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.benchmark_job import viewing
from loopyard.benchmark_job.repository import BenchmarkJobRepository, JobFilters
from loopyard.benchmark_job.schemas import BenchmarkJobListView, BenchmarkJobView
from loopyard.benchmark_job.service import JobService
from loopyard.benchmark_job.spec import BenchmarkJobCreateParams
from loopyard.kit.db.database import ReadSession, WriteSession
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageParams, cursor_of

router = APIRouter(prefix="/v1/benchmark_jobs", tags=["benchmark jobs"])

new_job = creation_of("benchmark_jobs.create", "bmj")
CreationDep = Annotated[Creation, Depends(new_job)]

ServiceDep = Annotated[JobService, Depends(part(JobService))]


async def _filters(
    name: Annotated[ShortText | None, Query(description="Only jobs of exactly this name.")] = None,
    search: Annotated[
        ShortText | None,
        Query(description="Only jobs whose id starts with this, or whose name holds it in upper or lower case."),
    ] = None,
) -> JobFilters:
    return JobFilters(name, search)


@router.post("", operation_id="benchmark_jobs.create")
async def create(
    params: BenchmarkJobCreateParams,
    caller: CallerDep,
    session: WriteSession,
    service: ServiceDep,
    creation: CreationDep,
) -> BenchmarkJobView:
    """Make a job: each of its agents is set to each of its scenarios, each in a devbox of its own, and scored."""
    made = await creation.claim(session)
    if made.is_repeat:
        return await viewing.view(session, await service.get(session, caller.account_id, made.id))
    return await viewing.view(session, await service.create(session, caller.account_id, params, job_id=made.id))


@router.get("", operation_id="benchmark_jobs.list")
async def list_jobs(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    filters: Annotated[JobFilters, Depends(_filters)],
) -> BenchmarkJobListView:
    """The account's jobs, newest first."""
    page = await BenchmarkJobRepository(session).list_page(caller.account_id, filters, cursor_of(page_query, "bmj"))
    views = await viewing.views(session, page.items)
    return BenchmarkJobListView(jobs=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/{id}", operation_id="benchmark_jobs.retrieve")
async def retrieve(id: ShortText, caller: CallerDep, session: ReadSession, service: ServiceDep) -> BenchmarkJobView:
    """Retrieve a benchmark job, with its trials in progress and its outcomes."""
    return await viewing.view(session, await service.get(session, caller.account_id, id))
