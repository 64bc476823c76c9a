"""Agent Client Protocol: JSON-RPC, of which events carry the method and the params or the result."""

from typing import Any, ClassVar, cast

from loopyard.broker.protocol.base import AgentProtocol, Frame, Input, fields_of

_NOTIFICATIONS = {"session/cancel", "$/cancel_request", "initialized", "document/didOpen", "document/didChange"}
_PROMPT, _PERMISSION = "session/prompt", "session/request_permission"
_OWN = "broker:"
"""Start of the noted method of a request of the broker's own, whose answer is not published."""
_NOT_ANSWERED = {"code": -32603, "message": "No client answered in time."}


class AcpProtocol(AgentProtocol):
    default_binary = "opencode"
    default_args = ("acp",)
    envelope: ClassVar[dict[str, str]] = {"jsonrpc": "2.0"}
    turn_methods = (_PROMPT,)

    def take_input(self, event: Input) -> bool:
        if self.state.resuming:
            return False
        if event.payload is not None and not fields_of(event.payload) and event.payload not in ({}, []):
            return self.refuse(event, "its payload must be the params, a JSON object.")
        for question in self.state.questions:
            if question.event_type == event.event_type:
                self.state.questions.remove(question)
                self._reply(question.id, {"result": event.payload})
                return True
        params: dict[str, Any] = {} if event.payload is None else {"params": event.payload}
        if event.event_type in _NOTIFICATIONS:
            self.send({**self.envelope, "method": event.event_type, **params})
            return True
        if event.event_type == _PROMPT:
            if self.turn_must_wait:
                return False
            self.begin_turn(event.sequence)
        elif event.event_type in self.state.requests.values():
            return False  # answers are told apart by their method alone
        self._remember(event.event_type, event.payload)
        self._request(event.event_type, params, event.event_type)
        return True

    def take_frame(self, frame: Frame, text: str) -> None:
        method, request_id = frame.get("method"), frame.get("id")
        if isinstance(method, str):
            if not (self.state.resuming and method == "session/update"):  # a replay of what was published
                self.publish_agent(method, frame.get("params"))
            if request_id is not None:
                self._note_question(request_id, method, frame.get("params"))
            return
        asked = self.state.requests.pop(str(request_id), None)
        if asked is None:
            self.tell_fault("invalid_output", f"The agent answered what nobody asked: {text[:1000]}")
        elif asked.startswith(_OWN):
            self._go_on_resuming(asked.removeprefix(_OWN), frame)
        elif "error" in frame:
            self._fail(asked, frame["error"])
        else:
            self._succeed(asked, frame.get("result"))

    def _succeed(self, method: str, result: Any) -> None:
        self.publish_agent(method, result)
        fields = fields_of(result)
        if method == _PROMPT:
            self.complete_turn(str(fields.get("stopReason", "end_turn")))
        elif method == "initialize":
            self.state.memory["loads"] = bool(fields_of(fields.get("agentCapabilities")).get("loadSession"))
        elif method == "session/new" and isinstance(fields.get("sessionId"), str):
            self.state.memory["session"] = fields["sessionId"]

    def _fail(self, method: str, error: Any) -> None:
        reason = fields_of(error) or {"message": str(error)}
        message = str(reason.get("message", "The agent answered with an error."))
        self.tell_fault(method, f"{message} {reason.get('data', '') or ''}".strip())
        if method == _PROMPT:
            self.fail_turn(message, "error")

    def _note_question(self, request_id: Any, method: str, params: Any) -> None:
        if method == _PERMISSION:
            outcome = {"outcome": _grant(params)}
            default = {**self.envelope, "id": request_id, "result": outcome}
        else:
            default = {**self.envelope, "id": request_id, "error": _NOT_ANSWERED}
        self.ask_clients(request_id, method, default, is_permission=method == _PERMISSION)

    def _remember(self, method: str, payload: Any) -> None:
        if method in ("initialize", "session/new", "session/load"):
            self.state.memory[method] = payload
        if method == "session/load":
            self.state.memory["session"] = fields_of(payload).get("sessionId")

    def _request(self, method: str, params: dict[str, Any], noted: str) -> None:
        number = self.next_id()
        self.state.requests[str(number)] = noted
        self.send({**self.envelope, "id": number, "method": method, **params})

    def _reply(self, request_id: Any, outcome: dict[str, Any]) -> None:
        self.send({**self.envelope, "id": request_id, **outcome})

    def resume(self) -> None:
        memory = self.state.memory
        if "initialize" in memory:
            self.state.resuming = True
            self._request("initialize", {"params": memory["initialize"]}, f"{_OWN}initialize")

    def _go_on_resuming(self, method: str, frame: Frame) -> None:
        memory = self.state.memory
        if "error" in frame:
            reason = str(frame["error"])[:1000]
            self.tell_fault("resume", f"The agent did not take its session up again ({method}): {reason}")
        elif method == "initialize" and memory.get("session") and memory.get("loads"):
            made = fields_of(memory.get("session/load") or memory.get("session/new"))
            params = {"cwd": made.get("cwd", "/"), "mcpServers": made.get("mcpServers", [])}
            params["sessionId"] = memory["session"]
            self._request("session/load", {"params": params}, f"{_OWN}session/load")
            return
        elif method == "initialize" and memory.get("session"):
            self.tell_fault("resume", "The agent cannot load sessions, so the one it had is lost; make a new one.")
        self.state.resuming = False


def _grant(params: Any) -> dict[str, str]:
    """The first option that allows; else the first."""
    options = fields_of(params).get("options")
    given = [fields_of(one) for one in cast("list[Any]", options)] if isinstance(options, list) else []
    named = [one for one in given if isinstance(one.get("optionId"), str)]
    allowing = [one for one in named if str(one.get("kind", "")).startswith("allow")]
    if not (allowing or named):
        return {"outcome": "cancelled"}
    return {"outcome": "selected", "optionId": (allowing or named)[0]["optionId"]}
