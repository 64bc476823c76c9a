"""The executions that this process looks after, in memory: whoever waits for one need not ask the store."""

import asyncio
from dataclasses import dataclass, field

from loopyard.devbox.execution.models import Execution
from loopyard.devbox.execution.states import COMPLETED
from loopyard.kit.clock import now_ms
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import CommandResult

Key = tuple[str, str]
"""A devbox's id and an execution's."""


@dataclass(slots=True, eq=False)
class Live:
    """An execution that is not recorded as completed yet. `row` is a copy of the store's, or ahead of it by its end."""

    row: Execution
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the runtime knows the command, or never will."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    fault: RuntimeFault | None = None
    """Why it could not be started."""

    @property
    def key(self) -> Key:
        return self.row.devbox_id, self.row.id

    def end(self, result: CommandResult) -> None:
        self.row.status = COMPLETED
        self.row.exit_status = result.exit_status
        self.row.timed_out = result.timed_out
        self.row.lost = result.lost
        self.row.end_time_ms = now_ms()
        self.begun.set()
        self.ended.set()
