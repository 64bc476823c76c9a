"""A conversation in memory."""

import json
from typing import Any

from loopyard.broker.protocol.base import AgentProtocol, Input
from loopyard.broker.protocol.registry import PROTOCOLS
from loopyard.broker.protocol.state import State


class Talk:
    """A protocol, of which each call gives what it did, as plain values. Between calls its state goes through JSON."""

    def __init__(self, protocol: str) -> None:
        self._kind = PROTOCOLS[protocol]
        self._state = State()
        self._sequence = 0
        self.rests = False

    @property
    def state(self) -> State:
        return State.load(json.loads(json.dumps(self._state.dump())))

    def hear(self, event_type: str, payload: object = None) -> tuple[bool, list[Any], list[tuple[str, Any]]]:
        """An event for the agent: whether it was taken, the frames to the agent, and what is published."""
        protocol = self._protocol()
        self._sequence += 1
        taken = protocol.take_input(Input(self._sequence, event_type, payload))
        return taken, *self._done(protocol)

    def say(self, frame: object) -> tuple[list[Any], list[tuple[str, Any]]]:
        """A frame of the agent: the frames to it, and what is published."""
        protocol = self._protocol()
        protocol.take_line(frame if isinstance(frame, bytes) else json.dumps(frame).encode())
        return self._done(protocol)

    def oversized(self, head: str) -> tuple[list[Any], list[tuple[str, Any]]]:
        protocol = self._protocol()
        protocol.take_oversized(head.encode(), 100)
        return self._done(protocol)

    def new_process(self) -> tuple[list[Any], list[tuple[str, Any]]]:
        protocol = self._protocol()
        protocol.begin_process()
        return self._done(protocol)

    def overdue(self) -> list[Any]:
        """The frames that are sent once nobody has answered."""
        protocol = self._protocol()
        protocol.answer_overdue(2**62)
        return self._done(protocol)[0]

    def arguments(self, *launch_args: str) -> list[str]:
        return self._protocol().arguments(None, list(launch_args))

    def _protocol(self) -> AgentProtocol:
        protocol = self._kind("dbx_x", self.state)
        protocol.may_begin_turns = not self.rests
        return protocol

    def _done(self, protocol: AgentProtocol) -> tuple[list[Any], list[tuple[str, Any]]]:
        self._state = protocol.state
        published = [(output.event_type, json.loads(output.payload)) for output in protocol.outputs]
        return [json.loads(frame) for frame in protocol.frames], published
