from typing import Any

from sqlalchemy import JSON, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.benchmark_job.states import JobState
from loopyard.store.base import ID, Base, ForeignId, PrimaryId
from loopyard.store.columns import EnumText

_UNFINISHED = text("end_time_ms IS NULL")


class BenchmarkJob(Base):
    __tablename__ = "benchmark_job"
    __table_args__ = (
        Index("ix_benchmark_job_account_id_id", "account_id", "id"),
        Index("ix_benchmark_job_name", "account_id", "name_digest", "id"),
        Index("ix_benchmark_job_unfinished", "id", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    name: Mapped[str]
    name_digest: Mapped[str] = mapped_column(String(32))
    name_folded: Mapped[str]
    state: Mapped[JobState] = mapped_column(EnumText(JobState, 16))
    source: Mapped[dict[str, Any]]
    """Source that it was made of, as the wire's `job_source`."""
    spec: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Specification, as the wire's `job_spec`; None for a source that is no list of scenarios."""
    run_ids: Mapped[list[Any]]
    """A benchmark run for each agent configuration, in their order."""
    n_concurrent_trials: Mapped[int]
    out_of_time: Mapped[bool]
    """True if its time was over before its trials were."""
    failure_reason: Mapped[str | None]
    made_by: Mapped[str | None] = mapped_column(ID)
    """The key that it was made with, whose rights its scenario runs are started with."""
    create_time_ms: Mapped[int]
    deadline_ms: Mapped[int]
    end_time_ms: Mapped[int | None]


class BenchmarkJobOutcome(Base):
    """Outcome of one benchmark run of a job. Written when the run is over, and never changed."""

    __tablename__ = "benchmark_job_outcome"

    job_id: Mapped[PrimaryId]
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Which of the job's agent configurations it is of, from 0."""
    outcome: Mapped[dict[str, Any]]
    """As the wire's `BenchmarkOutcome`."""
