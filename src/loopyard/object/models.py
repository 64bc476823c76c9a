from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import Base, ForeignId, PrimaryId, StringMapColumn

_KEPT = text("NOT reclaimed")
_PUBLIC = text("is_public")


class StorageObject(Base):
    """An object as the API knows it. Its content is in the store under the same id."""

    __tablename__ = "object"
    __table_args__ = (
        Index("ix_object_account_id_id", "account_id", "id"),
        Index("ix_object_public", "id", sqlite_where=_PUBLIC, postgresql_where=_PUBLIC),
        Index("ix_object_kept", "state", "delete_after_time_ms", sqlite_where=_KEPT, postgresql_where=_KEPT),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    name: Mapped[str]
    name_folded: Mapped[str]
    content_type: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    size_bytes: Mapped[int | None]
    uploaded_bytes: Mapped[int | None]
    """The size of what was uploaded and is not complete yet, where this server itself keeps it."""
    metadata_: Mapped[StringMapColumn] = mapped_column("metadata")
    create_time_ms: Mapped[int]
    delete_after_time_ms: Mapped[int | None]
    """When `ttl_ms` ends; None where it is kept until it is deleted."""
    is_public: Mapped[bool] = mapped_column(default=False)
    reclaimed: Mapped[bool] = mapped_column(default=False)
    """True if the store has nothing of it any more."""
