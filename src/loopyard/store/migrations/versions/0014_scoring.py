"""Whose fault a run's end was, and what its scoring leaves as it is

Revision: 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("scenario_run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("fault", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("system_as_left", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("scenario_run", schema=None) as batch_op:
        batch_op.drop_column("system_as_left")
        batch_op.drop_column("fault")
