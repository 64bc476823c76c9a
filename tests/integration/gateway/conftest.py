"""One server for all these tests, that may lead devboxes to upstreams on the loopback address."""

import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import pytest
from runloop_api_client import Runloop

from tests.integration.gateway.upstream import SECRET, Upstream, serving_upstream
from tests.serving import ServerProcess, serving

ENVIRONMENT = {"LOOPYARD_GATEWAY__ALLOWED_NETWORKS": '["127.0.0.0/8"]', "LOOPYARD_RUNTIME__SPARE_SLOTS": "4"}


@dataclass
class Box:
    """A devbox, tried by commands."""

    client: Runloop
    id: str

    def run(self, command: str) -> tuple[int, str]:
        """Exit status and standard output."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            done = self.client.devboxes.execute_sync(self.id, command=command)  # pyright: ignore[reportDeprecated]
        return done.exit_status, done.stdout

    def curl(self, path: str, *options: str, prefix: str = "MODEL") -> str:
        """What the gateway answers at a path, the token as a bearer token."""
        token = f'-H "Authorization: Bearer ${prefix}"'
        status, out = self.run(f'curl -sS {token} {" ".join(options)} "${prefix}_URL{path}" 2>&1')
        assert status == 0, out
        return out


MakeBox = Callable[..., Box]
"""Makes a devbox; the arguments are those of its creation, and `policy` the fields of a network policy for it."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """A server with a gateway, in place of the one that other tests share."""
    with serving(tmp_path_factory.mktemp("gateway") / "data", env=ENVIRONMENT) as process:
        yield process


@pytest.fixture(scope="session")
def upstream() -> Generator[Upstream]:
    with serving_upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def secret(server: ServerProcess) -> str:
    """The id of the secret that upstreams are called with."""
    with server.client() as client:
        return client.secrets.create(name="UPSTREAM_KEY", value=SECRET).id


@pytest.fixture(scope="session")
def config(server: ServerProcess, upstream: Upstream) -> str:
    """A gateway configuration that leads to the upstream with a bearer token."""
    with server.client() as client:
        made = client.gateway_configs.create(
            name="tests", endpoint=f"{upstream.url}/base", auth_mechanism={"type": "bearer"}
        )
        return made.id


@pytest.fixture
def make_box(client: Runloop) -> Generator[MakeBox]:
    made: list[str] = []

    def make(*, policy: dict[str, Any] | None = None, **fields: Any) -> Box:
        if policy is not None:
            policy_id = client.network_policies.create(name=f"gateway tests {len(made)} {id(made)}", **policy).id
            fields["launch_parameters"] = {**fields.get("launch_parameters", {}), "network_policy_id": policy_id}
        devbox = client.devboxes.create_and_await_running(**fields)
        made.append(devbox.id)
        return Box(client, devbox.id)

    yield make
    for devbox_id in made:
        client.devboxes.shutdown(devbox_id)


@pytest.fixture
def box(make_box: MakeBox, config: str, secret: str) -> Box:
    """A devbox whose policy allows the gateway only, with the variables MODEL and MODEL_URL."""
    gateways = {"MODEL": {"gateway": config, "secret": secret}}
    return make_box(policy={"allow_agent_gateway": True}, gateways=gateways)
