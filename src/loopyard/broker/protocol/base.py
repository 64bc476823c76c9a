"""The common part of all protocols: turns, questions, and what is to be published and sent."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import orjson

from loopyard.axon.event.origins import Origin
from loopyard.broker.protocol.state import Question, State, Turn
from loopyard.kit.clock import now_ms
from loopyard.kit.ids import new_id

PERMISSION_MS = 10_000
"""Time that a client has to answer a request for permission; then it is granted."""

QUESTION_MS = 60_000
"""Time that a client has to answer any other request of the agent; then the agent gets an error."""

SHOWN_CHARACTERS = 2000
"""Length to which foreign text is cut in events about faults."""

Frame = dict[str, Any]

_METHOD = re.compile(r'"method"\s*:')
_ID = re.compile(r'^\s*\{(?:\s*"jsonrpc"\s*:\s*"2\.0"\s*,)?\s*"id"\s*:\s*(\d+|"[^"\\]*")\s*,')
"""A request's id, where it stands at the start of its frame."""


@dataclass(frozen=True, slots=True)
class Input:
    """An event of the axon that is meant for the agent. `payload` is its JSON, None if it is none."""

    sequence: int
    event_type: str
    payload: Any

    @property
    def fields(self) -> dict[str, Any] | None:
        """The payload, if it is a JSON object."""
        payload: object = self.payload
        return cast("dict[str, Any]", payload) if isinstance(payload, dict) else None


@dataclass(frozen=True, slots=True)
class Output:
    """An event to be published. `payload` is JSON text."""

    origin: Origin
    event_type: str
    payload: str


class AgentProtocol(ABC):
    """Conversation with an agent. Each step changes `state` and adds to `frames` and `outputs`; the caller stores all
    of that at once and then empties both."""

    default_binary: ClassVar[str]
    default_args: ClassVar[tuple[str, ...]] = ()
    fixed_args: ClassVar[tuple[str, ...]] = ()
    envelope: ClassVar[dict[str, str]] = {}
    """Fields of every frame of the broker's own."""
    turn_methods: ClassVar[tuple[str, ...]] = ()
    """Requests that stand for a whole turn."""

    def __init__(self, devbox_id: str, state: State) -> None:
        self.devbox_id = devbox_id
        self.state = state
        self.frames: list[str] = []
        self.outputs: list[Output] = []
        self.may_begin_turns = True

    @abstractmethod
    def take_input(self, event: Input) -> bool:
        """Act on an event. False if it has to wait, for a turn to end or for the session to be taken up again."""

    @abstractmethod
    def take_frame(self, frame: Frame, text: str) -> None:
        """Act on a frame of the agent."""

    @abstractmethod
    def resume(self) -> None:
        """Have a new process take up the session that an earlier one had, if there was one."""

    def arguments(self, binary: str | None, launch_args: Sequence[str] | None) -> list[str]:
        """The command line of the agent."""
        return [
            binary or self.default_binary,
            *self.fixed_args,
            *(self.default_args if launch_args is None else launch_args),
        ]

    def take_line(self, line: bytes) -> None:
        """Act on a line that the agent wrote."""
        if not line.strip():
            return
        try:
            frame: object = orjson.loads(line)
        except ValueError:
            self.tell_fault("invalid_output", f"The agent wrote a line that is no JSON: {_cut(line)}")
            return
        if not isinstance(frame, dict):
            self.tell_fault("invalid_output", f"The agent wrote a line that is no JSON object: {_cut(line)}")
            return
        self.take_frame(cast("dict[str, Any]", frame), line.decode().strip())

    def take_oversized(self, head: bytes, limit: int) -> None:
        """Act on a frame that is too large to be an event, of which only the start is known."""
        message = f"The agent wrote a frame of more than {limit} bytes; it was left out: {_cut(head[:200])}"
        self.tell_fault("frame_too_large", message)
        self.give_up_frame(head.decode(errors="replace"), message)

    def give_up_frame(self, head: str, message: str) -> None:
        """Go on without a frame of which only the start is known. This is for JSON-RPC: an answer that is missing ends
        the turn, since nobody knows what it answers; a request is answered with an error."""
        if _METHOD.search(head) is None:
            self.state.requests.clear()
            self.state.resuming = False
            self.fail_turn(message, "error")
        elif (found := _ID.search(head)) is not None:
            error = {"code": -32600, "message": message}
            self.send({**self.envelope, "id": orjson.loads(found[1]), "error": error})

    def begin_process(self) -> None:
        """Act on the start of a process; any turn of an earlier one is over."""
        self.end_process("The agent was stopped before the turn had ended.")
        self.resume()

    def end_process(self, reason: str) -> None:
        """Act on the end of the process."""
        self.fail_turn(reason, "error")
        for method in self.state.requests.values():
            if method in self.turn_methods:
                continue  # told as a turn
            self.tell_fault("unanswered", f"{reason} Its request {method} was not answered.")
        self.state.requests.clear()
        self.state.questions.clear()
        self.state.resuming = False
        self.state.skipping = False

    def answer_overdue(self, time_ms: int) -> None:
        """Answer the questions whose time has passed by their defaults."""
        for question in [one for one in self.state.questions if one.due_ms <= time_ms]:
            self.state.questions.remove(question)
            self.send(question.default)

    def begin_turn(self, sequence: int) -> None:
        self.state.turn = Turn(new_id("turn"), sequence)
        self.publish_system("turn.started", {"turn_id": self.state.turn.id})

    def complete_turn(self, stop_reason: str) -> None:
        if (turn := self.state.turn) is not None:
            self.state.turn = None
            self.publish_system("turn.completed", {"turn_id": turn.id, "stop_reason": stop_reason})

    def fail_turn(self, error: str, stop_reason: str) -> None:
        if (turn := self.state.turn) is not None:
            self.state.turn = None
            payload = {"turn_id": turn.id, "error": error, "stop_reason": stop_reason}
            self.publish_system("turn.failed", payload)

    @property
    def turn_must_wait(self) -> bool:
        return self.state.turn is not None or not self.may_begin_turns

    def next_id(self) -> int:
        number = self.state.next_id
        self.state.next_id += 1
        return number

    def ask_clients(self, request_id: Any, event_type: str, default: Frame, *, is_permission: bool) -> None:
        """Note a request of the agent, which has been published, and what it is answered if nobody does."""
        due = now_ms() + (PERMISSION_MS if is_permission else QUESTION_MS)
        self.state.questions.append(Question(request_id, event_type, due, default))

    def answered(self, request_id: Any) -> bool:
        """Note that a client answers a question; whether it was still open."""
        for question in self.state.questions:
            if question.id == request_id:
                self.state.questions.remove(question)
                return True
        return False

    def send(self, frame: Frame) -> None:
        self.frames.append(orjson.dumps(frame).decode())

    def publish_agent(self, event_type: str, payload: Any) -> None:
        """Publish what the agent said; text is taken as JSON that it wrote itself."""
        text = payload if isinstance(payload, str) else orjson.dumps(payload).decode()
        self.outputs.append(Output(Origin.AGENT_EVENT, event_type or "unknown", text))

    def publish_system(self, event_type: str, payload: Any) -> None:
        self.outputs.append(Output(Origin.SYSTEM_EVENT, event_type, orjson.dumps(payload).decode()))

    def tell_fault(self, kind: str, message: str) -> None:
        payload = {"devbox_id": self.devbox_id, "type": kind, "message": message[: 2 * SHOWN_CHARACTERS]}
        self.publish_system("agent.error", payload)

    def refuse(self, event: Input, reason: str) -> bool:
        """Tell that an event cannot be given to the agent; it is done with."""
        self.tell_fault("invalid_event", f"Event {event.sequence} ({event.event_type[:200]}): {reason}")
        return True


def fields_of(value: object) -> dict[str, Any]:
    """A JSON object's fields; none of anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _cut(line: bytes) -> str:
    return line[:SHOWN_CHARACTERS].decode(errors="replace").replace("\x00", "")
