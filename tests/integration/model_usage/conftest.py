"""One server for all these tests, whose gateways lead to a model server of the tests' own."""

import io
import json
import time
import warnings
import zipfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from runloop_api_client import Runloop

from tests.integration.model_usage.model_server import HOSTS, SECRET, ModelServer, serving_models
from tests.serving import ServerProcess, serving

ENVIRONMENT = {
    "LOOPYARD_GATEWAY__ALLOWED_NETWORKS": '["127.0.0.0/8"]',
    "LOOPYARD_GATEWAY__PRICED_AS": json.dumps({host: provider for provider, host in HOSTS.items()}),
    "LOOPYARD_RUNTIME__SPARE_SLOTS": "4",
}
SCORER = {"type": "bash_script_scorer", "bash_script": "echo score=0.5"}

CALLS = {
    "chat": ("openai", "/v1/chat/completions", "{}"),
    "chat-stream": ("openai", "/v1/chat/completions", '{"stream":true}'),
    "responses": ("openai", "/v1/responses", "{}"),
    "responses-stream": ("openai", "/v1/responses", '{"stream":true}'),
    "messages": ("anthropic", "/v1/messages", "{}"),
    "messages-stream": ("anthropic", "/v1/messages", '{"stream":true}'),
    "gemini": ("google", "/v1beta/models/gemini-2.5-flash:generateContent", "{}"),
    "gemini-stream": ("google", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "{}"),
    "gemini-array": ("google", "/v1beta/models/gemini-2.5-flash:streamGenerateContent", "{}"),
}
"""Of each answer of `tests.model_answers`: the provider, the path and the body that get it."""


@dataclass
class Run:
    """A scenario run whose box calls models."""

    client: Runloop
    id: str
    devbox_id: str

    def shell(self, command: str) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            done = self.client.devboxes.execute_sync(self.devbox_id, command=command)  # pyright: ignore[reportDeprecated]
        return done.stdout

    def call(self, name: str, *options: str, query: str = "", body: str | None = None) -> str:
        """Call a model by curl; what it printed, followed by the status in a line."""
        provider, path, standard = CALLS[name]
        variable = provider.upper()
        mark = "&" if "?" in path else "?"
        target = f'"${variable}_URL{path}{mark + query if query else ""}"'
        key = f'-H "Authorization: Bearer ${variable}"'
        sent = f"-d '{standard if body is None else body}'"
        return self.shell(f"curl -sS -w '\\n%{{http_code}}' {key} {sent} {' '.join(options)} {target} 2>&1")

    def begin(self, name: str, *, query: str = "") -> str:
        """Call a model in the background; the id of the process."""
        provider, path, body = CALLS[name]
        key = f'-H "Authorization: Bearer ${provider.upper()}"'
        curl = f"""curl -sSN {key} -d '{body}' "${provider.upper()}_URL{path}?{query}" """
        return self.shell(f"{curl} > ~/out 2>&1 < /dev/null & echo $!").strip()

    @property
    def usage(self) -> dict[str, Any]:
        found: Any = self.client.get(f"/v1/scenarios/runs/{self.id}/model_usage", cast_to=object)
        return found

    def until(self, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The usage, once it is so: a call is counted when its end has come to the server."""
        end = time.monotonic() + 120
        while not done(usage := self.usage):
            assert time.monotonic() < end, usage
            time.sleep(0.05)
        return usage

    @property
    def logs(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(io.BytesIO(self.client.scenarios.runs.download_logs(self.id).read()))

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads(self.logs.read("manifest.json"))


StartRun = Callable[..., Run]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """A server with gateways, in place of the one that other tests share."""
    with serving(tmp_path_factory.mktemp("model-usage") / "data", env=ENVIRONMENT) as process:
        yield process


@pytest.fixture(scope="session")
def models() -> Generator[ModelServer]:
    with serving_models() as models:
        yield models


def starting(client: Runloop, models: ModelServer) -> StartRun:
    """Starts runs on the server of this client."""
    suffix = uuid4().hex[:8]
    secret = client.secrets.create(name=f"KEY_{suffix}", value=SECRET).id
    gateways: dict[str, Any] = {}
    for provider in HOSTS:
        config = client.gateway_configs.create(
            name=f"{provider}-{suffix}", endpoint=models.url(provider), auth_mechanism={"type": "bearer"}
        )
        gateways[provider.upper()] = {"gateway": config.id, "secret": secret}
    policy = client.network_policies.create(name=f"models-{suffix}", allow_agent_gateway=True)

    def start(*, scenario: dict[str, str] | None = None, **more: Any) -> Run:
        functions: Any = [{"name": "half", "weight": 1.0, "scorer": SCORER}]
        made = client.scenarios.create(
            name=f"models-{uuid4().hex[:8]}",
            input_context={"problem_statement": "p"},
            scoring_contract={"scoring_function_parameters": functions},
            metadata=scenario or {},
        )
        profile: Any = {"launchParameters": {"network_policy_id": policy.id}, "gateways": gateways}
        run = client.scenarios.start_run_and_await_env_ready(scenario_id=made.id, run_profile=profile, **more)
        return Run(client, run.id, run.devbox_id)

    return start


@pytest.fixture(scope="module")
def start_run(server: ServerProcess, models: ModelServer) -> Generator[StartRun]:
    with server.client() as client:
        yield starting(client, models)


@pytest.fixture
def raw(server: ServerProcess) -> Generator[httpx.Client]:
    """For what the official client has no calls for."""
    headers = {"Authorization": f"Bearer {server.api_key}"}
    with httpx.Client(base_url=server.base_url, headers=headers) as client:
        yield client
