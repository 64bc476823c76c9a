"""Events of devboxes, for their logs

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "devbox_event",
        sa.Column("devbox_id", _ID, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("devbox_id", "id", name=op.f("pk_devbox_event")),
    )


def downgrade() -> None:
    op.drop_table("devbox_event")
