"""An agent on the agent-client-protocol package, installed once."""

from collections.abc import Callable, Generator
from importlib.metadata import version
from typing import Any

import pytest
from runloop_api_client import Runloop

from tests.integration.broker.talking import PUPPET, Conversation
from tests.serving import ServerProcess

_FILE = "/home/user/puppet.py"

Start = Callable[..., Conversation]


@pytest.fixture(scope="session")
def acp_package(server: ServerProcess) -> str:
    """The id of an agent that is the package."""
    return install_acp(server.client())


def install_acp(client: Runloop) -> str:
    """Make an agent of the package; its id."""
    name = "agent-client-protocol"
    source: Any = {"type": "pip", "pip": {"package_name": name}}
    return client.agents.create(name="acp", version=version(name), source=source).id


def puppet(agent_id: str) -> dict[str, Any]:
    """The arguments of `Conversation.create` for the agent of the tests."""
    mounts = [
        {"type": "agent_mount", "agent_id": agent_id, "agent_name": None},
        {"type": "file_mount", "target": _FILE, "content": PUPPET},
    ]
    script = f'exec /opt/agents/*/bin/python -u {_FILE} "$@"'
    return {"binary": "/bin/sh", "args": ["-c", script, "sh"], "mounts": mounts}


@pytest.fixture
def start(server: ServerProcess, acp_package: str) -> Generator[Start]:
    """Starts a devbox with the agent of the tests; it is shut down at the end."""
    made: list[Conversation] = []

    def start(*arguments: str, **params: Any) -> Conversation:
        options = puppet(acp_package)
        options["args"] = [*options["args"], *arguments]
        made.append(Conversation(server))
        return made[-1].create(**options, **params)

    yield start
    for one in made:
        one.client.devboxes.shutdown(one.devbox)
