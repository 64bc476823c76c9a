from typing import Any

from sqlalchemy import JSON, Index
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import Base, ForeignId, PrimaryId


class Broker(Base):
    """An agent process of a devbox and the axon that drives it. All that a new server must know to go on is here."""

    __tablename__ = "broker"
    __table_args__ = (Index("ix_broker_axon_id", "axon_id"),)

    devbox_id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    axon_id: Mapped[ForeignId]
    protocol: Mapped[str]
    agent_binary: Mapped[str | None]
    launch_args: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    working_directory: Mapped[str]
    wakes: Mapped[bool]
    """True if an event resumes the devbox while it is suspended."""
    cursor: Mapped[int]
    """Sequence of the last event of the axon that was acted on, or is among `state.waiting`."""
    process: Mapped[int]
    """Number of the agent process, counted from 1 over the devbox's life; 0 before the first."""
    start: Mapped[int]
    """`Devbox.starts` when that process was started: it has ended if the devbox has come up since."""
    alive: Mapped[bool]
    """True if that process has not been seen to end."""
    stdout_offset: Mapped[int]
    stderr_offset: Mapped[int]
    """Bytes of the process's output that are published, or left out."""
    next_frame: Mapped[int]
    """Number of the next frame that the process is sent, from 1."""
    state: Mapped[dict[str, Any]]
    """`loopyard.broker.protocol.state.State`."""


class BrokerFrame(Base):
    """A frame for an agent process that may not have been delivered. Delivering it twice does nothing."""

    __tablename__ = "broker_frame"

    devbox_id: Mapped[PrimaryId]
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    frame: Mapped[str]
