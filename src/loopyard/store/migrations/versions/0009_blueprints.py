"""Blueprints, and devboxes made from them

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")
_SHOWN = sa.text("state = 'created'")
_HELD = sa.text("NOT reclaimed")
_FROM_BLUEPRINT = sa.text("blueprint_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "blueprint",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_digest", sa.String(length=32), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("tokens", sa.JSON(), nullable=True),
        sa.Column("base_blueprint_id", _ID, nullable=True),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("image_user", sa.JSON(), nullable=True),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.Column("build_finish_time_ms", sa.BigInteger(), nullable=True),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("reclaimed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blueprint")),
    )
    with op.batch_alter_table("blueprint", schema=None) as batch_op:
        batch_op.create_index(
            "ix_blueprint_account_id_id",
            ["account_id", "id"],
            unique=False,
            sqlite_where=_SHOWN,
            postgresql_where=_SHOWN,
        )
        batch_op.create_index(
            "ix_blueprint_account_id_name_digest_id", ["account_id", "name_digest", "id"], unique=False
        )
        batch_op.create_index("ix_blueprint_held", ["status"], unique=False, sqlite_where=_HELD, postgresql_where=_HELD)
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("blueprint_id", _ID, nullable=True))
        batch_op.create_index(
            "ix_devbox_blueprint_id",
            ["blueprint_id"],
            unique=False,
            sqlite_where=_FROM_BLUEPRINT,
            postgresql_where=_FROM_BLUEPRINT,
        )


def downgrade() -> None:
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.drop_index("ix_devbox_blueprint_id")
        batch_op.drop_column("blueprint_id")
    op.drop_table("blueprint")
