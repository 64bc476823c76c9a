"""Real resources for requests to be about, and the requests that fit each operation."""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
from runloop_api_client import Runloop
from runloop_api_client.types import ObjectView

from loopyard.app import create_app
from loopyard.config import Settings
from loopyard.kit.db.database import Database
from loopyard.runtime.absent import absent_runtime
from tests.serving import ServerProcess

METHODS = ("get", "post", "put", "patch", "delete")


def document() -> dict[str, Any]:
    """The OpenAPI document of the code under test; needs no server."""
    settings = Settings(data_dir=Path("/nonexistent"))
    database = Database(settings.store_url)
    try:
        return create_app(absent_runtime(), database, settings).openapi()
    finally:
        asyncio.run(database.close())


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document."""

    method: str
    path: str
    description: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def places(self) -> list[str]:
        """The names of the path's parameters."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    def at(self, **parameters: str) -> str:
        """The path with these put in."""
        return self.path.format(**parameters)


DOCUMENT = document()
OPERATIONS = [
    Operation(method, path, operation)
    for path, operations in cast("dict[str, dict[str, Any]]", DOCUMENT["paths"]).items()
    for method, operation in operations.items()
    if method in METHODS and path.startswith("/v1/")
]


def smallest_body(operation: Operation) -> dict[str, Any]:
    """The arguments for httpx that send the smallest valid body: `json` or `files`, or none."""
    content: dict[str, Any] = operation.description.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        return {"json": _smallest(content["application/json"]["schema"])}
    if "multipart/form-data" in content:
        fields = _smallest(content["multipart/form-data"]["schema"])
        return {"files": {name: ("name", value) if name == "file" else (None, value) for name, value in fields.items()}}
    return {}


def _smallest(schema: Mapping[str, Any]) -> Any:
    """A value that a schema admits."""
    if "$ref" in schema:
        return _smallest(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return _smallest(schema[several][0])
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: _smallest(properties[name]) for name in schema.get("required", [])}
        case "array":
            return [_smallest(schema["items"])] * schema.get("minItems", 0)
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case "string":
            return "x" * max(schema.get("minLength", 1), 1)
        case _:
            return {}


KEPT = "scenarios that stay"
"""The kind of those that no path leads to, so that nothing archives them."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Ids of what the server has, by the first segments of the paths that they belong in."""

    known: Mapping[str, list[str]]

    def of(self, path: str, parameter: str) -> list[str]:
        """Ids that fit the parameter there."""
        before = path.partition(f"/{{{parameter}}}")[0]
        return self.known.get(before.rpartition("/")[2] if "executions" in before else before, [])


@contextmanager
def resources(server: ServerProcess) -> Generator[Resources]:
    """A devbox that runs and one that has ended, and something of each other kind; what can be deleted, twice."""
    with server.client() as client:
        running = client.devboxes.create_and_await_running(name="property tests")
        ended = client.devboxes.create_and_await_running(name="property tests, ended")
        client.devboxes.shutdown(ended.id)
        execution = client.devboxes.execute_async(running.id, command="echo out; echo err >&2")
        client.devboxes.executions.await_completed(execution.execution_id, devbox_id=running.id)
        scenario = make_scenario(client)
        kept = make_scenario(client)
        canceled = client.scenarios.start_run(scenario_id=scenario)
        client.scenarios.runs.cancel(canceled.id)
        benchmark = client.benchmarks.create(name="property tests", scenario_ids=[scenario]).id
        benchmark_runs = [client.benchmarks.start_run(benchmark_id=benchmark).id for _ in range(2)]
        client.benchmark_runs.cancel(benchmark_runs[1])
        job = client.benchmark_jobs.create(
            spec={
                "type": "scenarios",
                "scenario_ids": [scenario],
                "agent_configs": [{"type": "job_agent", "name": "nop"}],
            }
        ).id
        policies = [client.network_policies.create(name=f"property tests {number}").id for number in range(2)]
        snapshots = [client.devboxes.snapshot_disk_async(running.id).id for _ in range(2)]
        for snapshot in snapshots:
            client.devboxes.disk_snapshots.await_completed(snapshot)
        scorer = client.scenarios.scorers.create(bash_script="echo 1", type="property_tests")
        secrets = [client.secrets.create(name=f"PROPERTY_TESTS_{number}", value="x") for number in range(4)]
        objects = [client.objects.create(name="property tests", content_type="text") for _ in range(3)]
        for each in objects[1:]:
            _upload(client, each)
        blueprint = client.blueprints.create(name="property-tests")
        keys = [client.apikeys.create().id or "" for _ in range(2)]
        bearer: Any = {"type": "bearer"}
        gateways = [
            client.gateway_configs.create(
                name=f"property tests {number}", endpoint="https://example.com", auth_mechanism=bearer
            ).id
            for number in range(2)
        ]
        mcp_configs = [
            client.mcp_configs.create(
                name=f"property{number}-tests", endpoint="https://example.com", allowed_tools=["*"]
            ).id
            for number in range(2)
        ]
        agents = [client.agents.create(name="property tests").id for _ in range(2)]
        axons = [client.axons.create(name="property tests").id for _ in range(2)]
        yield Resources(
            {
                "/v1/devboxes": [running.id, ended.id],
                "executions": [execution.execution_id],
                "/v1/scenarios": [scenario],
                KEPT: [kept],
                "/v1/scenarios/runs": [canceled.id],
                "/v1/scenarios/scorers": [scorer.id],
                "/v1/benchmarks": [benchmark],
                "/v1/benchmark_runs": benchmark_runs,
                "/v1/benchmark_jobs": [job],
                "/v1/devboxes/disk_snapshots": snapshots,
                "/v1/network-policies": policies,
                "/v1/secrets/id": [secret.id for secret in secrets[:2]],
                "/v1/secrets": [secret.name for secret in secrets[2:]],
                "/v1/objects": [each.id for each in objects],
                "/v1/blueprints": [blueprint.id],
                "/v1/agents": agents,
                "/v1/gateway-configs": gateways,
                "/v1/mcp-configs": mcp_configs,
                "/v1/axons": axons,
                "/v1/apikeys": keys,
            }
        )
        client.devboxes.shutdown(running.id)


def _upload(client: Runloop, made: ObjectView) -> None:
    assert made.upload_url is not None
    httpx.put(made.upload_url, content=b"property tests").raise_for_status()
    client.objects.complete(made.id)


def make_scenario(client: Runloop) -> str:
    scored: Any = {"name": "always", "weight": 1.0, "scorer": {"type": "command_scorer", "command": "true"}}
    return client.scenarios.create(
        name="property tests",
        input_context={"problem_statement": "none"},
        scoring_contract={"scoring_function_parameters": [scored]},
    ).id
