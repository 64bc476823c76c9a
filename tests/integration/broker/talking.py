"""Conversations with agents by axons."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from runloop_api_client import Runloop
from runloop_api_client.lib.polling import PollingConfig
from runloop_api_client.types import AxonEventView

from tests.serving import ServerProcess

PUPPET = (Path(__file__).parent / "agent.py").read_text()
_SECONDS = 240.0
_PATIENT = PollingConfig(timeout_seconds=600, max_attempts=600)


class Conversation:
    """An axon and a devbox with an agent."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self._client: Runloop | None = None
        self._base_url = ""
        self.axon = self.client.axons.create().id
        self.devbox = ""
        self._seen = 0

    @property
    def client(self) -> Runloop:
        if self._client is None or self._base_url != self.server.base_url:
            self._client, self._base_url = self.server.client(), self.server.base_url
        return self._client

    def create(
        self,
        protocol: str = "acp",
        binary: str | None = None,
        args: Sequence[str] | None = None,
        *,
        mounts: Sequence[dict[str, Any]] = (),
        **params: Any,
    ) -> "Conversation":
        """Make the devbox and wait until it runs."""
        broker: dict[str, Any] = {"type": "broker_mount", "axon_id": self.axon, "protocol": protocol}
        broker |= {} if binary is None else {"agent_binary": binary}
        broker |= {} if args is None else {"launch_args": [*args]}
        whole: Any = [*mounts, broker]
        self.devbox = self.client.devboxes.create(mounts=whole, **params).id
        self.client.devboxes.await_running(self.devbox, polling_config=_PATIENT)
        return self

    def publish(self, event_type: str, payload: Any, *, origin: Any = "USER_EVENT") -> int:
        published = self.client.axons.publish(
            self.axon, event_type=event_type, origin=origin, payload=json.dumps(payload), source="tests"
        )
        return published.sequence

    def events(self) -> list[AxonEventView]:
        """All events, in order."""
        return list(reversed(self.client.axons.events.list(self.axon, limit=5000).events))

    def wait(self, wanted: str | Callable[[AxonEventView], bool], seconds: float = _SECONDS) -> AxonEventView:
        """The next event, after the one found last, that is of a type or as a function says."""

        def matches(event: AxonEventView) -> bool:
            if callable(wanted):
                return wanted(event)
            return event.event_type == wanted and event.source == "broker"

        deadline = time.monotonic() + seconds
        while True:
            events = self.events()
            for event in events:
                if event.sequence > self._seen and matches(event):
                    self._seen = event.sequence
                    return event
            if time.monotonic() > deadline:
                told = "\n".join(f"{one.sequence} {one.event_type} {one.payload[:300]}" for one in events)
                raise AssertionError(f"no event {wanted} after {self._seen}:\n{told}")
            time.sleep(0.05)

    def find(self, matches: Callable[[AxonEventView], bool]) -> AxonEventView:
        """The first event of all that is as a function says, once there is one: where two are in no order."""
        seen, self._seen = self._seen, 0
        try:
            return self.wait(matches)
        finally:
            self._seen = seen

    def ask(self, event_type: str, payload: Any) -> Any:
        """Publish a request, and return its answer."""
        self.publish(event_type, payload)
        return json.loads(self.wait(event_type).payload)

    def open_session(self) -> str:
        """Speak ACP to the point where prompts are taken; the session's id."""
        self.ask("initialize", {"protocolVersion": 1, "clientCapabilities": {}})
        return self.ask("session/new", {"cwd": "/home/user", "mcpServers": []})["sessionId"]

    def prompt(self, session: str, text: str) -> int:
        """Publish a prompt of ACP; its sequence."""
        content = [{"type": "text", "text": text}]
        return self.publish("session/prompt", {"sessionId": session, "prompt": content})

    def said(self, after: int = 0) -> list[str]:
        """The texts of the agent's messages in ACP, after a sequence."""
        later = [one for one in self.events() if one.event_type == "session/update" and one.sequence > after]
        updates = [json.loads(one.payload)["update"] for one in later]
        return [update["content"]["text"] for update in updates if update.get("content")]


def payload(event: AxonEventView) -> Any:
    return json.loads(event.payload)
