from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import Base, ForeignId, PrimaryId


class ApiKey(Base):
    """A key, of which only the SHA-256 is kept."""

    __tablename__ = "api_key"

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    create_time_ms: Mapped[int]
