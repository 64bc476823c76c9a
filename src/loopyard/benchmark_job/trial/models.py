from sqlalchemy import Double, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.benchmark_job.trial.states import Result, Step
from loopyard.store.base import Base, ForeignId, PrimaryId
from loopyard.store.columns import EnumText

_WAITING = text("step = 'waiting'")
_UNDER_WAY = text("step IN ('starting', 'working', 'scoring')")


class Trial(Base):
    """Attempt of an agent at a scenario. A further attempt is a further row, so each of them is kept."""

    __tablename__ = "benchmark_job_trial"
    __table_args__ = (
        Index(
            "uq_benchmark_job_trial_number",
            *("job_id", "position", "scenario_position", "number"),
            unique=True,
        ),
        Index("ix_benchmark_job_trial_waiting", "job_id", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("ix_benchmark_job_trial_under_way", "id", sqlite_where=_UNDER_WAY, postgresql_where=_UNDER_WAY),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    job_id: Mapped[ForeignId]
    benchmark_run_id: Mapped[ForeignId]
    position: Mapped[int]
    """Which of the job's agent configurations it is of, from 0."""
    scenario_position: Mapped[int]
    """Which of the job's scenarios it is of, from 0."""
    number: Mapped[int]
    """Counts the attempts at the same scenario by the same agent, from 0, for whatever reason they were made."""
    scenario_id: Mapped[ForeignId]
    scenario_name: Mapped[str]
    step: Mapped[Step] = mapped_column(EnumText(Step, 16))
    not_before_ms: Mapped[int]
    """When it may be started."""
    timeout_seconds: Mapped[float] = mapped_column(Double)
    """How long the agent may work."""
    agent_failures: Mapped[int]
    """How many attempts before this one failed by the agent's own fault."""
    infrastructure_failures: Mapped[int]
    """How many attempts before this one the infrastructure broke, since the last that was the agent's fault."""
    scenario_run_id: Mapped[ForeignId | None]
    devbox_id: Mapped[ForeignId | None]
    result: Mapped[Result | None] = mapped_column(EnumText(Result, 16))
    final: Mapped[bool]
    """True if it is the attempt that counts: it has ended and no further attempt follows."""
    fault: Mapped[str | None] = mapped_column(String(16))
    exception_type: Mapped[str | None]
    exception_message: Mapped[str | None]
    score: Mapped[float | None] = mapped_column(Double)
    agent_exit_status: Mapped[int | None]
    create_time_ms: Mapped[int]
    start_time_ms: Mapped[int | None]
    ready_time_ms: Mapped[int | None]
    """When the devbox could be used."""
    agent_end_time_ms: Mapped[int | None]
    end_time_ms: Mapped[int | None]
