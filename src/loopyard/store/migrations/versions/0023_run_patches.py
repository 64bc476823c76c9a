"""Changes in the working directories of runs

Revision: 0023, after 0022.
"""

import sqlalchemy as sa
from alembic import op

from loopyard.store.base import ID

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scenario_run_patch",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("compressed", sa.LargeBinary(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("left_out", sa.BigInteger(), nullable=False),
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.JSON(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_scenario_run_patch")),
    )


def downgrade() -> None:
    op.drop_table("scenario_run_patch")
