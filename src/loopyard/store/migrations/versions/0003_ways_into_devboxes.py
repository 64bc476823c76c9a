"""Ways into devboxes: tunnels, SSH keys, terminals

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("devbox", sa.Column("tunnel", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("devbox", sa.Column("tunnel_key", sa.String(length=64), nullable=True))
    op.create_index("ix_devbox_tunnel_key", "devbox", ["tunnel_key"], unique=True)
    op.create_table(
        "ssh_key",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("devbox_id", _ID, nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_ssh_key")),
    )
    op.create_index(op.f("ix_ssh_key_devbox_id"), "ssh_key", ["devbox_id"])
    op.create_table(
        "pty_tunnel",
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("tunnel_key", sa.String(length=64), nullable=False),
        sa.Column("devbox_id", _ID, nullable=False),
        sa.Column("create_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_pty_tunnel")),
    )
    op.create_index(op.f("ix_pty_tunnel_devbox_id"), "pty_tunnel", ["devbox_id"])
