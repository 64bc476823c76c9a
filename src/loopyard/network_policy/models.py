from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.network_policy.networks import AllowedCidr
from loopyard.store.base import Base, ForeignId, PrimaryId
from loopyard.store.columns import PydanticType


class NetworkPolicy(Base):
    __tablename__ = "network_policy"
    __table_args__ = (
        UniqueConstraint("account_id", "name_digest"),
        Index("ix_network_policy_account_id_id", "account_id", "id"),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    name: Mapped[str]
    name_digest: Mapped[str] = mapped_column(String(32))
    name_folded: Mapped[str]
    description: Mapped[str | None]
    allow_all: Mapped[bool]
    allow_agent_gateway: Mapped[bool]
    allow_devbox_to_devbox: Mapped[bool]
    """As it was asked for; `allow_all` brings it about as well."""
    allow_mcp_gateway: Mapped[bool]
    allow_runloop_mirrors: Mapped[bool]
    allowed_cidrs: Mapped[list[AllowedCidr]] = mapped_column(PydanticType(list[AllowedCidr]))
    allowed_hostnames: Mapped[list[str]] = mapped_column(JSON)
    create_time_ms: Mapped[int]
    update_time_ms: Mapped[int]
