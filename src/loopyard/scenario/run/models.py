from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, LargeBinary, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import Base, ForeignId, PrimaryId, StringMapColumn

_SCORING = text("state = 'scoring'")
_IN_BENCHMARK = text("benchmark_run_id IS NOT NULL")
_NAMED = text("name_digest IS NOT NULL")
_LOOSE = text("NOT folded")


class ScenarioRun(Base):
    """A run. Change `state` only by `repository.move`, which keeps the counts right."""

    __tablename__ = "scenario_run"
    __table_args__ = (
        # Every list is one walk of one of these, newest first: what it is filtered by, then the id.
        Index("ix_scenario_run_account_id_id", "account_id", "id"),
        Index("ix_scenario_run_account_id_state_id", "account_id", "state", "id"),
        Index("ix_scenario_run_account_id_scenario_id_id", "account_id", "scenario_id", "id"),
        Index("ix_scenario_run_account_id_scenario_id_state_id", "account_id", "scenario_id", "state", "id"),
        Index(
            "ix_scenario_run_benchmark_run",
            *("account_id", "benchmark_run_id", "id"),
            sqlite_where=_IN_BENCHMARK,
            postgresql_where=_IN_BENCHMARK,
        ),
        Index(
            "ix_scenario_run_benchmark_run_state",
            *("account_id", "benchmark_run_id", "state", "id"),
            sqlite_where=_IN_BENCHMARK,
            postgresql_where=_IN_BENCHMARK,
        ),
        Index(
            "ix_scenario_run_benchmark_run_scenario",
            *("account_id", "benchmark_run_id", "scenario_id", "id"),
            sqlite_where=_IN_BENCHMARK,
            postgresql_where=_IN_BENCHMARK,
        ),
        Index(
            "ix_scenario_run_name",
            *("account_id", "name_digest", "id"),
            sqlite_where=_NAMED,
            postgresql_where=_NAMED,
        ),
        Index(
            "ix_scenario_run_name_state",
            *("account_id", "name_digest", "state", "id"),
            sqlite_where=_NAMED,
            postgresql_where=_NAMED,
        ),
        Index("ix_scenario_run_scoring", "id", sqlite_where=_SCORING, postgresql_where=_SCORING),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    scenario_id: Mapped[ForeignId]
    devbox_id: Mapped[ForeignId]
    benchmark_run_id: Mapped[ForeignId | None]
    name: Mapped[str | None]
    name_digest: Mapped[str | None] = mapped_column(String(32))
    name_folded: Mapped[str | None]
    state: Mapped[str] = mapped_column(String(16))
    metadata_: Mapped[StringMapColumn] = mapped_column("metadata")
    purpose: Mapped[str | None]
    environment_variables: Mapped[StringMapColumn]
    secrets_provided: Mapped[StringMapColumn]
    """Environment variable to the name of the secret in it; never a secret's value."""
    contract_digest: Mapped[str] = mapped_column(String(64))
    """The scoring functions as they were when the run was started: key of a `ScoringContract`."""
    profile_digest: Mapped[str | None] = mapped_column(String(64))
    """Key of a `KeptRunProfile`: its profile beside variables, secrets and purpose."""
    working_directory: Mapped[str | None]
    scorer_timeout_sec: Mapped[int]
    scoring_key: Mapped[str | None] = mapped_column(String(32))
    """Drawn when scoring is asked for; names a folder in the box that nobody can have prepared."""
    scoring_contract_result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    failure_reason: Mapped[str | None]
    """Why it ended as `failed`, `timeout` or by its devbox, for people to read."""
    fault: Mapped[str | None] = mapped_column(String(16))
    """Whose fault a `failed` or `timeout` is: `model` or `infrastructure`."""
    setup_failed: Mapped[bool] = mapped_column(default=False, server_default=false())
    """True if its devbox never ran because a mount or launch command failed: the scenario is likely to be broken."""
    system_as_left: Mapped[bool] = mapped_column(default=False, server_default=false())
    """True if scoring leaves the system of the box as the agent did."""
    restore_report: Mapped[dict[str, Any] | None] = mapped_column("put_back", JSON(none_as_null=True))
    """Report on the system files restored before scoring: a `RestoreReport`."""
    start_time_ms: Mapped[int]
    duration_ms: Mapped[int | None]


class KeptRunProfile(Base):
    """Launch parameters, mounts and upstreams of the profiles of runs, without tokens. Never changed."""

    __tablename__ = "kept_run_profile"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    fields: Mapped[dict[str, Any]]
    missing: Mapped[list[Any]]
    """Parts that could not be kept, in words."""


class ScenarioRunPatch(Base):
    """Changes in the working directory of a run, from its start to its scoring, or to its end if it is not scored: a
    `FolderChanges`."""

    __tablename__ = "scenario_run_patch"

    run_id: Mapped[PrimaryId]
    compressed: Mapped[bytes] = mapped_column(LargeBinary)
    """The patch, by zlib."""
    files: Mapped[int]
    left_out: Mapped[int]
    added: Mapped[int]
    removed: Mapped[int]
    skipped: Mapped[list[Any]]
    complete: Mapped[bool]


class ScenarioRunName(Base):
    """Every name that an account's runs have, once: a free text search looks at these, not at every run."""

    __tablename__ = "scenario_run_name"

    account_id: Mapped[PrimaryId]
    digest: Mapped[str] = mapped_column(String(32), primary_key=True)
    folded: Mapped[str]


class ScenarioRunCount(Base):
    """How many runs there are. The sum of `n` over the rows of a key is the number of runs it stands for.

    Whatever changes the number adds rows and waits for nobody; from time to time the rows of a key are folded into one.
    """

    __tablename__ = "scenario_run_count"
    __table_args__ = (
        Index("ix_scenario_run_count_key", "account_id", "dimension", "key", "state", "n"),
        Index("ix_scenario_run_count_loose", "id", sqlite_where=_LOOSE, postgresql_where=_LOOSE),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    account_id: Mapped[ForeignId]
    dimension: Mapped[str] = mapped_column(String(16))
    key: Mapped[ForeignId]
    state: Mapped[str] = mapped_column(String(16))
    n: Mapped[int]
    folded: Mapped[bool]
