"""Snapshots; what devboxes are made of; suspended and evicted devboxes

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")
_FROM_SNAPSHOT = sa.text("snapshot_id IS NOT NULL")
_SHOWN = sa.text("status IN ('in_progress', 'complete')")
_HELD = sa.text("NOT reclaimed")


def upgrade() -> None:
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("code_mounts", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("entrypoint", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("snapshot_id", _ID, nullable=True))
        batch_op.add_column(sa.Column("starts", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("evict_at_ms", sa.BigInteger(), nullable=True))
        batch_op.create_index(
            "ix_devbox_snapshot_id",
            ["snapshot_id"],
            unique=False,
            sqlite_where=_FROM_SNAPSHOT,
            postgresql_where=_FROM_SNAPSHOT,
        )
    op.create_table(
        "snapshot",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("source_devbox_id", _ID, nullable=False),
        sa.Column("source_blueprint_id", _ID, nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("commit_message", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.Column("reclaimed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshot")),
    )
    with op.batch_alter_table("snapshot", schema=None) as batch_op:
        batch_op.create_index(
            "ix_snapshot_account_id_id",
            ["account_id", "id"],
            unique=False,
            sqlite_where=_SHOWN,
            postgresql_where=_SHOWN,
        )
        batch_op.create_index(
            "ix_snapshot_source_devbox_id_id",
            ["source_devbox_id", "id"],
            unique=False,
            sqlite_where=_SHOWN,
            postgresql_where=_SHOWN,
        )
        batch_op.create_index("ix_snapshot_held", ["status"], unique=False, sqlite_where=_HELD, postgresql_where=_HELD)
    op.create_table(
        "snapshot_metadata",
        sa.Column("snapshot_id", _ID, nullable=False),
        sa.Column("entry", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("snapshot_id", "entry", name=op.f("pk_snapshot_metadata")),
    )
    with op.batch_alter_table("snapshot_metadata", schema=None) as batch_op:
        batch_op.create_index("ix_snapshot_metadata_entry_snapshot_id", ["entry", "snapshot_id"], unique=False)


def downgrade() -> None:
    op.drop_table("snapshot_metadata")
    op.drop_table("snapshot")
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.drop_index("ix_devbox_snapshot_id", sqlite_where=_FROM_SNAPSHOT, postgresql_where=_FROM_SNAPSHOT)
        for column in ("evict_at_ms", "starts", "snapshot_id", "entrypoint", "code_mounts"):
            batch_op.drop_column(column)
