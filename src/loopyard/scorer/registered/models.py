from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import Base, ForeignId, PrimaryId


class RegisteredScorer(Base):
    __tablename__ = "registered_scorer"
    __table_args__ = (
        Index("ix_registered_scorer_account_id_id", "account_id", "id"),
        Index("uq_registered_scorer_type", "account_id", "type", unique=True),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    type: Mapped[str] = mapped_column(String(255))
    type_folded: Mapped[str]
    bash_script: Mapped[str]
    create_time_ms: Mapped[int]
