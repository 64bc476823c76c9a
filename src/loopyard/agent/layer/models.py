from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import Base, PrimaryId


class AgentLayer(Base):
    """A disk with an agent installed on it, for devboxes to start from. The runtime's snapshot has the same id."""

    __tablename__ = "agent_layer"
    __table_args__ = (Index("ix_agent_layer_key", "key"),)

    id: Mapped[PrimaryId]
    key: Mapped[str] = mapped_column(String(64))
    """Stands for all that decides what is on it; several rows may have the same."""
    state: Mapped[str] = mapped_column(String(16))
    size_bytes: Mapped[int | None]
    create_time_ms: Mapped[int]
    used_time_ms: Mapped[int]
