from typing import Any

from sqlalchemy import JSON, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.blueprint.states import Status
from loopyard.store.base import ID, Base, ForeignId, PrimaryId, StringMapColumn
from loopyard.store.columns import EnumText

_SHOWN = text("state = 'created'")
_HELD = text("NOT reclaimed")


class Blueprint(Base):
    """A blueprint as the API knows it. Its image in the runtime has the same id."""

    __tablename__ = "blueprint"
    __table_args__ = (
        Index("ix_blueprint_account_id_id", "account_id", "id", sqlite_where=_SHOWN, postgresql_where=_SHOWN),
        Index("ix_blueprint_account_id_name_digest_id", "account_id", "name_digest", "id"),
        Index("ix_blueprint_held", "status", sqlite_where=_HELD, postgresql_where=_HELD),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    name: Mapped[str]
    name_digest: Mapped[str] = mapped_column(String(32))
    status: Mapped[Status] = mapped_column(EnumText(Status))
    state: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    """As they were given, without tokens and passwords."""
    base_blueprint_id: Mapped[str | None] = mapped_column(ID)
    metadata_: Mapped[StringMapColumn] = mapped_column("metadata")
    image: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Configuration of the image, as `ImageSettings`."""
    failure_reason: Mapped[str | None]
    create_time_ms: Mapped[int]
    build_finish_time_ms: Mapped[int | None]
    is_public: Mapped[bool] = mapped_column(default=False)
    reclaimed: Mapped[bool] = mapped_column(default=False)
    """True once the host holds nothing of the blueprint any more."""
