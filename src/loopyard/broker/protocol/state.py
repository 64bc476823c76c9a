"""The state of a conversation with an agent, as it is stored between two steps."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Turn:
    """A turn that the agent is in."""

    id: str
    sequence: int
    """The event that started it."""


@dataclass(slots=True)
class Question:
    """A request of the agent that a client may answer; `default` is the frame that is sent if none does in time."""

    id: Any
    event_type: str
    due_ms: int
    default: dict[str, Any]


@dataclass(slots=True)
class State:
    """All that is known of a conversation. JSON holds it."""

    turn: Turn | None = None
    waiting: list[int] = field(default_factory=list[int])
    """Sequences of events that wait for the turn to end, in order."""
    next_id: int = 1
    """Number for the next request of the broker's own."""
    requests: dict[str, str] = field(default_factory=dict[str, str])
    """Requests that the agent has not answered: id to method."""
    questions: list[Question] = field(default_factory=list[Question])
    memory: dict[str, Any] = field(default_factory=dict[str, Any])
    """Facts by which a new process takes the session up again; each protocol's own."""
    resuming: bool = False
    """True while the session is being taken up again by a new process."""
    skipping: bool = False
    """True while the rest of a frame that is too large is being left out."""

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def load(cls, stored: dict[str, Any]) -> "State":
        values = dict(stored)
        values["turn"] = Turn(**values["turn"]) if values.get("turn") else None
        values["questions"] = [Question(**one) for one in values.get("questions", [])]
        return cls(**values)
