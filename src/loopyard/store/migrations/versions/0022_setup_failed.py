"""Record of runs whose scenario's own setup failed

Revision: 0022, after 0021.

Runs that ended before are judged here for the last time: their devbox never ran, and did not fail by the host.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_JUDGE_OLD_RUNS = """
UPDATE scenario_run SET setup_failed = true WHERE state = 'failed' AND devbox_id IN (
    SELECT id FROM devbox
    WHERE failure_reason IN ('execution_failed', 'out_of_memory', 'out_of_disk')
    AND CAST(state_transitions AS TEXT) NOT LIKE '%"running"%'
)
"""


def upgrade() -> None:
    column = sa.Column("setup_failed", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("scenario_run", column)
    op.execute(_JUDGE_OLD_RUNS)


def downgrade() -> None:
    with op.batch_alter_table("scenario_run", schema=None) as batch_op:
        batch_op.drop_column("setup_failed")
