from typing import Any

from sqlalchemy import JSON, Index
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import Base, PrimaryId


class Account(Base):
    __tablename__ = "account"
    __table_args__ = (Index("ix_account_changed_at_ms", "changed_at_ms"),)

    id: Mapped[PrimaryId]
    name: Mapped[str]
    create_time_ms: Mapped[int]
    disabled_at_ms: Mapped[int | None]
    """When the operator disabled it; None while it may be used."""
    limits: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Its own limits, in place of the server's; None where it has none of its own."""
    changed_at_ms: Mapped[int | None]
    """When it was last disabled, enabled or limited, so that running servers notice."""
