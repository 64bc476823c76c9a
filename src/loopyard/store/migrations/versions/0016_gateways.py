"""Gateways and the MCP hub

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")


def upgrade() -> None:
    _configurations("gateway_config", sa.Column("account_id", _ID, nullable=True))
    _configurations(
        "mcp_config",
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("allowed_tools", sa.JSON(), nullable=False),
    )
    op.create_table(
        "upstream_grant",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("devbox_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("variable", sa.Text(), nullable=True),
        sa.Column("config_id", _ID, nullable=False),
        sa.Column("secret_id", _ID, nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upstream_grant")),
    )
    with op.batch_alter_table("upstream_grant", schema=None) as batch_op:
        batch_op.create_index("ix_upstream_grant_devbox_id", ["devbox_id"], unique=False)
        batch_op.create_index("ix_upstream_grant_config_id", ["config_id"], unique=False)
    op.create_table(
        "upstream_token",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("devbox_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("grant_id", _ID, nullable=True),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_upstream_token")),
    )
    with op.batch_alter_table("upstream_token", schema=None) as batch_op:
        batch_op.create_index("ix_upstream_token_devbox_id", ["devbox_id"], unique=False)
    op.add_column("devbox", sa.Column("gateway_specs", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("devbox", sa.Column("mcp_specs", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("has_grants", sa.Boolean(), nullable=False, server_default=sa.false()))


def _configurations(table: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        table,
        sa.Column("id", _ID, nullable=False),
        *columns,
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_digest", sa.String(length=32), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("auth_mechanism", sa.JSON(), nullable=False),
        sa.Column("custom_headers", sa.JSON(), nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("account_id", "name_digest", name=op.f(f"uq_{table}_account_id_name_digest")),
    )
    with op.batch_alter_table(table, schema=None) as batch_op:
        batch_op.create_index(f"ix_{table}_account_id_id", ["account_id", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.drop_column("has_grants")
        batch_op.drop_column("mcp_specs")
        batch_op.drop_column("gateway_specs")
    for table in ("upstream_token", "upstream_grant", "mcp_config", "gateway_config"):
        op.drop_table(table)
