"""Settings of images, services, and tokens that are kept sealed

Revision: 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "held_token",
        sa.Column("owner_id", _ID, nullable=False),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "place", name=op.f("pk_held_token")),
    )
    with op.batch_alter_table("held_token", schema=None) as batch_op:
        batch_op.create_index("ix_held_token_key_id", ["key_id"], unique=False)
    with op.batch_alter_table("blueprint", schema=None) as batch_op:
        batch_op.add_column(sa.Column("image", sa.JSON(), nullable=True))
        batch_op.drop_column("tokens")
        batch_op.drop_column("image_user")
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("image", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("services", sa.JSON(), nullable=True))
    with op.batch_alter_table("snapshot", schema=None) as batch_op:
        batch_op.add_column(sa.Column("image", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("snapshot", schema=None) as batch_op:
        batch_op.drop_column("image")
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.drop_column("services")
        batch_op.drop_column("image")
    with op.batch_alter_table("blueprint", schema=None) as batch_op:
        batch_op.add_column(sa.Column("image_user", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("tokens", sa.JSON(), nullable=True))
        batch_op.drop_column("image")
    op.drop_table("held_token")
