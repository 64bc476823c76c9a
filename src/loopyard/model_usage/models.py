from sqlalchemy import Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import Base, ForeignId, PrimaryId


class ModelUsage(Base):
    """Usage of one model at one upstream by one devbox, added up."""

    __tablename__ = "model_usage"

    devbox_id: Mapped[PrimaryId]
    api: Mapped[str] = mapped_column(String(32), primary_key=True)
    host: Mapped[str] = mapped_column(String(255), primary_key=True)
    model: Mapped[str] = mapped_column(Text, primary_key=True)
    """As answers name it; empty where none did."""
    counted: Mapped[int]
    """Calls whose tokens are known. Each call is one of these four."""
    cut_off: Mapped[int]
    untold: Mapped[int]
    failed: Mapped[int]
    unpriced: Mapped[int]
    """Of those with tokens, how many have no price."""
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cache_read_tokens: Mapped[int]
    cache_write_tokens: Mapped[int]
    reasoning_tokens: Mapped[int]
    nano_usd: Mapped[int]


class ModelCall(Base):
    """A call that goes on. Rows that a start finds are of calls that were cut off by the end of the server."""

    __tablename__ = "model_call"
    __table_args__ = (Index("ix_model_call_devbox_id", "devbox_id"),)

    id: Mapped[PrimaryId]
    devbox_id: Mapped[ForeignId]
    api: Mapped[str] = mapped_column(String(32))
    host: Mapped[str] = mapped_column(String(255))
    start_time_ms: Mapped[int]


class ModelWishes(Base):
    """Budget and recording of a run's devbox, fixed when the run is started. Devboxes without a row have no budget, and
    are recorded as the server's setting says."""

    __tablename__ = "model_wishes"

    devbox_id: Mapped[PrimaryId]
    max_nano_usd: Mapped[int | None]
    max_tokens: Mapped[int | None]
    record: Mapped[bool | None]
    refused: Mapped[bool] = mapped_column(default=False, server_default=false())
    """True if a call was refused because of the budget."""
