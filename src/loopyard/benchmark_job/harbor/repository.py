"""SQL for jobs that Harbor carries out. They have no `job_spec`, and no trials of the server's own."""

from collections.abc import Sequence

from sqlalchemy import null, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark_job.models import BenchmarkJob


async def unfinished(session: AsyncSession) -> Sequence[str]:
    """The ids of those that are not over, oldest first."""
    job = BenchmarkJob
    statement = select(job.id).where(job.end_time_ms.is_(None), job.spec.is_(null())).order_by(job.id)
    return (await session.scalars(statement)).all()
