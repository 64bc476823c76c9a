"""Keys with scopes, accounts that can be disabled and limited, and the keys that ways into devboxes were made with

Revision: 0020, after 0015.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("scopes", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("of_server", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column("made_by", _ID, nullable=True))
        batch_op.add_column(sa.Column("expires_at_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("last_used_ms", sa.BigInteger(), nullable=True))
        batch_op.create_index("ix_api_key_account_id_id", ["account_id", "id"], unique=False)
        batch_op.create_index("ix_api_key_revoked_at_ms", ["revoked_at_ms"], unique=False)
    # The one key that there was is the server's own; those to come are not.
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.alter_column("of_server", existing_type=sa.Boolean(), existing_nullable=False, server_default=None)
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("disabled_at_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("limits", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("changed_at_ms", sa.BigInteger(), nullable=True))
        batch_op.create_index("ix_account_changed_at_ms", ["changed_at_ms"], unique=False)
    op.add_column("devbox", sa.Column("tunnel_made_by", _ID, nullable=True))
    op.add_column("ssh_key", sa.Column("made_by", _ID, nullable=True))
    op.add_column("pty_tunnel", sa.Column("made_by", _ID, nullable=True))
    op.add_column("benchmark_job", sa.Column("made_by", _ID, nullable=True))
    op.add_column("object", sa.Column("uploaded_bytes", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for table, column in (
        ("object", "uploaded_bytes"),
        ("benchmark_job", "made_by"),
        ("pty_tunnel", "made_by"),
        ("ssh_key", "made_by"),
        ("devbox", "tunnel_made_by"),
    ):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(column)
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_index("ix_account_changed_at_ms")
        for column in ("changed_at_ms", "limits", "disabled_at_ms"):
            batch_op.drop_column(column)
    op.execute("DELETE FROM api_key WHERE NOT of_server OR revoked_at_ms IS NOT NULL")
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.drop_index("ix_api_key_revoked_at_ms")
        batch_op.drop_index("ix_api_key_account_id_id")
        for column in ("last_used_ms", "revoked_at_ms", "expires_at_ms", "made_by", "of_server", "scopes", "name"):
            batch_op.drop_column(column)
