from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import ID, Base, ForeignId, PrimaryId


class UpstreamGrant(Base):
    """Grant: an upstream that a devbox may call, and with which secret. It goes when the devbox ends."""

    __tablename__ = "upstream_grant"
    __table_args__ = (
        Index("ix_upstream_grant_devbox_id", "devbox_id"),
        Index("ix_upstream_grant_config_id", "config_id"),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    devbox_id: Mapped[ForeignId]
    kind: Mapped[str] = mapped_column(String(16))
    """`gateway` or `mcp`."""
    variable: Mapped[str | None]
    """Name of the devbox's variables; None for a token that was made for a running devbox."""
    config_id: Mapped[ForeignId]
    secret_id: Mapped[ForeignId]
    create_time_ms: Mapped[int]


class UpstreamToken(Base):
    """A token of a devbox. It goes when the devbox ends."""

    __tablename__ = "upstream_token"
    __table_args__ = (Index("ix_upstream_token_devbox_id", "devbox_id"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The SHA-256 of the token, which is kept nowhere."""
    devbox_id: Mapped[ForeignId]
    kind: Mapped[str] = mapped_column(String(16))
    grant_id: Mapped[str | None] = mapped_column(ID)
    """The one grant that it stands for; None for all that the devbox was made with, of its kind."""
    create_time_ms: Mapped[int]
