"""A server on Docker: what it cannot enforce it refuses, and what the engine does not do is done later."""

import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from runloop_api_client import BadRequestError, NotFoundError, Runloop

from loopyard.runtime.config import DockerConfig
from loopyard.runtime.errors import SandboxStuck
from loopyard.runtime.factory import open_runtime
from loopyard.runtime.protocol import SandboxSpec
from tests.integration.broker.talking import Conversation
from tests.integration.runtime.dockerd import NoEngine, docker_engine
from tests.serving import ServerProcess, serving

IMAGES = Path(os.environ.get("LOOPYARD_RUNTIME__IMAGES", Path.home() / ".cache/loopyard/images"))


@pytest.fixture(scope="module")
def docker_server(
    on_docker: Mapping[str, str | None], tmp_path_factory: pytest.TempPathFactory
) -> Generator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("docker") / "data", env=on_docker) as server:
        yield server


@pytest.fixture
def api(docker_server: ServerProcess) -> Generator[Runloop]:
    with docker_server.client() as client:
        yield client


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"allowed_hostnames": ["example.com"]}, "allowed_hostnames"),
        ({"allowed_cidrs": [{"cidr": "198.51.100.0/24"}]}, "allowed_cidrs"),
        ({"allow_devbox_to_devbox": True}, "allow_devbox_to_devbox"),
    ],
)
def test_a_policy_that_cannot_be_enforced_is_refused(api: Runloop, rules: dict[str, object], field: str) -> None:
    name = f"rules about {field}"
    with pytest.raises(BadRequestError) as refused:
        api.network_policies.create(name=name, **rules)  # type: ignore[arg-type]
    assert refused.value.body["field"] == field  # type: ignore[index]
    assert "crun" in str(refused.value)
    assert [policy.id for policy in api.network_policies.list(name=name)] == []

    closed = api.network_policies.create(name=name)
    with pytest.raises(BadRequestError) as refused:
        api.network_policies.update(closed.id, **rules)  # type: ignore[arg-type]
    assert refused.value.body["field"] == field  # type: ignore[index]
    assert api.network_policies.retrieve(closed.id) == closed
    api.network_policies.delete(closed.id)
    with pytest.raises(NotFoundError):
        api.network_policies.retrieve(closed.id)


def test_open_and_closed_policies_are_in_force(api: Runloop) -> None:
    policy = api.network_policies.create(name="open or closed", allow_all=True)
    devbox = api.devboxes.create_and_await_running(launch_parameters={"network_policy_id": policy.id})
    links = "ls /sys/class/net | grep -c eth || true"
    assert api.devboxes.execute_and_await_completion(devbox.id, command=links).stdout == "1\n"
    api.network_policies.update(policy.id, allow_all=False)
    assert api.devboxes.execute_and_await_completion(devbox.id, command=links).stdout == "0\n"
    api.devboxes.shutdown(devbox.id)


@pytest.mark.anyio
async def test_what_a_dead_engine_does_not_do_is_told_and_can_be_asked_for_again(tmp_path: Path) -> None:
    try:
        with docker_engine() as socket:
            runtime = await open_runtime(DockerConfig(images=IMAGES, socket=socket), tmp_path)
            await runtime.create(SandboxSpec(id="box"))
    except NoEngine as reason:
        pytest.skip(str(reason))
    for act in (runtime.suspend, runtime.destroy):
        for _ in range(2):
            with pytest.raises(SandboxStuck):
                await act("box")
    assert (tmp_path / "sandboxes" / "box").exists(), "what is not known to be gone is not forgotten"
    await runtime.close()


@pytest.mark.parametrize("part", ["gateways", "mcp"])
def test_calls_of_upstreams_are_refused_where_their_devbox_cannot_be_told(api: Runloop, part: str) -> None:
    name = f"refused-{part}"
    secret = api.secrets.create(name=f"KEY_{part.upper()}", value="-").id
    make = api.gateway_configs if part == "gateways" else api.mcp_configs
    more: Any = {"allowed_tools": ["*"]} if part == "mcp" else {}
    config = make.create(name=name, endpoint="https://1.1.1.1", auth_mechanism={"type": "bearer"}, **more).id
    spec: Any = {"UP": {"gateway" if part == "gateways" else "mcp_config": config, "secret": secret}}
    asked: Any = {part: spec}
    with pytest.raises(BadRequestError) as refused:
        api.devboxes.create(**asked)
    assert refused.value.body["field"].startswith(part)  # type: ignore[index]
    assert "crun" in str(refused.value)


def test_a_command_that_goes_on_is_answered_at_once(api: Runloop) -> None:
    devbox = api.devboxes.create_and_await_running()
    started = api.devboxes.execute_async(devbox.id, command="cat; sleep 3600", attach_stdin=True)
    assert started.status == "running"
    sent = api.devboxes.executions.send_std_in(started.execution_id, devbox_id=devbox.id, text="heard\n")
    assert sent.success
    with api.devboxes.executions.stream_stdout_updates(started.execution_id, devbox_id=devbox.id) as told:
        assert next(iter(told)).output == "heard\n"
    api.devboxes.shutdown(devbox.id)


_ACP = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    result = {"protocolVersion": 1, "agentCapabilities": {}}
    if asked["method"] == "session/new":
        result = {"sessionId": "s1"}
    elif asked["method"] == "session/prompt":
        content = {"type": "text", "text": "heard " + asked["params"]["prompt"][0]["text"]}
        update = {"sessionUpdate": "agent_message_chunk", "content": content}
        told = {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s1", "update": update}}
        print(json.dumps(told), flush=True)
        result = {"stopReason": "end_turn"}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


def test_an_agent_is_spoken_to_by_an_axon(docker_server: ServerProcess) -> None:
    talk = Conversation(docker_server)
    mounts = [{"type": "file_mount", "target": "/tmp/agent.py", "content": _ACP}]
    talk.create(binary="python3", args=["-u", "/tmp/agent.py"], mounts=mounts)
    talk.prompt(talk.open_session(), "hello")
    talk.wait("session/prompt", seconds=60)
    assert talk.said() == ["heard hello"]
