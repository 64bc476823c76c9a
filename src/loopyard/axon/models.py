from sqlalchemy import Index, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import ID, Base, ForeignId, PrimaryId, StringMapColumn

_ACTIVE = text("deleted_at_ms IS NULL")
_DELETED = text("deleted_at_ms IS NOT NULL")


class Axon(Base):
    """An event stream. Its row is locked by whoever appends to it, which makes its sequences contiguous."""

    __tablename__ = "axon"
    __table_args__ = (
        Index("ix_axon_active", "account_id", "id", sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
        Index("ix_axon_deleted", "id", sqlite_where=_DELETED, postgresql_where=_DELETED),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    name: Mapped[str | None]
    name_folded: Mapped[str | None]
    metadata_: Mapped[StringMapColumn] = mapped_column("metadata")
    last_sequence: Mapped[int]
    """Sequence of the newest event, which is also the number of events; 0 before the first."""
    created_at_ms: Mapped[int]
    deleted_at_ms: Mapped[int | None]


class AxonMetadata(Base):
    """Index of axons by their metadata."""

    __tablename__ = "axon_metadata"
    __table_args__ = (Index("ix_axon_metadata_entry_axon_id", "entry", "axon_id"),)

    axon_id: Mapped[PrimaryId]
    entry: Mapped[str] = mapped_column(String(32), primary_key=True)
    """`loopyard.kit.lists.metadata.entry` of a key and its value."""


class AxonEvent(Base):
    """Event of an axon. The payload stands last, so that SQLite reads the other columns without it."""

    __tablename__ = "axon_event"

    axon_id: Mapped[str] = mapped_column(ID, primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    timestamp_ms: Mapped[int]
    origin: Mapped[int] = mapped_column(SmallInteger)
    """`loopyard.axon.event.origins.Origin`."""
    size: Mapped[int]
    """Bytes of the payload in UTF-8."""
    event_type: Mapped[str]
    source: Mapped[str]
    payload: Mapped[str]
