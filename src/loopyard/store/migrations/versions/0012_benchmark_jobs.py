"""Benchmark jobs, their trials and outcomes

Revision: 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")


def _index(table: str, name: str, columns: list[str], where: str | None = None, *, unique: bool = False) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


_NUMBER: sa.Double[float] = sa.Double()


def upgrade() -> None:
    op.create_table(
        "benchmark_job",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_digest", sa.String(length=32), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("spec", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("run_ids", sa.JSON(), nullable=False),
        sa.Column("n_concurrent_trials", sa.BigInteger(), nullable=False),
        sa.Column("out_of_time", sa.Boolean(), nullable=False),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_time_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark_job")),
    )
    _index("benchmark_job", "ix_benchmark_job_account_id_id", ["account_id", "id"])
    _index("benchmark_job", "ix_benchmark_job_name", ["account_id", "name_digest", "id"])
    _index("benchmark_job", "ix_benchmark_job_unfinished", ["id"], "end_time_ms IS NULL")

    op.create_table(
        "benchmark_job_outcome",
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f("pk_benchmark_job_outcome")),
    )

    op.create_table(
        "benchmark_job_trial",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("benchmark_run_id", _ID, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("scenario_position", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("scenario_id", _ID, nullable=False),
        sa.Column("scenario_name", sa.Text(), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("timeout_seconds", _NUMBER, nullable=False),
        sa.Column("agent_failures", sa.BigInteger(), nullable=False),
        sa.Column("infrastructure_failures", sa.BigInteger(), nullable=False),
        sa.Column("scenario_run_id", _ID, nullable=True),
        sa.Column("devbox_id", _ID, nullable=True),
        sa.Column("result", sa.String(length=16), nullable=True),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("fault", sa.String(length=16), nullable=True),
        sa.Column("exception_type", sa.Text(), nullable=True),
        sa.Column("exception_message", sa.Text(), nullable=True),
        sa.Column("score", _NUMBER, nullable=True),
        sa.Column("agent_exit_status", sa.BigInteger(), nullable=True),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.Column("start_time_ms", sa.BigInteger(), nullable=True),
        sa.Column("ready_time_ms", sa.BigInteger(), nullable=True),
        sa.Column("agent_end_time_ms", sa.BigInteger(), nullable=True),
        sa.Column("end_time_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark_job_trial")),
    )
    _index(
        "benchmark_job_trial",
        "uq_benchmark_job_trial_number",
        ["job_id", "position", "scenario_position", "number"],
        unique=True,
    )
    _index("benchmark_job_trial", "ix_benchmark_job_trial_waiting", ["job_id", "id"], "step = 'waiting'")
    begun = "step IN ('starting', 'working', 'scoring')"
    _index("benchmark_job_trial", "ix_benchmark_job_trial_under_way", ["id"], begun)


def downgrade() -> None:
    op.drop_table("benchmark_job_trial")
    op.drop_table("benchmark_job_outcome")
    op.drop_table("benchmark_job")
