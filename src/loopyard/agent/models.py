from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import ID, Base, ForeignId, PrimaryId


class Agent(Base):
    """An agent as the API knows it. It never changes: another version is another agent of the same name."""

    __tablename__ = "agent"
    __table_args__ = (
        Index("ix_agent_account_id_id", "account_id", "id"),
        Index("ix_agent_account_id_name_digest_id", "account_id", "name_digest", "id"),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[str | None] = mapped_column(ID)
    """None for those that come with Loopyard, which are public."""
    is_public: Mapped[bool]
    name: Mapped[str]
    name_digest: Mapped[str] = mapped_column(String(32))
    name_folded: Mapped[str]
    version: Mapped[str | None]
    source: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """As the wire's AgentSource."""
    create_time_ms: Mapped[int]


class DevboxAgent(Base):
    """An agent in a devbox, as it was when the devbox was made: the agent itself may be deleted."""

    __tablename__ = "devbox_agent"
    __table_args__ = (Index("ix_devbox_agent_account_id_name_digest", "account_id", "name_digest"),)

    devbox_id: Mapped[PrimaryId]
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 0, in the order in which they are installed."""
    account_id: Mapped[ForeignId]
    agent_id: Mapped[ForeignId]
    name: Mapped[str]
    name_digest: Mapped[str] = mapped_column(String(32))
    version: Mapped[str | None]
    source: Mapped[dict[str, Any]]
    agent_path: Mapped[str | None]
    content_type: Mapped[str | None]
    """Of the object that it comes from."""
