"""Secrets and objects

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "secret",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.Column("update_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_secret_account_id_name")),
    )
    with op.batch_alter_table("secret", schema=None) as batch_op:
        batch_op.create_index("ix_secret_account_id_id", ["account_id", "id"], unique=False)
        batch_op.create_index("ix_secret_key_id", ["key_id"], unique=False)
    op.create_table(
        "object",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.Column("delete_after_time_ms", sa.BigInteger(), nullable=True),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("reclaimed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_object")),
    )
    public, kept = sa.text("is_public"), sa.text("NOT reclaimed")
    with op.batch_alter_table("object", schema=None) as batch_op:
        batch_op.create_index("ix_object_account_id_id", ["account_id", "id"], unique=False)
        batch_op.create_index("ix_object_public", ["id"], unique=False, sqlite_where=public, postgresql_where=public)
        batch_op.create_index(
            "ix_object_kept",
            ["state", "delete_after_time_ms"],
            unique=False,
            sqlite_where=kept,
            postgresql_where=kept,
        )
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("secrets", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("object_mounts", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("devbox", schema=None) as batch_op:
        batch_op.drop_column("object_mounts")
        batch_op.drop_column("secrets")
    op.drop_table("object")
    op.drop_table("secret")
