from sqlalchemy.orm import Mapped

from loopyard.store.base import Base, PrimaryId


class DevboxEvent(Base):
    """Something that happened to a devbox and is no command of anyone's; of those, the executions tell."""

    __tablename__ = "devbox_event"

    devbox_id: Mapped[PrimaryId]
    id: Mapped[PrimaryId]
    """In the order of time; or a name of what can happen only once."""
    time_ms: Mapped[int]
    source: Mapped[str]
    """`files`, `stats`, `kmsg` or `setup_commands`, as on the wire."""
    level: Mapped[str]
    message: Mapped[str]
