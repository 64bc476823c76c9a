from sqlalchemy.orm import Mapped

from loopyard.store.base import Base, PrimaryId


class Account(Base):
    __tablename__ = "account"

    id: Mapped[PrimaryId]
    name: Mapped[str]
    create_time_ms: Mapped[int]
