from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped

from loopyard.store.base import Base, PrimaryId

_UNFINISHED = text("status <> 'completed'")
_IN_SHELL = text("shell_name IS NOT NULL")


REQUEST = "request"
"""The key in an execution's `spec` of the digest of the request that started it, if that can be repeated."""


class Execution(Base):
    """A command in a devbox. The runtime's command has the same id, and keeps the output."""

    __tablename__ = "execution"
    __table_args__ = (
        Index("ix_execution_unfinished", "id", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
        Index("ix_execution_devbox_id_end_time_ms", "devbox_id", "end_time_ms"),
        Index(
            "ix_execution_shell",
            "devbox_id",
            "shell_name",
            "shell_position",
            sqlite_where=_IN_SHELL,
            postgresql_where=_IN_SHELL,
        ),
    )

    devbox_id: Mapped[PrimaryId]
    id: Mapped[PrimaryId]
    purpose: Mapped[str]
    """`exec` for a caller's command, `launch` for one of `launch_commands` and the like, `entrypoint`, `suspend` for
    one of `suspend_commands`, `scoring` for a scorer's, `broker` for an agent that an axon drives."""
    command: Mapped[str]
    """The command as its author wrote it."""
    spec: Mapped[dict[str, Any]]
    """Command for the runtime (fields of `CommandSpec`), so that it can be asked again after a crash."""
    shell_name: Mapped[str | None]
    shell_position: Mapped[int | None]
    """Its place in the order in which its named shell runs commands; None without one."""
    status: Mapped[str]
    exit_status: Mapped[int | None]
    timed_out: Mapped[bool]
    lost: Mapped[bool]
    """True if the box or the host went down under it, so that `exit_status` is not the command's own word."""
    start_time_ms: Mapped[int]
    end_time_ms: Mapped[int | None]
