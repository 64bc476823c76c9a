"""The app server of Codex: JSON-RPC without its version, of which events carry whole frames."""

from typing import Any

from loopyard.broker.protocol.base import AgentProtocol, Frame, Input, fields_of

_OWN = "runloop-broker-"
"""Start of the ids of the broker's own requests, which clients may not use."""

_TURN, _INTERRUPT = "turn/start", "turn/interrupt"
_GRANTS: dict[str, str] = {
    "item/commandExecution/requestApproval": "accept",
    "item/fileChange/requestApproval": "accept",
    "execCommandApproval": "approved",
    "applyPatchApproval": "approved",
}
"""Requests for permission, and the decision that grants each."""


class CodexProtocol(AgentProtocol):
    default_binary = "codex"
    fixed_args = ("app-server",)
    turn_methods = (_TURN,)

    def take_input(self, event: Input) -> bool:
        if self.state.resuming:
            return False
        if event.fields is None:
            return self.refuse(event, "its payload must be a frame, a JSON object.")
        frame = dict(event.fields)
        if str(frame.get("id", "")).startswith(_OWN):
            return self.refuse(event, f"ids that start with {_OWN} are reserved.")
        method = frame.get("method")
        if method == _TURN:
            if self.turn_must_wait:
                return False
            self.begin_turn(event.sequence)
        elif method == _INTERRUPT:
            memory = self.state.memory
            if not memory.get("turn"):
                return self.refuse(event, "there is no turn to interrupt.")
            frame["params"] = {"threadId": memory.get("thread"), "turnId": memory["turn"]}
        elif method is None:
            self.answered(frame.get("id"))
        elif method == "initialize":
            self.state.memory["initialize"] = frame.get("params")
        if isinstance(method, str) and "id" in frame:
            self.state.requests[str(frame["id"])] = method
        self.send(frame)
        return True

    def take_frame(self, frame: Frame, text: str) -> None:
        method, request_id = frame.get("method"), frame.get("id")
        if not isinstance(method, str):
            self._take_response(frame, text)
            return
        self.publish_agent(method, text)
        params = fields_of(frame.get("params"))
        if request_id is not None:
            granted = {"id": request_id, "result": {"decision": _GRANTS.get(method)}}
            refused = {"id": request_id, "error": {"code": -32603, "message": "No client answered in time."}}
            is_permission = method in _GRANTS
            self.ask_clients(request_id, "response", granted if is_permission else refused, is_permission=is_permission)
        elif method == "turn/started":
            self.state.memory["turn"] = _id_of(params.get("turn"))
        elif method == "turn/completed":
            self._end_turn(params.get("turn"))

    def _take_response(self, frame: Frame, text: str) -> None:
        request_id = str(frame.get("id"))
        method = self.state.requests.pop(request_id, None)
        if request_id.startswith(_OWN):
            self._go_on_resuming(method, frame)
            return
        self.publish_agent("response", text)
        result = fields_of(frame.get("result"))
        if method in ("thread/start", "thread/resume", "thread/fork"):
            self.state.memory["thread"] = _id_of(result.get("thread")) or self.state.memory.get("thread")
        elif method == _TURN and "error" in frame:
            self.fail_turn(str(frame["error"])[:2000], "error")
        elif method == _TURN:
            self.state.memory["turn"] = _id_of(result.get("turn")) or self.state.memory.get("turn")

    def _end_turn(self, turn: Any) -> None:
        self.state.memory["turn"] = None
        fields = fields_of(turn)
        status = str(fields.get("status", "completed"))
        if status == "failed":
            self.fail_turn(str(fields.get("error"))[:2000], status)
        else:
            self.complete_turn(status)

    def end_process(self, reason: str) -> None:
        super().end_process(reason)
        self.state.memory["turn"] = None

    def resume(self) -> None:
        if "initialize" in self.state.memory:
            self.state.resuming = True
            self._request("initialize", self.state.memory["initialize"])

    def _request(self, method: str, params: Any) -> None:
        request_id = f"{_OWN}{self.next_id()}"
        self.state.requests[request_id] = method
        self.send({"id": request_id, "method": method, "params": params})

    def _go_on_resuming(self, method: str | None, frame: Frame) -> None:
        if "error" in frame:
            self.tell_fault("resume", f"The agent did not take its thread up again: {str(frame['error'])[:1000]}")
        elif method == "initialize":
            self.send({"method": "initialized"})
            if thread := self.state.memory.get("thread"):
                self._request("thread/resume", {"threadId": thread})
                return
        self.state.resuming = False


def _id_of(value: Any) -> str | None:
    found = fields_of(value).get("id")
    return found if isinstance(found, str) else None
