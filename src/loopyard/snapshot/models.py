from typing import Any

from sqlalchemy import JSON, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import ID, Base, ForeignId, PrimaryId, StringMapColumn

_HELD = text("NOT reclaimed")
_SHOWN = text("status IN ('in_progress', 'complete')")


class Snapshot(Base):
    """A devbox's disk at one moment. The runtime's snapshot has the same id."""

    __tablename__ = "snapshot"
    __table_args__ = (
        Index("ix_snapshot_account_id_id", "account_id", "id", sqlite_where=_SHOWN, postgresql_where=_SHOWN),
        Index(
            "ix_snapshot_source_devbox_id_id", "source_devbox_id", "id", sqlite_where=_SHOWN, postgresql_where=_SHOWN
        ),
        Index("ix_snapshot_held", "status", sqlite_where=_HELD, postgresql_where=_HELD),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    source_devbox_id: Mapped[ForeignId]
    source_blueprint_id: Mapped[str | None] = mapped_column(ID)
    name: Mapped[str | None]
    metadata_: Mapped[StringMapColumn] = mapped_column("metadata")
    commit_message: Mapped[str | None]
    status: Mapped[str]
    error_message: Mapped[str | None]
    size_bytes: Mapped[int | None]
    image: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Settings of the image below it, as the devbox has them."""
    create_time_ms: Mapped[int]
    reclaimed: Mapped[bool] = mapped_column(default=False)
    """True if the runtime holds nothing of it any more."""


class SnapshotMetadata(Base):
    """A snapshot's metadata once more, to find it by."""

    __tablename__ = "snapshot_metadata"
    __table_args__ = (Index("ix_snapshot_metadata_entry_snapshot_id", "entry", "snapshot_id"),)

    snapshot_id: Mapped[PrimaryId]
    entry: Mapped[str] = mapped_column(String(32), primary_key=True)
    """`loopyard.kit.lists.metadata.entry` of a key and its value."""
