"""Network policies

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "network_policy",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_digest", sa.String(length=32), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("allow_all", sa.Boolean(), nullable=False),
        sa.Column("allow_agent_gateway", sa.Boolean(), nullable=False),
        sa.Column("allow_devbox_to_devbox", sa.Boolean(), nullable=False),
        sa.Column("allow_mcp_gateway", sa.Boolean(), nullable=False),
        sa.Column("allow_runloop_mirrors", sa.Boolean(), nullable=False),
        sa.Column("allowed_cidrs", sa.JSON(), nullable=False),
        sa.Column("allowed_hostnames", sa.JSON(), nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.Column("update_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_policy")),
        sa.UniqueConstraint("account_id", "name_digest", name=op.f("uq_network_policy_account_id_name_digest")),
    )
    with op.batch_alter_table("network_policy", schema=None) as batch_op:
        batch_op.create_index("ix_network_policy_account_id_id", ["account_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("network_policy")
