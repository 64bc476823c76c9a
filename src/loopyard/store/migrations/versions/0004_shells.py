"""The order of commands in named shells

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_IN_SHELL = sa.text("shell_name IS NOT NULL")


def upgrade() -> None:
    with op.batch_alter_table("execution", schema=None) as batch_op:
        batch_op.add_column(sa.Column("shell_position", sa.BigInteger(), nullable=True))
        batch_op.create_index(
            "ix_execution_shell",
            ["devbox_id", "shell_name", "shell_position"],
            unique=False,
            sqlite_where=_IN_SHELL,
            postgresql_where=_IN_SHELL,
        )


def downgrade() -> None:
    with op.batch_alter_table("execution", schema=None) as batch_op:
        batch_op.drop_index("ix_execution_shell", sqlite_where=_IN_SHELL, postgresql_where=_IN_SHELL)
        batch_op.drop_column("shell_position")
