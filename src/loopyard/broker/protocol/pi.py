"""The RPC mode of pi: each line is a JSON object, and its type the event's type."""

from loopyard.broker.protocol.base import AgentProtocol, Frame, Input, fields_of
from loopyard.broker.protocol.state import Question
from loopyard.kit.clock import now_ms

_OWN = "broker-"
"""Start of the ids that the broker gives, which clients may not use."""

_SESSIONS = "/var/tmp/loopyard-pi-sessions"  # noqa: S108  (a folder of the box)
_STOP_REASONS = {"stop": "EndTurn", "length": "MaxTokens", "aborted": "Cancelled", "error": "Error"}
_STATE, _SWITCH = "get_state", "switch_session"
_LOOK, _LOOK_MS = "get_state at rest", 1000


class PiProtocol(AgentProtocol):
    default_binary = "pi"
    fixed_args = ("--mode", "rpc", "--session-dir", _SESSIONS)

    def take_input(self, event: Input) -> bool:
        if self.state.resuming:
            return False
        if event.event_type == "initialize":
            self._ask(_STATE, is_shown=True)
            return True
        if event.event_type == "cancel":
            self.send({"type": "abort"})
            return True
        frame = dict(event.fields or {})
        if not isinstance(frame.get("type"), str):
            return self.refuse(event, "its payload must be a JSON object with a type.")
        if str(frame.get("id", "")).startswith(_OWN):
            return self.refuse(event, f"ids that start with {_OWN} are reserved.")
        if event.event_type != "turn/start":
            self.send(frame)
            return True
        if self.turn_must_wait:
            return False
        self.begin_turn(event.sequence)
        frame.setdefault("id", f"{_OWN}{self.next_id()}")
        self.state.memory["prompt"], self.state.memory["stop"] = frame["id"], "stop"
        self.send(frame)
        self._ask(_STATE)
        return True

    def take_frame(self, frame: Frame, text: str) -> None:
        kind, request_id = str(frame.get("type", "unknown")), frame.get("id")
        if kind == "response" and self.state.requests.get(str(request_id)):
            noted = self.state.requests.pop(str(request_id))
            self._take_own(noted, frame)
            if noted != f"{_STATE} shown":
                return
        self.publish_agent(kind, text)
        memory = self.state.memory
        if (
            kind == "response"
            and request_id is not None
            and request_id == memory.get("prompt")
            and frame.get("success") is False
        ):
            self.fail_turn(str(frame.get("error") or "The agent refused the prompt.")[:2000], "Error")
        elif kind in ("message_end", "turn_end"):
            memory["stop"] = _stop_of(frame) or memory.get("stop", "stop")
        elif kind == "agent_end":
            self._look_later()
        elif kind == "agent_settled":
            self._end_turn()
        if kind == "message_end" and isinstance(frame.get("message"), dict):
            memory["error"] = str(frame["message"].get("errorMessage") or "")[:2000] or None

    def _look_later(self) -> None:
        """Ask whether the agent is at rest, in a while: versions of before 1.0 do not say so by themselves."""
        self._forget_look()
        request_id = f"{_OWN}{self.next_id()}"
        self.state.requests[request_id] = _LOOK
        look = {"id": request_id, "type": _STATE}
        self.state.questions.append(Question(request_id, "", now_ms() + _LOOK_MS, look))

    def _forget_look(self) -> None:
        looks = {request_id for request_id, noted in self.state.requests.items() if noted == _LOOK}
        self.state.questions = [one for one in self.state.questions if one.id not in looks]
        for request_id in looks:
            del self.state.requests[request_id]

    def _end_turn(self) -> None:
        self._forget_look()
        reason = _STOP_REASONS.get(str(self.state.memory.get("stop")), "EndTurn")
        if reason == "Error":
            self.fail_turn(str(self.state.memory.get("error") or "The model answered with an error."), reason)
        else:
            self.complete_turn(reason)

    def _take_own(self, noted: str, frame: Frame) -> None:
        data = fields_of(frame.get("data"))
        if noted == _LOOK:
            if data.get("isStreaming") or data.get("isCompacting"):
                self._look_later()
            else:
                self._end_turn()
        if isinstance(data.get("sessionFile"), str):
            self.state.memory["session"] = data["sessionFile"]
        if noted == _SWITCH:
            if frame.get("success") is False:
                self.tell_fault("resume", f"The agent did not take its session up again: {frame.get('error')}")
            self.state.resuming = False

    def _ask(self, command: str, *, is_shown: bool = False, **fields: str) -> None:
        request_id = f"{_OWN}{self.next_id()}"
        self.state.requests[request_id] = f"{command} shown" if is_shown else command
        self.send({"id": request_id, "type": command, **fields})

    def give_up_frame(self, head: str, message: str) -> None:
        """No frame of that size ends a turn, or has to be answered."""

    def resume(self) -> None:
        if session := self.state.memory.get("session"):
            self.state.resuming = True
            self._ask(_SWITCH, sessionPath=session)


def _stop_of(frame: Frame) -> str | None:
    reason = fields_of(frame.get("message")).get("stopReason")
    return reason if isinstance(reason, str) and reason in _STOP_REASONS else None
