"""Agents as they are published on npm, each driven by an axon through a kill of the server and a suspend.

Their model is the tests' own. Needs the package registry; each agent has some 100 MB.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.integration.broker.talking import Conversation, payload
from tests.serving import serving
from tests.slow.broker.model import PORT, REQUESTS, TEXT

_MODEL = (Path(__file__).parent / "model.py").read_text()
_URL = f"http://127.0.0.1:{PORT}"
_HOME = "/home/user"

Prompt = Callable[[str], None]


@dataclass(frozen=True)
class Published:
    """A published agent: how it is found, configured and spoken to. `open` begins a session, and gives what prompts."""

    package: str
    version: str
    protocol: str
    open: Callable[[Conversation], Prompt]
    args: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, str] = field(default_factory=dict[str, str])


def _open_acp(talk: Conversation) -> Prompt:
    session = talk.open_session()
    return lambda text: (talk.prompt(session, text), None)[1]


def _open_claude(talk: Conversation) -> Prompt:
    def prompt(text: str) -> None:
        message = {"role": "user", "content": text}
        talk.publish("query", {"type": "user", "message": message, "session_id": ""})

    return prompt


def _open_codex(talk: Conversation) -> Prompt:
    numbers = iter(range(1, 100))

    def ask(method: str, params: Any) -> Any:
        number = next(numbers)
        talk.publish(method, {"id": number, "method": method, "params": params})
        return payload(talk.wait(lambda one: one.event_type == "response" and payload(one)["id"] == number))["result"]

    ask("initialize", {"clientInfo": {"name": "tests", "version": "1"}})
    talk.publish("initialized", {"method": "initialized"})
    thread = ask("thread/start", {"cwd": _HOME})["thread"]["id"]

    def prompt(text: str) -> None:
        params = {"threadId": thread, "input": [{"type": "text", "text": text}]}
        talk.publish("turn/start", {"id": next(numbers), "method": "turn/start", "params": params})

    return prompt


def _open_pi(talk: Conversation) -> Prompt:
    talk.publish("initialize", {})
    talk.wait("response")
    return lambda text: (talk.publish("turn/start", {"type": "prompt", "message": text}), None)[1]


_OPENCODE = {
    "model": "tests/played",
    "provider": {
        "tests": {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": f"{_URL}/v1", "apiKey": "none"},
            "models": {"played": {"name": "played"}},
        }
    },
}
_CODEX = f"""
model = "played"
model_provider = "tests"
[model_providers.tests]
name = "tests"
base_url = "{_URL}/v1"
wire_api = "responses"
env_key = "MODEL_KEY"
"""
_PI = {
    "providers": {
        "tests": {"baseUrl": f"{_URL}/v1", "api": "openai-completions", "apiKey": "none", "models": [{"id": "played"}]}
    }
}

AGENTS = {
    "opencode": Published(
        "opencode-ai",
        "1.18.33",
        "acp",
        _open_acp,
        environment={"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"},
        files={f"{_HOME}/.config/opencode/opencode.json": json.dumps(_OPENCODE)},
    ),
    "claude": Published(
        "@anthropic-ai/claude-code",
        "2.1.332",
        "claude_json",
        _open_claude,
        environment={
            "ANTHROPIC_BASE_URL": _URL,
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        },
    ),
    "codex": Published(
        "@openai/codex",
        "0.171.0",
        "codex_json",
        _open_codex,
        environment={"MODEL_KEY": "none"},
        files={f"{_HOME}/.codex/config.toml": _CODEX},
    ),
    "pi": Published(
        "@earendil-works/pi-coding-agent",
        "1.6.0",
        "pi_json",
        _open_pi,
        args=("--provider", "tests", "--model", "played"),
        files={f"{_HOME}/.pi/agent/models.json": json.dumps(_PI)},
    ),
}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", AGENTS)
def test_a_published_agent_goes_on_through_a_kill_of_the_server_and_a_suspend(name: str, tmp_path: Path) -> None:
    agent = AGENTS[name]
    with serving(tmp_path / "data") as server:
        talk = Conversation(server)
        source: Any = {"type": "npm", "npm": {"package_name": agent.package}}
        made = talk.client.agents.create(name=name, version=agent.version, source=source)
        files = {f"{_HOME}/model.py": _MODEL, **agent.files}
        talk.create(
            agent.protocol,
            args=agent.args,
            mounts=[
                {"type": "agent_mount", "agent_id": made.id, "agent_name": None},
                *({"type": "file_mount", "target": path, "content": text} for path, text in files.items()),
            ],
            environment_variables=dict(agent.environment),
            launch_parameters={
                "launch_commands": [f"nohup python3 {_HOME}/model.py >/tmp/model.log 2>&1 &"],
                "resource_size_request": "MEDIUM",
            },
        )
        prompt = agent.open(talk)
        prompt("the first prompt")
        talk.wait("turn.completed")
        assert any(TEXT in one.payload for one in talk.events() if one.origin == "AGENT_EVENT")

        server.kill()
        server.start()
        prompt("the second prompt")
        talk.wait("turn.completed")

        talk.client.devboxes.suspend(talk.devbox)
        talk.wait("devbox.suspended")
        talk.client.devboxes.resume(talk.devbox)
        talk.wait("devbox.resumed")
        prompt("the third prompt")
        talk.wait("turn.completed")
        # The session is the one of before: the model is told all prompts with the last.
        asked = talk.client.devboxes.execute(talk.devbox, command=f"tail -n 1 {REQUESTS}").stdout or ""
        assert all(f"the {number} prompt" in asked for number in ("first", "second", "third"))
        names = [one.event_type for one in talk.events() if one.source == "broker"]
        assert names.count("turn.completed") == 3
        assert not {"turn.failed", "agent.error", "broker.error"} & set(names)
