"""Claude Code's stream of JSON: each message is a frame, and its type the event's type."""

from collections.abc import Sequence

from loopyard.broker.protocol.base import AgentProtocol, Frame, Input, fields_of

_QUERY, _PERMISSION = "query", "can_use_tool"
_FRAMES = {_QUERY, "user", "control_request", "control_response", "control_cancel_request"}


class ClaudeProtocol(AgentProtocol):
    default_binary = "claude"
    fixed_args = (
        "--output-format",
        "stream-json",
        "--input-format",
        "stream-json",
        "--verbose",
        "--permission-prompt-tool",
        "stdio",
    )

    def arguments(self, binary: str | None, launch_args: Sequence[str] | None) -> list[str]:
        line = super().arguments(binary, launch_args)
        session = self.state.memory.get("session")
        return [*line, "--resume", session] if session else line

    def take_input(self, event: Input) -> bool:
        if event.event_type not in _FRAMES:
            return self.refuse(event, f"claude_json takes {', '.join(sorted(_FRAMES))}.")
        frame = event.fields
        if frame is None:
            return self.refuse(event, "its payload must be a JSON object.")
        if event.event_type in (_QUERY, "user"):
            if self.turn_must_wait:
                return False
            self.begin_turn(event.sequence)
        elif event.event_type == "control_response":
            self.answered(fields_of(frame.get("response")).get("request_id"))
        self.send(frame)
        return True

    def take_frame(self, frame: Frame, text: str) -> None:
        kind = str(frame.get("type", "unknown"))
        self.publish_agent(kind, text)
        if isinstance(frame.get("session_id"), str) and kind in ("system", "result"):
            self.state.memory["session"] = frame["session_id"]
        if kind == "result":
            reason = str(frame.get("subtype", "success"))
            if frame.get("is_error"):
                self.fail_turn(str(frame.get("result") or frame.get("errors") or reason)[:2000], reason)
            else:
                self.complete_turn(str(frame.get("stop_reason") or reason))
        elif kind == "control_request":
            self._note_question(frame)

    def _note_question(self, frame: Frame) -> None:
        request_id, asked = frame.get("request_id"), fields_of(frame.get("request"))
        is_permission = asked.get("subtype") == _PERMISSION
        if is_permission:
            granted = {"behavior": "allow", "updatedInput": fields_of(asked.get("input"))}
            response: Frame = {"subtype": "success", "request_id": request_id, "response": granted}
        else:
            response = {"subtype": "error", "request_id": request_id, "error": "No client answered in time."}
        default = {"type": "control_response", "response": response}
        self.ask_clients(request_id, "control_response", default, is_permission=is_permission)

    def give_up_frame(self, head: str, message: str) -> None:
        if '"type":"result"' in head.replace(" ", ""):
            self.fail_turn(message, "error")

    def resume(self) -> None:
        """The session is named on the command line."""
