from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import ID, Base, ForeignId


class SshKey(Base):
    """A key that opens one devbox. Only its public half's fingerprint is kept."""

    __tablename__ = "ssh_key"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    """As OpenSSH writes it: SHA256:…"""
    devbox_id: Mapped[ForeignId] = mapped_column(ID, index=True)
    made_by: Mapped[str | None] = mapped_column(ID)
    """The API key that it was made with, and ends with."""
    create_time_ms: Mapped[int]
