from typing import Any

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import Base, ForeignId, PrimaryId, StringMapColumn

_ACTIVE = text("status = 'active'")
_PUBLIC = text("is_public AND status = 'active'")


class Benchmark(Base):
    __tablename__ = "benchmark"
    __table_args__ = (
        Index("ix_benchmark_active", "account_id", "id", sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
        Index("ix_benchmark_public", "id", sqlite_where=_PUBLIC, postgresql_where=_PUBLIC),
        Index("ix_benchmark_account_id_name_digest_id", "account_id", "name_digest", "id"),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    name: Mapped[str]
    name_digest: Mapped[str] = mapped_column(String(32))
    name_folded: Mapped[str]
    status: Mapped[str]
    is_public: Mapped[bool]
    attribution: Mapped[str | None]
    description: Mapped[str | None]
    metadata_: Mapped[StringMapColumn] = mapped_column("metadata")
    required_environment_variables: Mapped[list[Any]]
    required_secret_names: Mapped[list[Any]]
    create_time_ms: Mapped[int]
