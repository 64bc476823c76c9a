from typing import Any

from sqlalchemy import JSON, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import Base, ForeignId, PrimaryId, StringMapColumn

_ACTIVE = text("status = 'active'")
_PUBLIC = text("is_public AND status = 'active'")


class Scenario(Base):
    __tablename__ = "scenario"
    __table_args__ = (
        Index("ix_scenario_active", "account_id", "id", sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
        Index("ix_scenario_public", "id", sqlite_where=_PUBLIC, postgresql_where=_PUBLIC),
        Index("ix_scenario_account_id_name_digest_id", "account_id", "name_digest", "id"),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    name: Mapped[str]
    name_digest: Mapped[str] = mapped_column(String(32))
    name_folded: Mapped[str]
    status: Mapped[str]
    is_public: Mapped[bool]
    input_context: Mapped[dict[str, Any]]
    environment: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    reference_output: Mapped[str | None]
    required_environment_variables: Mapped[list[Any]]
    required_secret_names: Mapped[list[Any]]
    scorer_timeout_sec: Mapped[int | None]
    """Seconds for each scoring function; None for the default."""
    validation_type: Mapped[str]
    metadata_: Mapped[StringMapColumn] = mapped_column("metadata")
    scoring_functions: Mapped[list[Any]]
    contract_digest: Mapped[str] = mapped_column(String(64))
    """Names the scoring functions as they are now; the key of the `ScoringContract` that runs are given."""
    create_time_ms: Mapped[int]


class BenchmarkScenario(Base):
    """Membership of a scenario in a benchmark, which has it once. Scenarios know of benchmarks only this."""

    __tablename__ = "benchmark_scenario"
    __table_args__ = (Index("ix_benchmark_scenario_position", "benchmark_id", "position"),)

    benchmark_id: Mapped[PrimaryId]
    scenario_id: Mapped[PrimaryId]
    position: Mapped[int]
    """Rises in the order in which the scenarios were named."""


class ScoringContract(Base):
    """The scoring functions that runs were started with. Never changed, so that a later change of the scenario does
    not change what its runs are scored by."""

    __tablename__ = "scoring_contract"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    functions: Mapped[list[Any]]
