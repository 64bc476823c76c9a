"""Benchmarks and their runs

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")


def _index(table: str, name: str, columns: list[str], where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, unique=False, sqlite_where=condition, postgresql_where=condition)


_NUMBER: sa.Double[float] = sa.Double()


def upgrade() -> None:
    op.create_table(
        "benchmark",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_digest", sa.String(length=32), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("attribution", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("required_environment_variables", sa.JSON(), nullable=False),
        sa.Column("required_secret_names", sa.JSON(), nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark")),
    )
    _index("benchmark", "ix_benchmark_active", ["account_id", "id"], "status = 'active'")
    _index("benchmark", "ix_benchmark_public", ["id"], "is_public AND status = 'active'")
    _index("benchmark", "ix_benchmark_account_id_name_digest_id", ["account_id", "name_digest", "id"])

    op.create_table(
        "benchmark_scenario",
        sa.Column("benchmark_id", _ID, nullable=False),
        sa.Column("scenario_id", _ID, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("benchmark_id", "scenario_id", name=op.f("pk_benchmark_scenario")),
    )
    _index("benchmark_scenario", "ix_benchmark_scenario_position", ["benchmark_id", "position"])

    op.create_table(
        "benchmark_run",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("benchmark_id", _ID, nullable=True),
        sa.Column("scenario_ids", sa.JSON(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("name_digest", sa.String(length=32), nullable=True),
        sa.Column("name_folded", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("ending", sa.Boolean(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("environment_variables", sa.JSON(), nullable=False),
        sa.Column("secrets_provided", sa.JSON(), nullable=False),
        sa.Column("run_profile", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("score", _NUMBER, nullable=True),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("start_time_ms", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark_run")),
    )
    _index("benchmark_run", "ix_benchmark_run_account_id_id", ["account_id", "id"])
    _index("benchmark_run", "ix_benchmark_run_account_id_state_id", ["account_id", "state", "id"])
    of_benchmark, named = "benchmark_id IS NOT NULL", "name_digest IS NOT NULL"
    _index("benchmark_run", "ix_benchmark_run_benchmark", ["account_id", "benchmark_id", "id"], of_benchmark)
    columns = ["account_id", "benchmark_id", "state", "id"]
    _index("benchmark_run", "ix_benchmark_run_benchmark_state", columns, of_benchmark)
    _index("benchmark_run", "ix_benchmark_run_name", ["account_id", "name_digest", "id"], named)
    _index("benchmark_run", "ix_benchmark_run_ending", ["id"], "ending")


def downgrade() -> None:
    op.drop_table("benchmark_run")
    op.drop_table("benchmark_scenario")
    op.drop_table("benchmark")
