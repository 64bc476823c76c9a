"""How far a broker is: what its row says, in memory."""

from dataclasses import dataclass

from loopyard.broker.models import Broker
from loopyard.broker.protocol.base import AgentProtocol


@dataclass(slots=True)
class Progress:
    """The changing columns of `Broker`, but for the conversation's state."""

    cursor: int
    process: int
    start: int
    alive: bool
    stdout_offset: int
    stderr_offset: int
    next_frame: int

    @classmethod
    def of(cls, row: Broker) -> "Progress":
        return cls(
            row.cursor,
            row.process,
            row.start,
            row.alive,
            row.stdout_offset,
            row.stderr_offset,
            row.next_frame,
        )

    def begin_process(self, start: int) -> None:
        """Turn to a new process, whose output and frames are counted anew."""
        self.process += 1
        self.start, self.alive = start, True
        self.stdout_offset, self.stderr_offset, self.next_frame = 0, 0, 1

    def store(self, row: Broker, protocol: AgentProtocol) -> None:
        """Write all of it into the row."""
        row.cursor, row.process, row.start, row.alive = self.cursor, self.process, self.start, self.alive
        row.stdout_offset, row.stderr_offset = self.stdout_offset, self.stderr_offset
        row.next_frame = self.next_frame
        row.state = protocol.state.dump()
