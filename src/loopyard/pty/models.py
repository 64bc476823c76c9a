from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import ID, Base, ForeignId


class PtyTunnel(Base):
    """A right to open terminals in one devbox, until the devbox ends. Only the token's SHA-256 is kept."""

    __tablename__ = "pty_tunnel"

    token_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    tunnel_key: Mapped[str] = mapped_column(String(64))
    devbox_id: Mapped[ForeignId] = mapped_column(ID, index=True)
    made_by: Mapped[str | None] = mapped_column(ID)
    """The API key that it was made with, and ends with."""
    create_time_ms: Mapped[int]
