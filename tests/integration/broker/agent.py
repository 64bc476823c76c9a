# ruff: noqa: ARG002, T201
# pyright: reportAbstractUsage=false, reportIncompatibleMethodOverride=false
"""An agent on the agent-client-protocol package that does what its prompt says. It runs inside of devboxes."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from acp import (
    Agent,
    InitializeResponse,
    LoadSessionResponse,
    NewSessionResponse,
    PromptResponse,
    run_agent,
    update_agent_message_text,
)
from acp.schema import AgentCapabilities, PermissionOption, ToolCallUpdate

_SESSIONS = Path.home() / "sessions"


class Puppet(Agent):
    """The first word of a prompt is a command, the second its argument."""

    def __init__(self) -> None:
        self._client: Any = None
        self._canceled = asyncio.Event()

    def on_connect(self, conn: Any) -> None:
        self._client = conn

    async def initialize(self, protocol_version: int, *_: Any, **__: Any) -> InitializeResponse:
        capabilities = AgentCapabilities(load_session="forgetful" not in sys.argv)
        return InitializeResponse(protocol_version=protocol_version, agent_capabilities=capabilities)

    async def new_session(self, cwd: str, *_: Any, **__: Any) -> NewSessionResponse:
        _SESSIONS.mkdir(exist_ok=True)
        name = f"session-{len(list(_SESSIONS.iterdir()))}"
        (_SESSIONS / name).write_text("[]")
        return NewSessionResponse(session_id=name)

    async def load_session(self, cwd: str, session_id: str, *_: Any, **__: Any) -> LoadSessionResponse:
        for text in json.loads((_SESSIONS / session_id).read_text()):
            await self._say(session_id, f"replayed {text}")
        return LoadSessionResponse()

    async def prompt(self, session_id: str, prompt: list[Any], *_: Any, **__: Any) -> PromptResponse:
        text: str = prompt[0].text
        remembered = json.loads((_SESSIONS / session_id).read_text())
        (_SESSIONS / session_id).write_text(json.dumps([*remembered, text[:100]]))
        command, argument = [*text.split(" ", 1), ""][:2]
        self._canceled.clear()
        reason = await getattr(self, f"do_{command}")(session_id, argument)
        return PromptResponse(stop_reason=reason or "end_turn")

    async def cancel(self, session_id: str, **_: Any) -> None:
        self._canceled.set()

    async def _say(self, session_id: str, text: str) -> None:
        await self._client.session_update(session_id=session_id, update=update_agent_message_text(text))

    async def do_say(self, session_id: str, argument: str) -> None:
        await self._say(session_id, argument)

    async def do_count(self, session_id: str, argument: str) -> None:
        for number in range(int(argument)):
            await self._say(session_id, str(number))
            await asyncio.sleep(0.01)

    async def do_length(self, session_id: str, argument: str) -> None:
        await self._say(session_id, str(len(argument)))

    async def do_recall(self, session_id: str, argument: str) -> None:
        await self._say(session_id, (_SESSIONS / session_id).read_text())

    async def do_wait(self, session_id: str, argument: str) -> str:
        await self._canceled.wait()
        return "cancelled"

    async def do_sleep(self, session_id: str, argument: str) -> None:
        await asyncio.sleep(float(argument))
        await self._say(session_id, "slept")

    async def do_ask(self, session_id: str, argument: str) -> None:
        options = [
            PermissionOption(kind="reject_once", name="No", option_id="no"),
            PermissionOption(kind="allow_once", name="Yes", option_id="yes"),
        ]
        call = ToolCallUpdate(tool_call_id="call", title="try")
        answer = await self._client.request_permission(session_id=session_id, tool_call=call, options=options)
        await self._say(session_id, answer.outcome.option_id)

    async def do_crash(self, session_id: str, argument: str) -> None:
        print("going down", file=sys.stderr, flush=True)
        os._exit(int(argument))

    async def do_print(self, session_id: str, argument: str) -> None:
        os.write(1, f"{argument}\n".encode())

    async def do_large(self, session_id: str, argument: str) -> None:
        await self._say(session_id, "x" * int(argument))

    async def do_log(self, session_id: str, argument: str) -> None:
        print(argument, file=sys.stderr, flush=True)


if __name__ == "__main__":
    asyncio.run(run_agent(Puppet()))
