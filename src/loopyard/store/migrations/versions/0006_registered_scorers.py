"""Registered scorers

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "registered_scorer",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("type_folded", sa.Text(), nullable=False),
        sa.Column("bash_script", sa.Text(), nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registered_scorer")),
    )
    op.create_index("ix_registered_scorer_account_id_id", "registered_scorer", ["account_id", "id"])
    op.create_index("uq_registered_scorer_type", "registered_scorer", ["account_id", "type"], unique=True)


def downgrade() -> None:
    op.drop_table("registered_scorer")
