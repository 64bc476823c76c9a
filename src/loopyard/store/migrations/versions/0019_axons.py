"""Axons: event streams, their events, and the agents that they drive

Revision: 0019, after 0015.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")
_ACTIVE = sa.text("deleted_at_ms IS NULL")
_DELETED = sa.text("deleted_at_ms IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "axon",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("name_folded", sa.Text(), nullable=True),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_axon")),
    )
    with op.batch_alter_table("axon", schema=None) as batch_op:
        batch_op.create_index(
            "ix_axon_active", ["account_id", "id"], unique=False, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE
        )
        batch_op.create_index("ix_axon_deleted", ["id"], unique=False, sqlite_where=_DELETED, postgresql_where=_DELETED)
    op.create_table(
        "axon_metadata",
        sa.Column("axon_id", _ID, nullable=False),
        sa.Column("entry", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("axon_id", "entry", name=op.f("pk_axon_metadata")),
    )
    with op.batch_alter_table("axon_metadata", schema=None) as batch_op:
        batch_op.create_index("ix_axon_metadata_entry_axon_id", ["entry", "axon_id"], unique=False)
    op.create_table(
        "axon_event",
        sa.Column("axon_id", _ID, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.SmallInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("axon_id", "sequence", name=op.f("pk_axon_event")),
    )
    op.create_table(
        "broker",
        sa.Column("devbox_id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("axon_id", _ID, nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("agent_binary", sa.Text(), nullable=True),
        sa.Column("launch_args", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("working_directory", sa.Text(), nullable=False),
        sa.Column("wakes", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("process", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("alive", sa.Boolean(), nullable=False),
        sa.Column("stdout_offset", sa.BigInteger(), nullable=False),
        sa.Column("stderr_offset", sa.BigInteger(), nullable=False),
        sa.Column("next_frame", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("devbox_id", name=op.f("pk_broker")),
    )
    with op.batch_alter_table("broker", schema=None) as batch_op:
        batch_op.create_index("ix_broker_axon_id", ["axon_id"], unique=False)
    op.create_table(
        "broker_frame",
        sa.Column("devbox_id", _ID, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("frame", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("devbox_id", "number", name=op.f("pk_broker_frame")),
    )
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("has_broker", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.drop_column("has_broker")
    op.drop_table("broker_frame")
    op.drop_table("broker")
    op.drop_table("axon_event")
    op.drop_table("axon_metadata")
    op.drop_table("axon")
