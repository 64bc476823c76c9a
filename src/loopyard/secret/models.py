from sqlalchemy import Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.store.base import Base, ForeignId, PrimaryId


class Secret(Base):
    __tablename__ = "secret"
    __table_args__ = (
        UniqueConstraint("account_id", "name"),
        Index("ix_secret_account_id_id", "account_id", "id"),
        Index("ix_secret_key_id", "key_id"),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    name: Mapped[str] = mapped_column(String(255))
    sealed: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    """The value as `Vault` seals it."""
    key_id: Mapped[str] = mapped_column(String(16))
    """The key that it is sealed with."""
    create_time_ms: Mapped[int]
    update_time_ms: Mapped[int]


class HeldToken(Base):
    """A token that somebody needs for a while only: to clone a repository, say. It is erased then."""

    __tablename__ = "held_token"
    __table_args__ = (Index("ix_held_token_key_id", "key_id"),)

    owner_id: Mapped[PrimaryId]
    place: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Purpose, among the owner's."""
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))

    @property
    def bound_to(self) -> str:
        """Associated data that the sealed value is bound to."""
        return f"{self.owner_id}/{self.place}"
