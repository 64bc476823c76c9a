from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import ID, Base, PrimaryId


class GatewayConfig(Base):
    __tablename__ = "gateway_config"
    __table_args__ = (
        UniqueConstraint("account_id", "name_digest"),
        Index("ix_gateway_config_account_id_id", "account_id", "id"),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[str | None] = mapped_column(ID)
    """None for the server's own, which every account has."""
    name: Mapped[str]
    name_digest: Mapped[str] = mapped_column(String(32))
    name_folded: Mapped[str]
    description: Mapped[str | None]
    endpoint: Mapped[str]
    auth_mechanism: Mapped[dict[str, Any]]
    custom_headers: Mapped[list[Any]] = mapped_column(JSON)
    create_time_ms: Mapped[int]
