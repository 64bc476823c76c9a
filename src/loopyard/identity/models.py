"""Accounts and keys as they are stored."""

from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import ID, Base, ForeignId, PrimaryId


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


class ApiKey(Base):
    """A key, of which only the SHA-256 is kept."""

    __tablename__ = "api_key"
    __table_args__ = (
        Index("ix_api_key_account_id_id", "account_id", "id"),
        Index("ix_api_key_revoked_at_ms", "revoked_at_ms"),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str | None]
    scopes: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The rights of a restricted key, as `Scopes.dump`; None for a standard key, which may do everything."""
    of_server: Mapped[bool] = mapped_column(default=False)
    """True if it is the server's own key, which is kept in the data folder."""
    made_by: Mapped[str | None] = mapped_column(ID)
    """The key that it was made with; None for those made on the server's machine."""
    create_time_ms: Mapped[int]
    expires_at_ms: Mapped[int | None]
    revoked_at_ms: Mapped[int | None]
    last_used_ms: Mapped[int | None]
    """When it was last used, up to a minute late."""
