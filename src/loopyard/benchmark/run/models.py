from typing import Any

from sqlalchemy import JSON, Double, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.benchmark.run.states import State
from loopyard.store.base import Base, ForeignId, PrimaryId, StringMapColumn
from loopyard.store.columns import EnumText

_OF_BENCHMARK = text("benchmark_id IS NOT NULL")
_NAMED = text("name_digest IS NOT NULL")
_ENDING = text("ending")


class BenchmarkRun(Base):
    """A run. Its scenario runs name it in their `benchmark_run_id`."""

    __tablename__ = "benchmark_run"
    __table_args__ = (
        # Every list is one walk of one of these, newest first: what it is filtered by, then the id.
        Index("ix_benchmark_run_account_id_id", "account_id", "id"),
        Index("ix_benchmark_run_account_id_state_id", "account_id", "state", "id"),
        Index(
            "ix_benchmark_run_benchmark",
            *("account_id", "benchmark_id", "id"),
            sqlite_where=_OF_BENCHMARK,
            postgresql_where=_OF_BENCHMARK,
        ),
        Index(
            "ix_benchmark_run_benchmark_state",
            *("account_id", "benchmark_id", "state", "id"),
            sqlite_where=_OF_BENCHMARK,
            postgresql_where=_OF_BENCHMARK,
        ),
        Index(
            "ix_benchmark_run_name",
            *("account_id", "name_digest", "id"),
            sqlite_where=_NAMED,
            postgresql_where=_NAMED,
        ),
        Index("ix_benchmark_run_ending", "id", sqlite_where=_ENDING, postgresql_where=_ENDING),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    benchmark_id: Mapped[ForeignId | None]
    """None for a run that a job made of scenarios that no benchmark groups."""
    scenario_ids: Mapped[list[Any]]
    """The scenarios that were to be run when it was started; later changes of the benchmark do not count."""
    name: Mapped[str | None]
    name_digest: Mapped[str | None] = mapped_column(String(32))
    name_folded: Mapped[str | None]
    state: Mapped[State] = mapped_column(EnumText(State, 16))
    ending: Mapped[bool]
    """True if it is over, but some of its scenario runs may still have to be canceled."""
    metadata_: Mapped[StringMapColumn] = mapped_column("metadata")
    purpose: Mapped[str | None]
    environment_variables: Mapped[StringMapColumn]
    secrets_provided: Mapped[StringMapColumn]
    """Environment variable to the name of the secret in it; never a secret's value."""
    run_profile: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The launch parameters and mounts that its scenario runs inherit, without tokens, which are held elsewhere; erased
    when it is over."""
    score: Mapped[float | None] = mapped_column(Double)
    failure_reason: Mapped[str | None]
    """Why it ended as `failed`, for people to read."""
    start_time_ms: Mapped[int]
    duration_ms: Mapped[int | None]
